"""What the next layer makes of the units: R_z and the weight θI + (1 − θ)R_z (4.1.4, 4.1.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats


def scaled_output_matrix(next_weight: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Z = √c W with c = m / tr(WᵀW), so that R_z = ZᵀZ has trace m, as the identity has.

    Parameters
    ----------
    next_weight : (..., m_next, m) float64
        Weights W of the layer that reads these units.

    Returns
    -------
    z : (..., m_next, m) float64
        All zero where W is.
    scale : (...) float64
        c, or 0 where W is zero.

    References
    ----------
    Sørby (2019), (4.1.4), with the scale that the text leaves open.
    """
    w = np.asarray(next_weight, dtype=np.float64)
    largest = np.abs(w).max(axis=(-2, -1), keepdims=True, initial=0.0)
    unit = np.divide(w, largest, out=np.zeros_like(w), where=largest > 0)
    trace = (unit**2).sum(axis=(-2, -1), keepdims=True)  # of the normalised W: cannot overflow
    root = np.sqrt(np.divide(w.shape[-1], trace, out=np.zeros_like(trace), where=trace > 0))
    factor = np.divide(root, largest, out=np.zeros_like(root), where=largest > 0)
    scale = np.minimum(factor, np.sqrt(np.finfo(np.float64).max)) ** 2  # of weights below 1e-154
    return unit * root, scale[..., 0, 0]


def output_aware_weight(z: npt.ArrayLike, theta: float) -> Floats:
    """θI + (1 − θ)R_z with R_z = ZᵀZ: the weight in the trace form of (4.1.5).

    Parameters
    ----------
    z : (..., k, m) float64
    theta : float
        In [0, 1]; 1 looks at the units alone, 0 at what the next layer reads.

    Returns
    -------
    (..., m, m) float64

    References
    ----------
    Sørby (2019), (4.1.7), with the sign mended.
    """
    z = np.asarray(z, dtype=np.float64)
    if not 0 <= theta <= 1:
        raise DomainError(f"selection: expected θ in [0, 1], got {theta}")
    weight: Floats = theta * np.eye(z.shape[-1]) + (1 - theta) * (z.mT @ z)
    return weight
