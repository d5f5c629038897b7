"""The second moment of a layer's output and its spectrum (appendix 8.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats

Scale: TypeAlias = Literal["sum", "mean"]

RANK_TOLERANCE = 1e-12
"""An eigenvalue (relative to the largest) or a residual (relative to the unit's own second moment)
below this counts as zero: it is 10⁴ times the rounding of a double, which the sums behind an
estimated second moment multiply."""


class RunningMoments:
    """The sums Σᵢ φᵢφᵢᵀ and Σᵢ φᵢ over batches; Σᵢ ψᵢφᵢᵀ, Σᵢ ψᵢ and Σᵢ ‖ψᵢ‖² of a target ψ.

    Batches are NumPy arrays or PyTorch tensors, and so are the sums: each library has its own
    rounding. O(n m²) time, O(m²) memory.

    Attributes
    ----------
    second, cross : (..., m, m)
    first, target_first : (..., m)
    target_square : (...)
    n_samples : int

    References
    ----------
    Sørby (2019), appendix 8.1.
    """

    def __init__(self) -> None:
        self.second: Any = 0.0
        self.first: Any = 0.0
        self.cross: Any = None
        self.target_first: Any = 0.0
        self.target_square: Any = 0.0
        self.n_samples = 0

    def add(self, phi: Any, target: Any = None) -> None:
        """Take in a batch (..., n, m), float64, and what is to be estimated from it."""
        second = phi.mT @ phi
        self.second = self.second + second if self.n_samples else second
        self.first = self.first + phi.sum(-2)
        self.n_samples += phi.shape[-2]
        if target is not None:
            self.cross = (0.0 if self.cross is None else self.cross) + target.mT @ phi
            self.target_first = self.target_first + target.sum(-2)
            self.target_square = self.target_square + (target * target).sum((-2, -1))


def symmetric_moment(second: Floats, n_samples: int, scale: Scale) -> Floats:
    """Σ of a sum over samples, symmetric to the last bit, divided by n for ``"mean"``.

    Raises
    ------
    DomainError
        If there is no sample, or an output is infinite or NaN.
    """
    if n_samples == 0:
        raise DomainError("second moment: expected at least one sample, got none")
    if not np.isfinite(second).all():
        raise DomainError("second moment: expected finite outputs whose squares do not overflow")
    total: Floats = (second + second.mT) / 2
    return total / n_samples if scale == "mean" else total


def second_moment(batches: Iterable[npt.ArrayLike], scale: Scale = "mean") -> tuple[Floats, int]:
    """Σ = (1/n) Σᵢ φ(xᵢ)φ(xᵢ)ᵀ, uncentred, in one pass over batches.

    Parameters
    ----------
    batches : iterable of (..., n_batch, m) arrays
        Outputs φ of one layer; only one batch is held at a time.
    scale : {"mean", "sum"}
        ``"mean"`` divides by n (appendix 8.1); ``"sum"`` does not (the author's convention).

    Returns
    -------
    sigma : (..., m, m) float64
        Symmetric to the last bit.
    n_samples : int

    Raises
    ------
    ShapeError
        If a batch has no two axes or differs from the first in any other than n.
    DomainError
        If there is no sample, or an output is infinite or NaN.

    Notes
    -----
    O(n m²) time, O(m²) memory; accumulates in float64 whatever the batches' type.

    References
    ----------
    Sørby (2019), appendix 8.1.

    Examples
    --------
    >>> second_moment([[[1.0, 2.0]], [[3.0, 0.0]]])[0]
    array([[5., 1.],
           [1., 2.]])
    """
    sums = RunningMoments()
    expected: tuple[int, ...] | None = None
    for batch in batches:
        phi = np.asarray(batch, dtype=np.float64)
        shape = (*phi.shape[:-2], *phi.shape[-1:])
        if phi.ndim < 2 or expected not in (None, shape):
            *leading, m = ("...", "m") if expected is None else expected
            wanted = f"({', '.join(map(str, (*leading, 'n', m)))})"
            raise ShapeError(f"second moment: expected a batch {wanted}, got {phi.shape}")
        expected = shape
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            sums.add(phi)
    return symmetric_moment(np.asarray(sums.second), sums.n_samples, scale), sums.n_samples


def spectrum(sigma: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, descending, and eigenvectors, in columns, of Σ = V diag(μ) Vᵀ.

    Parameters
    ----------
    sigma : (..., m, m) float64
        Symmetric.

    Returns
    -------
    eigenvalues : (..., m) float64
        As the symmetric solver gives them: where Σ is singular, rounding leaves values of either
        sign around 1e-16 times the largest.
    eigenvectors : (..., m, m) float64
        The component of largest magnitude of each is positive, so that the sign is defined.

    References
    ----------
    Sørby (2019), section 4.3, step 3.

    Examples
    --------
    >>> spectrum(np.array([[2.0, 0.0], [0.0, 3.0]]))[0]
    array([3., 2.])
    """
    eigenvalues, eigenvectors = np.linalg.eigh(sigma)
    eigenvalues, eigenvectors = eigenvalues[..., ::-1], eigenvectors[..., ::-1]
    largest = np.abs(eigenvectors).argmax(axis=-2, keepdims=True)
    sign = np.where(np.take_along_axis(eigenvectors, largest, axis=-2) < 0, -1.0, 1.0)
    return eigenvalues.copy(), eigenvectors * sign


def descending_eigenvalues(sigma: Floats) -> Floats:
    """The eigenvalues of ``spectrum`` alone, up to rounding, in a third of the time: (..., m)."""
    return np.asarray(np.linalg.eigvalsh(sigma)[..., ::-1], dtype=np.float64)


def gram_spectrum(blocks: Iterable[npt.ArrayLike], scale: Scale = "mean") -> Floats:
    """Non-zero eigenvalues of Σ through the n × n Gram matrix: ΦΦᵀ has those of ΦᵀΦ.

    Parameters
    ----------
    blocks : iterable of (..., n, k) arrays
        The outputs of the same n samples, a block of k units at a time.
    scale : {"mean", "sum"}
        As in ``second_moment``.

    Returns
    -------
    (..., n) float64
        Descending; at most min(n, m) are not zero up to rounding, so N(λ) ≤ n.

    Raises
    ------
    ShapeError, DomainError

    Notes
    -----
    O(n² m + n³) time; O(n²) memory and one block, whatever m is: the way to the spectrum of layers
    whose m × m second moment does not fit.

    Examples
    --------
    >>> gram_spectrum([[[1.0], [3.0]], [[2.0], [0.0]]], scale="sum")
    array([10.60555128,  3.39444872])
    """

    def flipped() -> Iterator[Floats]:
        for block in blocks:
            phi = np.asarray(block, dtype=np.float64)
            if phi.ndim < 2:
                raise ShapeError(f"second moment: expected a batch (..., n, m), got {phi.shape}")
            yield phi.mT

    gram, _ = second_moment(flipped(), scale="sum")
    eigenvalues = descending_eigenvalues(gram)
    return eigenvalues / gram.shape[-1] if scale == "mean" else eigenvalues.copy()
