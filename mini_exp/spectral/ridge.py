"""How much the restoring of units is to be shrunk (4.1.2), from the samples themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import RANK_TOLERANCE

RIDGES = np.concatenate([[0.0], np.geomspace(1e-9, 10.0, 41)])
"""Those that are tried, in units of tr(Σ) / m."""


def cross_validated_ridge(
    sigma: Floats,
    index_set: npt.NDArray[np.int64],
    n: int,
    cross: Floats | None = None,
    square: Floats | None = None,
    n_free: int = 0,
) -> float:
    """The ridge of the smallest generalised cross-validation error of restoring units ψ from φ_J.

    With Σ_{J,J} = U diag(λ) Uᵀ, C = Uᵀ Êφ_Jψᵀ and w = ridge · tr(Σ) / m, the mean error on the n
    samples and the degrees of freedom are

        E(w) = Ê‖ψ‖² − Σᵢ ‖Cᵢ‖² (λᵢ + 2w) / (λᵢ + w)²,  N(w) = Σᵢ λᵢ / (λᵢ + w),

    and the error on a sample that is left out is about E(w) / (1 − N(w) / n)².

    Parameters
    ----------
    sigma : (..., m, m) float64
        Second moments of φ, as means.
    index_set : (..., k) int64
        J, distinct units.
    n : int
        Samples.
    cross, square : (..., m, m) and (...) float64, optional
        Êψφᵀ and Ê‖ψ‖²; of φ itself where they are not given.
    n_free : int
        Further degrees of freedom, as of an intercept.

    Returns
    -------
    float
        One for all matrices, in units of their own tr(Σ) / m.

    Raises
    ------
    DomainError

    Notes
    -----
    O(k³ + m k²), and nothing more for every ridge.

    References
    ----------
    Golub, Heath and Wahba, Technometrics 21 (1979), 215.

    Examples
    --------
    Of two equal units the first restores the second whatever the samples.

    >>> cross_validated_ridge(np.ones((2, 2)), np.array([0]), 10)
    0.0
    """
    if n < 1:
        raise DomainError(f"ridge: expected at least one sample, got {n}")
    trace = np.trace(sigma, axis1=-2, axis2=-1)
    total = trace if square is None else square
    columns = np.take_along_axis(sigma, index_set[..., None, :], axis=-1)
    inner = np.take_along_axis(columns, index_set[..., :, None], axis=-2)
    if cross is not None:
        columns = np.take_along_axis(cross, index_set[..., None, :], axis=-1)
    values, vectors = np.linalg.eigh(inner)
    values = np.maximum(values, 0.0)
    squares = np.square(columns @ vectors).sum(axis=-2)
    scores = []
    for ridge in RIDGES:
        w = np.asarray(ridge * trace / sigma.shape[-1])[..., None]
        shifted = values + w
        regular = shifted > RANK_TOLERANCE * values.max(axis=-1, keepdims=True)
        inverse = np.divide(1.0, shifted, out=np.zeros_like(shifted), where=regular)
        error = total - (squares * (values + 2 * w) * inverse**2).sum(axis=-1)
        left = 1 - (n_free + (values * inverse).sum(axis=-1)) / n
        usable = np.all(left > 0)
        scores.append(np.sum(np.maximum(error, 0.0) / left**2) if usable else np.inf)
    return float(RIDGES[int(np.argmin(scores))])
