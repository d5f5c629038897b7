"""What an index set loses: L^(A), L^(B) and L^(θ) of (4.1.3)–(4.1.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.second_moment import RANK_TOLERANCE
from mini_exp.spectral.stacks import checked_second_moment, operator_norm, quotient


def index_set_losses(
    sigma: npt.ArrayLike, z: npt.ArrayLike, scale: npt.ArrayLike, index_path: Integers, theta: float
) -> dict[str, Floats]:
    """The losses L^(A), L^(B), L^(θ) of the index set after every pick, for w = 0.

    L^(A) = ‖E‖, L^(B) = ‖Z E Zᵀ‖ (largest eigenvalues), L^(θ) = θL^(A) + (1 − θ)L^(B), with the
    residual E of ``greedy_path``. E vanishes on the rows and columns of J, so the losses are the
    same whether F is the complement of J or all units.

    Parameters
    ----------
    sigma : (..., m, m) float64
    z : (..., k, m) float64
        As ``scaled_output_matrix`` returns it.
    scale : (...) float64
        c with Z = √c W; the raw forms have W in place of Z.
    index_path : (..., n_picks) int64
    theta : float
        In [0, 1].

    Returns
    -------
    dict of (..., n_picks) float64
        ``A``, ``B``, ``theta``; ``B_raw`` and ``theta_raw`` with Z = W; ``information_raw``, the
        full-scope 𝒞 with R_z = WᵀW as it is.

    Notes
    -----
    O(m³) per pick: meant for narrow layers. A Z with more rows than columns gives way to its
    triangular factor, which has the same norms.

    References
    ----------
    Sørby (2019), (4.1.3)–(4.1.5), (4.1.7).
    """
    s = checked_second_moment(sigma, "selection")
    shape, m = index_path.shape, s.shape[-1]
    s = s.reshape(-1, m, m)
    z = triangular_factor(np.asarray(z, dtype=np.float64))
    z = z.reshape(-1, *z.shape[-2:])
    c = np.asarray(scale, dtype=np.float64).reshape(-1)
    w = z / np.sqrt(np.where(c > 0, c, 1.0))[:, None, None]
    row_of = np.arange(len(s))
    total_raw = theta * np.trace(s, axis1=1, axis2=2) + (1 - theta) * _quadratic_trace(w, s)
    variance = np.diagonal(s, axis1=1, axis2=2)
    residual = s.copy()
    columns: dict[str, list[Floats]] = {name: [] for name in ("A", "B", "B_raw", "information_raw")}
    for j in index_path.reshape(len(s), -1).T:
        pivot = residual[row_of, j, j]
        free = pivot > RANK_TOLERANCE * variance[row_of, j]
        v = residual[row_of, :, j] / np.sqrt(np.where(free, pivot, np.inf))[:, None]
        residual = residual - v[:, :, None] * v[:, None, :]
        residual[row_of, j, :] = residual[row_of, :, j] = 0.0
        explained = theta * np.trace(residual, axis1=1, axis2=2)
        explained = total_raw - explained - (1 - theta) * _quadratic_trace(w, residual)
        columns["A"].append(operator_norm(residual))
        columns["B"].append(operator_norm(z @ residual @ z.mT))
        columns["B_raw"].append(operator_norm(w @ residual @ w.mT))
        columns["information_raw"].append(quotient(explained, total_raw))
    losses = {name: np.stack(column, axis=1) for name, column in columns.items()}
    losses["theta"] = theta * losses["A"] + (1 - theta) * losses["B"]
    losses["theta_raw"] = theta * losses["A"] + (1 - theta) * losses["B_raw"]
    return {name: column.reshape(shape) for name, column in losses.items()}


def triangular_factor(z: Floats) -> Floats:
    """T of Z = QT where Z has more rows than columns, else Z itself: Z E Zᵀ has T E Tᵀ's norm."""
    return z if z.shape[-2] <= z.shape[-1] else np.asarray(np.linalg.qr(z, mode="r"))


def _quadratic_trace(w: Floats, s: Floats) -> Floats:
    """tr(W S Wᵀ) per matrix."""
    trace: Floats = np.einsum("rki,rij,rkj->r", w, s, w, optimize=True)
    return trace
