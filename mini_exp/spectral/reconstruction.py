"""The matrix A_J that restores all units from the kept ones (4.1.1, 4.1.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg.lapack

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import RANK_TOLERANCE
from mini_exp.spectral.stacks import checked_second_moment

CHOLESKY_FROM = 128
"""Kept units from which on Σ_{J,J} is factorised, if it is regular: it takes a tenth of the time of
its eigenvectors, which matters for these only."""


def reconstruction_matrix(
    sigma: npt.ArrayLike,
    index_set: npt.NDArray[np.int64],
    ridge: float = 0.0,
    cross: npt.ArrayLike | None = None,
) -> Floats:
    """A_J = Σ_{·,J} (Σ_{J,J} + wI)⁺, the minimiser of Ê‖φ − A φ_J‖² + w‖A‖²_F.

    Parameters
    ----------
    sigma : (..., m, m) float64
        Second moments.
    index_set : (..., k) int64
        J, distinct units.
    ridge : float
        w in units of the mean second moment of a unit, w = ridge · tr(Σ) / m; at least 0.
    cross : (..., m, m) float64, optional
        Êψφᵀ, where other units ψ are to be restored from φ_J: it replaces Σ_{·,J}.

    Returns
    -------
    (..., m, k) float64
        For ridge 0 and regular Σ_{J,J}, the rows in J are unit vectors. Where Σ_{J,J} is singular
        (its correlation form has eigenvalues below ``RANK_TOLERANCE`` of the largest) this is the
        minimiser of smallest norm; a dead unit has a zero row and a zero column.

    Raises
    ------
    ShapeError, DomainError

    Notes
    -----
    O(k³ + m k²).

    References
    ----------
    Sørby (2019), (4.1.1) and (4.1.2), with F = all units.

    Examples
    --------
    >>> reconstruction_matrix([[2.0, 1.0], [1.0, 3.0]], np.array([0]))
    array([[1. ],
           [0.5]])
    """
    s = checked_second_moment(sigma, "reconstruction")
    if index_set.shape[:-1] != s.shape[:-2]:
        raise ShapeError(
            f"reconstruction: expected (..., m, m) and (..., k), got {s.shape} and "
            f"{index_set.shape}"
        )
    if not (np.isfinite(ridge) and ridge >= 0):
        raise DomainError(f"reconstruction: expected a finite ridge ≥ 0, got {ridge}")
    target = s if cross is None else np.asarray(cross, dtype=np.float64)
    if target.shape != s.shape:
        raise ShapeError(f"reconstruction: expected a cross {s.shape}, got {target.shape}")
    m, k = s.shape[-1], index_set.shape[-1]
    columns = np.take_along_axis(target, index_set[..., None, :], axis=-1)  # Σ_{·,J}
    inner = np.take_along_axis(s, index_set[..., None, :], axis=-1)
    inner = np.take_along_axis(inner, index_set[..., :, None], axis=-2)  # Σ_{J,J}
    with np.errstate(over="ignore"):
        w = ridge * (np.trace(s, axis1=-2, axis2=-1) / m)
        largest = w + np.diagonal(s, axis1=-2, axis2=-1).max(axis=-1)
    if not np.isfinite(largest).all():
        raise DomainError(
            f"reconstruction: expected a ridge for which w = ridge · tr(Σ) / m is finite, got "
            f"{ridge}"
        )
    inner = inner + w[..., None, None] * np.eye(k)
    # Units may differ in scale by many powers of ten: the cut-off is for their correlations.
    scale = np.sqrt(np.diagonal(inner, axis1=-2, axis2=-1))
    scale = np.where(scale > 0, scale, 1.0)
    correlation = inner / scale[..., :, None] / scale[..., None, :]
    columns = columns / scale[..., None, :]
    solution = _solution(correlation, columns) if s.ndim == 2 and k >= CHOLESKY_FROM else None
    if solution is not None:
        return solution / scale
    values, vectors = np.linalg.eigh(correlation)
    kept = values > RANK_TOLERANCE * values[..., -1:]
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=kept)
    a: Floats = columns @ (vectors * inverse[..., None, :])
    a = a @ vectors.mT / scale[..., None, :]
    for r in np.argwhere(~kept.all(axis=-1)):  # the one in the range of Σ_{J,J}
        one = tuple(r)
        basis, _ = np.linalg.qr(scale[one][:, None] * vectors[one][:, kept[one]])
        a[one] = a[one] @ basis @ basis.T
    return a


def _solution(matrix: Floats, columns: Floats) -> Floats | None:
    """X with X · matrix = columns, unless an eigenvalue may be below ``RANK_TOLERANCE``."""
    norm = np.abs(matrix).sum(axis=0).max()
    factor, failed = scipy.linalg.lapack.dpotrf(matrix, lower=1)
    if failed or scipy.linalg.lapack.dpocon(factor, norm, uplo="L")[0] <= RANK_TOLERANCE:
        return None
    solution: Floats = scipy.linalg.lapack.dpotrs(factor, columns.T, lower=1)[0].T
    return solution
