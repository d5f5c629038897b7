"""What the next layer makes of the units: R_z and the weight θI + (1 − θ)R_z (4.1.4, 4.1.5)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

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
    largest, root, scale = _normalisation(lambda: [w])
    return _quotient(w, largest) * root, scale


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
    return _weight(z.mT @ z, theta)


def streamed_output_weight(
    blocks: Callable[[], Iterable[Floats]], theta: float
) -> tuple[Floats, Floats]:
    """``output_aware_weight`` of ``scaled_output_matrix``, of a W that is never held as a whole.

    Parameters
    ----------
    blocks : function
        Gives the rows of W, (..., k, m) float64 at a time. Called thrice.
    theta : float
        In [0, 1].

    Returns
    -------
    weight : (..., m, m) float64
    scale : (...) float64
        c.
    """
    largest, root, scale = _normalisation(blocks)
    scaled = (_quotient(block, largest) * root for block in blocks())
    gram = functools.reduce(np.add, (z.mT @ z for z in scaled))
    return _weight(gram, theta), scale


def _normalisation(blocks: Callable[[], Iterable[Floats]]) -> tuple[Floats, Floats, Floats]:
    """max |W| and the root of what makes the trace of its quotient m, (..., 1, 1), and c, (...)."""
    largest = functools.reduce(np.maximum, map(_largest, blocks()))
    trace: Any = 0.0  # of the normalised W: cannot overflow
    for block in blocks():
        m = block.shape[-1]
        trace = trace + (_quotient(block, largest) ** 2).sum(axis=(-2, -1), keepdims=True)
    root = np.sqrt(np.divide(m, trace, out=np.zeros_like(trace), where=trace > 0))
    factor = np.divide(root, largest, out=np.zeros_like(root), where=largest > 0)
    scale = np.minimum(factor, np.sqrt(np.finfo(np.float64).max)) ** 2  # of weights below 1e-154
    return largest, root, scale[..., 0, 0]


def _largest(block: Floats) -> Floats:
    largest: Floats = np.abs(block).max(axis=(-2, -1), keepdims=True, initial=0.0)
    return largest


def _quotient(block: Floats, largest: Floats) -> Floats:
    return np.divide(block, largest, out=np.zeros_like(block), where=largest > 0)


def _weight(gram: Floats, theta: float) -> Floats:
    if not 0 <= theta <= 1:
        raise DomainError(f"selection: expected θ in [0, 1], got {theta}")
    weight = (1 - theta) * gram
    np.einsum("...ii->...i", weight)[...] += theta
    return weight
