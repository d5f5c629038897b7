"""Which units to keep: the greedy path of (4.1.7), over all units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.residual import residual
from mini_exp.spectral.stacks import checked_second_moment, quotient

TIE_TOLERANCE = 1e-12
"""Candidates whose 𝒞 lies this close to the best are tied: rounding must not break ties."""


def greedy_path(
    sigma: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    n_picks: int | None = None,
    information: float | None = None,
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
    information : float, optional
        Stop once 𝒞 is at least this, in every item of a stack.

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
    The gains 𝒞(J ∪ {j}) − 𝒞(J) of all units follow each pick by an update (see ``Residual``), so
    that a pick costs O(m²), mostly in matrix products, and all of them O(m³); where Σ has a low
    rank r, O(m² r), since units that the picked ones determine are not told apart. The ratio after
    a pick is exact to rounding; the updated gains only rank the candidates. A unit whose residual
    is below ``RANK_TOLERANCE``, such as a dead one, is never divided by.

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
    w = None if weight is None else np.asarray(weight, dtype=np.float64).reshape(s.shape)
    left = residual(s, w, n_picks)  # 𝒞 depends on the scale of neither Σ nor M
    dead = left.variance == 0
    picked = np.zeros(dead.shape, dtype=bool)
    index_path = np.empty((len(s), n_picks), dtype=np.int64)
    information_ratio = np.empty((len(s), n_picks))
    for k in range(n_picks):
        if left.is_nothing:
            rest = np.argsort(np.where(picked, 2, dead), axis=1, kind="stable")
            index_path[:, k:] = rest[:, : n_picks - k]
            information_ratio[:, k:] = quotient(left.explained, left.total)[:, None]
            break
        ratio = quotient(left.explained[:, None] + left.gains, left.total[:, None])
        live_left = (~picked & ~dead).any(axis=1, keepdims=True)
        ratio[picked | (dead & live_left)] = -np.inf
        j = first_of_best(ratio)
        left.pick(j)
        picked[np.arange(len(s)), j] = True
        index_path[:, k] = j
        information_ratio[:, k] = quotient(left.explained, left.total)
        if information is not None and (information_ratio[:, k] >= information).all():
            index_path, information_ratio = index_path[:, : k + 1], information_ratio[:, : k + 1]
            break
    shape = (*leading, index_path.shape[1])
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
