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
    Picking j makes v = E_{·,j} / √E_{jj} (a pivoted Cholesky factorisation) and
    w = E M v − ½ (vᵀM v) v, and then

        E ← E − v vᵀ,    E M E ← E M E − v wᵀ − w vᵀ.
    """

    def __init__(self, variance: Floats, numerator: Floats, total: Floats) -> None:
        self.variance, self.diagonal = variance.copy(), variance.copy()
        self.numerator, self.total = numerator.copy(), total
        self.explained = np.zeros_like(total)

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
        rows = np.arange(len(unit))
        pivot = self.diagonal[rows, unit]
        some = pivot > RANK_TOLERANCE * self.variance[rows, unit]
        v, w, gain = self._added(unit, np.sqrt(np.where(some, pivot, np.inf))[:, None])
        self.explained += gain
        self.numerator -= 2 * v * w
        self.diagonal -= v**2

    def _added(self, unit: Integers, root: Floats) -> tuple[Floats, Floats, Floats]:
        """v, w and vᵀM v, with √E_{jj} given."""
        raise NotImplementedError


class WholeResidual(Residual):
    """The residual by its matrices E, M E and E M E.

    Parameters
    ----------
    sigma : (R, m, m) float64
    weight : (R, m, m) float64 or None
        M; None for the identity.
    n_picks : int

    Notes
    -----
    A pick needs a column of each matrix alone. Within a block these come from the block's v, M v
    and w, O(m ``BLOCK``); after it the matrices are updated by products, O(m²) a pick at the speed
    of matrix products, without reading a whole matrix for one pick. 4 m³ before the first pick.
    """

    def __init__(self, sigma: Floats, weight: Floats | None, n_picks: int) -> None:
        n_stack, m, _ = sigma.shape
        self.e = sigma.copy()
        self.m_e = sigma.copy() if weight is None else weight @ sigma
        self.e_m_e = sigma @ self.m_e
        super().__init__(
            np.diagonal(sigma, axis1=1, axis2=2),
            np.diagonal(self.e_m_e, axis1=1, axis2=2),
            np.trace(self.m_e, axis1=1, axis2=2),
        )
        self._v, self._u, self._w = np.zeros((3, n_stack, m, min(BLOCK, n_picks)))
        self._n_pending = 0

    def _added(self, unit: Integers, root: Floats) -> tuple[Floats, Floats, Floats]:
        v, u, w, k = self._v, self._u, self._w, self._n_pending
        if k == v.shape[2]:
            self._update()
            k = 0
        rows = np.arange(len(unit))
        own_v, own_w = v[rows, unit, :k, None], w[rows, unit, :k, None]
        new_v = (self.e[rows, :, unit] - (v[:, :, :k] @ own_v)[:, :, 0]) / root
        new_u = (self.m_e[rows, :, unit] - (u[:, :, :k] @ own_v)[:, :, 0]) / root
        gain = (new_v * new_u).sum(axis=1, keepdims=True)
        past = v[:, :, :k] @ own_w + w[:, :, :k] @ own_v
        new_w = (self.e_m_e[rows, :, unit] - past[:, :, 0]) / root - gain / 2 * new_v
        v[:, :, k], u[:, :, k], w[:, :, k] = new_v, new_u, new_w
        self._n_pending = k + 1
        return new_v, new_w, gain[:, 0]

    def _update(self) -> None:
        v, u, w = self._v, self._u, self._w
        for first in range(0, v.shape[1], 4 * BLOCK):
            rows = slice(first, first + 4 * BLOCK)
            self.e[:, rows] -= v[:, rows] @ v.mT
            self.m_e[:, rows] -= u[:, rows] @ v.mT
            self.e_m_e[:, rows] -= v[:, rows] @ w.mT
            self.e_m_e[:, rows] -= w[:, rows] @ v.mT


class ThinResidual(Residual):
    """The residual of one Σ = LLᵀ of rank r by L, (m, r): E = L P Lᵀ with a projection P.

    Notes
    -----
    With an orthonormal basis Q of what is picked, P = I − QQᵀ and the next pick's direction
    q = P l_j / √E_{jj}, v = L q and E M v = L P (LᵀM L) q. O(m r) a pick, 2 m² r before the first.
    """

    def __init__(self, factor: Floats, weight: Floats | None, n_picks: int) -> None:
        self.factor = factor
        self.inner = factor.T @ (factor if weight is None else weight[0] @ factor)
        super().__init__(
            (factor**2).sum(axis=1)[None],
            ((factor @ self.inner) * factor).sum(axis=1)[None],
            np.trace(self.inner)[None],
        )
        self._q = np.zeros((factor.shape[1], min(factor.shape[1], n_picks)), order="F")
        self._n = 0

    def _added(self, unit: Integers, root: Floats) -> tuple[Floats, Floats, Floats]:
        if np.isinf(root[0, 0]):
            return np.zeros_like(self.variance), np.zeros_like(self.variance), np.zeros(1)
        direction = self._left(self._left(self.factor[unit[0]]))  # twice is enough
        q = direction / np.linalg.norm(direction)
        m_v = self.inner @ q
        v, e_m_v = (self.factor @ np.column_stack((q, self._left(m_v)))).T
        gain = q @ m_v
        self._q[:, self._n] = q
        self._n += 1
        return v[None], (e_m_v - gain / 2 * v)[None], gain[None]

    def _left(self, x: Floats) -> Floats:
        """P x."""
        q = self._q[:, : self._n]
        return x - q @ (x @ q)


def residual(sigma: Floats, weight: Floats | None, n_picks: int) -> Residual:
    """The residual of nothing picked; Σ and M, (R, m, m), are taken up to a power of two."""
    e = sigma / power_of_two(sigma)
    m = None if weight is None else weight / power_of_two(weight)
    factor = thin_factor(e[0]) if len(e) == 1 and e.shape[-1] > BLOCK else None
    return WholeResidual(e, m, n_picks) if factor is None else ThinResidual(factor, m, n_picks)


def thin_factor(sigma: Floats) -> Floats | None:
    """L, (m, r), with Σ = LLᵀ, if the rank r of Σ is less than a quarter of m; else None.

    Residuals below ``RANK_TOLERANCE`` of a unit's own second moment count as zero. O(m r²).

    Examples
    --------
    >>> thin_factor(np.full((5, 5), 4.0)).T
    array([[2., 2., 2., 2., 2.]])
    """
    scale = np.sqrt(np.diagonal(sigma))
    scale = np.where(scale > 0, scale, 1.0)
    correlation = sigma / scale[:, None]
    correlation /= scale
    lower, order, rank, _ = scipy.linalg.lapack.dpstrf(
        correlation.T, tol=RANK_TOLERANCE, lower=1, overwrite_a=1
    )
    if 4 * rank >= len(sigma):
        return None
    factor = np.zeros((len(sigma), rank))
    factor[order - 1] = np.tril(lower[:, :rank])
    return factor * scale[:, None]
