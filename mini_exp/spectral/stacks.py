"""Leading axes: a stack of matrices as one list of them, and checks that all formulas share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats


def checked_second_moment(sigma: npt.ArrayLike, where: str) -> Floats:
    """Σ as (..., m, m) float64, finite."""
    s = np.asarray(sigma, dtype=np.float64)
    if s.ndim < 2 or s.shape[-2] != s.shape[-1]:
        raise ShapeError(f"{where}: expected second moments (..., m, m), got {s.shape}")
    if not np.isfinite(s).all():
        raise DomainError(f"{where}: expected finite second moments")
    return s


def power_of_two(stack: Floats) -> Floats:
    """The power of two next to each matrix's largest entry, 1 for a zero matrix: (..., 1, 1)."""
    largest = np.maximum(
        stack.max(axis=(-2, -1), keepdims=True), -stack.min(axis=(-2, -1), keepdims=True)
    )
    return np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))


def quotient(numerator: Floats, denominator: Floats, nothing: Floats | float = 0.0) -> Floats:
    """numerator / denominator within [0, 1]; 1 where the denominator is at most ``nothing``."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    ratio = np.divide(numerator, denominator, out=np.ones(shape), where=denominator > nothing)
    return np.clip(ratio, 0.0, 1.0)


def operator_norm(stack: Floats) -> Floats:
    """Largest eigenvalue of positive semi-definite matrices (..., m, m): (...)."""
    norm: Floats = np.maximum(np.linalg.eigvalsh(stack)[..., -1], 0.0)
    return norm
