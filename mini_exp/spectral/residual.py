"""What the picked units leave unexplained, followed pick by pick in blocks."""

from __future__ import annotations

import numpy as np
import scipy.linalg.lapack

from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.second_moment import RANK_TOLERANCE
from mini_exp.spectral.stacks import power_of_two

BLOCK = 64
"""Picks after which the matrices themselves are brought up to date, and rows done at a time in
units of it: a block of columns and rows stays in the cache."""

GAIN_TOLERANCE = 1e-8
"""A unit whose residual is below this share of its own second moment ranks as if it gained 0: the
picked units determine it but for a part in 10⁴, and gains lose digits with the square of Σ."""


class Residual:
    """E = Σ − Σ_{·,J} Σ_{J,J}⁺ Σ_{J,·} and the gains of all units, for a growing J.

    Parameters
    ----------
    sigma : (R, m, m) float64
    weight : (R, m, m) float64 or None
        M; None for the identity. Σ and M are taken up to a power of two.

    Attributes
    ----------
    variance, diagonal : (R, m)
        Of Σ and of E.
    numerator : (R, m)
        diag(E M E): picking j lowers tr(M E) by (E M E)_{jj} / E_{jj}.
    total, explained : (R,)
        tr(M Σ), and what the picks have taken off it: exact to rounding, whereas the gains, which
        are updated, only rank the candidates.

    Notes
    -----
    Picking j makes v = E_{·,j} / √E_{jj} (a pivoted Cholesky factorisation), u = M v and
    w = E M v − ½ (vᵀu) v, and then

        E ← E − v vᵀ,    M E ← M E − u vᵀ,    E M E ← E M E − v wᵀ − w vᵀ.

    A pick needs a column of each matrix alone. Within a block these come from the block's v, u and
    w, O(m ``BLOCK``); after it the matrices are updated by products, O(m²) a pick at the speed of
    matrix products, without reading a whole matrix for one pick. 4 m³ before the first pick, or
    O(m² r) where the rank r is low.
    """

    def __init__(self, sigma: Floats, weight: Floats | None, n_picks: int) -> None:
        n_stack, m, _ = sigma.shape
        self.e = sigma / power_of_two(sigma)
        self.variance = np.diagonal(self.e, axis1=1, axis2=2).copy()
        self.diagonal = self.variance.copy()
        self.m_e, self.e_m_e = _products(
            self.e, None if weight is None else weight / power_of_two(weight)
        )
        self.numerator = np.diagonal(self.e_m_e, axis1=1, axis2=2).copy()
        self.total = np.trace(self.m_e, axis1=1, axis2=2)
        self.explained = np.zeros(n_stack)
        self._v, self._u, self._w = np.zeros((3, n_stack, m, min(BLOCK, n_picks)))
        self._n_pending = 0

    @property
    def gains(self) -> Floats:
        """By how much each unit would lower tr(M E): (R, m)."""
        known = self.diagonal > GAIN_TOLERANCE * self.variance
        gains = np.divide(
            self.numerator, self.diagonal, out=np.zeros_like(self.numerator), where=known
        )
        return np.maximum(gains, 0.0)

    @property
    def is_nothing(self) -> bool:
        """Whether the picks determine all units, or rounding alone is left of them and of M E."""
        determined = ~(self.diagonal > RANK_TOLERANCE * self.variance).any(axis=1)
        unranked = ~(self.diagonal > GAIN_TOLERANCE * self.variance).any(axis=1)
        rounding = self.variance.shape[1] * np.finfo(np.float64).eps * self.total
        explained = self.total - self.explained <= rounding
        return bool((determined | (unranked & explained)).all())

    def pick(self, unit: Integers) -> None:
        """Add a unit per item of the stack, (R,), to J; one that is determined changes nothing."""
        v, u, w, k = self._v, self._u, self._w, self._n_pending
        if k == v.shape[2]:
            self._update()
            k = 0
        rows = np.arange(len(unit))
        pivot = self.diagonal[rows, unit]
        some = pivot > RANK_TOLERANCE * self.variance[rows, unit]
        root = np.sqrt(np.where(some, pivot, np.inf))[:, None]
        own_v, own_w = v[rows, unit, :k, None], w[rows, unit, :k, None]
        new_v = (self.e[rows, :, unit] - (v[:, :, :k] @ own_v)[:, :, 0]) / root
        new_u = (self.m_e[rows, :, unit] - (u[:, :, :k] @ own_v)[:, :, 0]) / root
        gain = (new_v * new_u).sum(axis=1, keepdims=True)
        past = v[:, :, :k] @ own_w + w[:, :, :k] @ own_v
        new_w = (self.e_m_e[rows, :, unit] - past[:, :, 0]) / root - gain / 2 * new_v
        self.explained += gain[:, 0]
        self.numerator -= 2 * new_v * new_w
        self.diagonal -= new_v**2
        v[:, :, k], u[:, :, k], w[:, :, k] = new_v, new_u, new_w
        self._n_pending = k + 1

    def _update(self) -> None:
        v, u, w = self._v, self._u, self._w
        for first in range(0, v.shape[1], 4 * BLOCK):
            rows = slice(first, first + 4 * BLOCK)
            self.e[:, rows] -= v[:, rows] @ v.mT
            self.m_e[:, rows] -= u[:, rows] @ v.mT
            self.e_m_e[:, rows] -= v[:, rows] @ w.mT
            self.e_m_e[:, rows] -= w[:, rows] @ v.mT


def _products(sigma: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
    """M Σ and Σ M Σ, through the factor of a single wide Σ whose rank is low."""
    factor = thin_factor(sigma[0]) if len(sigma) == 1 and sigma.shape[-1] > BLOCK else None
    if factor is None:
        m_sigma = sigma.copy() if weight is None else weight @ sigma
        return m_sigma, sigma @ m_sigma
    m_factor = factor[None] if weight is None else weight @ factor
    return m_factor @ factor.mT, factor @ (factor.mT @ m_factor) @ factor.mT


def thin_factor(sigma: Floats) -> Floats | None:
    """L, (m, r), with Σ = LLᵀ, if the rank r of Σ is less than half of m; else None.

    Residuals below ``RANK_TOLERANCE`` of a unit's own second moment count as zero. O(m r²).

    Examples
    --------
    >>> thin_factor(np.array([[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    array([[2.],
           [1.],
           [0.]])
    """
    scale = np.sqrt(np.diagonal(sigma))
    scale = np.where(scale > 0, scale, 1.0)
    correlation = sigma / scale[:, None]
    correlation /= scale
    lower, order, rank, _ = scipy.linalg.lapack.dpstrf(
        correlation.T, tol=RANK_TOLERANCE, lower=1, overwrite_a=1
    )
    if 2 * rank >= len(sigma):
        return None
    factor = np.zeros((len(sigma), rank))
    factor[order - 1] = np.tril(lower[:, :rank])
    return factor * scale[:, None]
