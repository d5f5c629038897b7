"""Which units to keep: the greedy path of (4.1.7), over all units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.second_moment import RANK_TOLERANCE
from mini_exp.spectral.stacks import checked_second_moment, power_of_two, quotient

GAIN_TOLERANCE = 1e-8
"""A unit whose residual is below this share of its own second moment ranks as if it gained 0: the
picked units determine it but for a part in 10⁴, and gains lose digits with the square of Σ."""

TIE_TOLERANCE = 1e-12
"""Candidates whose 𝒞 lies this close to the best are tied: rounding must not break ties."""


def greedy_path(
    sigma: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    n_picks: int | None = None,
) -> tuple[Integers, Floats]:
    """Pick units one by one, each time the one with the largest information ratio 𝒞(J ∪ {j}).

    With the residual E = Σ − Σ_{·,J} Σ_{J,J}⁺ Σ_{J,·} and the weight M,
    𝒞(J) = 1 − tr(M E) / tr(M Σ), over all units.

    Parameters
    ----------
    sigma : (..., m, m) float64
        Second moments; symmetric, positive semi-definite, possibly singular.
    weight : (..., m, m) float64, optional
        M, symmetric and positive semi-definite; the identity when omitted.
    n_picks : int, optional
        How many units to pick, m by default. Paths are nested: fewer picks are a prefix of more.

    Returns
    -------
    index_path : (..., n_picks) int64
        Order of picking. Of tied candidates the lowest index is taken; a unit that is never active
        restores nothing and comes when no other is left.
    information_ratio : (..., n_picks) float64
        𝒞 after each pick, in [0, 1], non-decreasing; 1 where nothing is left to explain.

    Raises
    ------
    ShapeError, DomainError

    Notes
    -----
    A pivoted Cholesky factorisation Σ = LLᵀ + E grows by a column v = E_{·,j} / √E_{jj} per pick.
    Picking j lowers tr(M E) by gain_j = (E M E)_{jj} / E_{jj}; numerators and diag(E) follow
    each pick by an update in M v and E M v, so a pick costs O(m²), without an inverse. The ratio
    after a pick is exact to rounding; the updated gains only rank the candidates. A unit whose
    residual is below ``RANK_TOLERANCE``, such as a dead one, is never divided by.

    References
    ----------
    Sørby (2019), (4.1.7).

    Examples
    --------
    >>> index_path, ratio = greedy_path([[1.0, 0.0], [0.0, 3.0]])
    >>> index_path, ratio
    (array([1, 0]), array([0.75, 1.  ]))
    """
    s = checked_second_moment(sigma, "selection")
    if weight is not None and np.shape(weight) != s.shape:
        raise ShapeError(f"selection: expected a weight {s.shape}, got {np.shape(weight)}")
    m = s.shape[-1]
    n_picks = checked_picks(n_picks, m)
    leading = s.shape[:-2]
    s = s.reshape(-1, m, m)
    n_stack = len(s)

    # 𝒞 depends on the scale of neither Σ nor M; powers of two leave every digit as it is.
    s = s / power_of_two(s)
    full_weight = None if weight is None else np.asarray(weight, dtype=np.float64).reshape(s.shape)
    if full_weight is not None:
        full_weight = full_weight / power_of_two(full_weight)
    row_of = np.arange(n_stack)
    variance = np.diagonal(s, axis1=1, axis2=2).copy()
    weighted = s if full_weight is None else full_weight @ s  # M Σ
    total = np.trace(weighted, axis1=1, axis2=2)
    diagonal = variance.copy()  # of E
    numerator = np.einsum("rij,rij->rj", s, weighted)  # of the gains: diag(E M E)
    factor = np.zeros((n_stack, m, n_picks))  # L
    weighted_factor = np.zeros_like(factor)  # M L
    dead = variance == 0
    picked = np.zeros((n_stack, m), dtype=bool)
    explained = np.zeros(n_stack)  # of tr(M Σ)
    index_path = np.empty((n_stack, n_picks), dtype=np.int64)
    information_ratio = np.empty((n_stack, n_picks))

    for k in range(n_picks):
        known = diagonal > GAIN_TOLERANCE * variance
        gain = np.divide(numerator, diagonal, out=np.zeros_like(numerator), where=known)
        gain = np.maximum(gain, 0.0)
        ratio = quotient(explained[:, None] + gain, total[:, None])
        live_left = (~picked & ~dead).any(axis=1, keepdims=True)
        ratio[picked | (dead & live_left)] = -np.inf
        j = first_of_best(ratio)

        index_path[:, k] = j
        picked[row_of, j] = True
        pivot = diagonal[row_of, j]
        some = pivot > RANK_TOLERANCE * variance[row_of, j]
        root = np.sqrt(np.where(some, pivot, np.inf))[:, None]
        row = factor[row_of, j, :k, None]
        v = (s[row_of, :, j] - (factor[:, :, :k] @ row)[:, :, 0]) / root
        u = (weighted[row_of, :, j] - (weighted_factor[:, :, :k] @ row)[:, :, 0]) / root  # M v
        v_u = (v * u).sum(axis=1, keepdims=True)
        explained += v_u[:, 0]
        information_ratio[:, k] = quotient(explained, total)
        if k + 1 == n_picks:
            break

        past = factor[:, :, :k].mT @ u[:, :, None]
        e_u = (s @ u[:, :, None] - factor[:, :, :k] @ past)[:, :, 0]  # E M v
        numerator -= 2 * v * e_u - v**2 * v_u
        diagonal -= v**2
        factor[:, :, k], weighted_factor[:, :, k] = v, u
    shape = (*leading, n_picks)
    return index_path.reshape(shape), information_ratio.reshape(shape)


def checked_picks(n_picks: int | None, m: int) -> int:
    """The number of picks, m where none is given."""
    if n_picks is None:
        return m
    if not 1 <= n_picks <= m:
        raise DomainError(f"selection: expected 1 to {m} picks, got {n_picks}")
    return n_picks


def first_of_best(ratio: Floats) -> Integers:
    """Per row, the lowest index whose ratio is within ``TIE_TOLERANCE`` of the largest."""
    best: Integers = (ratio >= ratio.max(axis=1, keepdims=True) - TIE_TOLERANCE).argmax(axis=1)
    return best
