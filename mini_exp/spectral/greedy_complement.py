"""The published selection: (4.1.7) over the complement of J, with unit weight."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.greedy import checked_picks, first_of_best
from mini_exp.spectral.residual import GAIN_TOLERANCE
from mini_exp.spectral.second_moment import RANK_TOLERANCE
from mini_exp.spectral.stacks import checked_second_moment, power_of_two, quotient


def greedy_complement_path(
    sigma: npt.ArrayLike, n_picks: int | None = None
) -> tuple[Integers, Floats]:
    """Pick units one by one by 𝒞(J) = 1 − tr(E_{F,F}) / tr(Σ_{F,F}), F the units outside J.

    E = Σ − Σ_{·,J} Σ_{J,J}⁺ Σ_{J,·} is the residual.

    Parameters
    ----------
    sigma : (..., m, m) float64
        Second moments; symmetric, positive semi-definite, possibly singular.
    n_picks : int, optional
        How many units to pick, m by default. Paths are nested: fewer picks are a prefix of more.

    Returns
    -------
    index_path : (..., n_picks) int64
        Order of picking. Of tied candidates the lowest index is taken.
    information_ratio : (..., n_picks) float64
        𝒞 after each pick, in [0, 1]; 1 where nothing is left to explain.

    Raises
    ------
    ShapeError, DomainError

    Notes
    -----
    The factorisation of ``greedy_path``, but E itself is kept and sums run over the units left: as
    differences they would cancel, since units may differ by powers of ten. O(m²) a pick.

    References
    ----------
    Sørby (2019), (4.1.2)–(4.1.4) and (4.1.7), and the author's code.

    Examples
    --------
    >>> greedy_complement_path([[4.0, 2.0], [2.0, 1.0]], n_picks=1)
    (array([0]), array([1.]))
    """
    s = checked_second_moment(sigma, "selection")
    m = s.shape[-1]
    n_picks = checked_picks(n_picks, m)
    leading = s.shape[:-2]
    s = s.reshape(-1, m, m)
    s = s / power_of_two(s)  # 𝒞 does not depend on the scale, and no digit on a power of two
    row_of = np.arange(len(s))
    variance = np.diagonal(s, axis1=1, axis2=2).copy()
    nothing = RANK_TOLERANCE * variance.sum(axis=1, keepdims=True)
    diagonal = variance.copy()  # of E
    residual = s.copy()  # E
    restored = np.zeros_like(variance)  # of each unit's second moment: diag(Σ − E)
    factor = np.zeros((len(s), m, n_picks))
    picked = np.zeros(variance.shape, dtype=bool)
    index_path = np.empty((len(s), n_picks), dtype=np.int64)
    information_ratio = np.empty((len(s), n_picks))

    for k in range(n_picks):
        known = diagonal > GAIN_TOLERANCE * variance
        squares = np.where(np.eye(m, dtype=bool), 0.0, residual**2).sum(axis=1)
        gain = np.divide(squares, diagonal, out=np.zeros_like(squares), where=known)
        left = _sums_of_others(np.where(picked, 0.0, variance))
        ratio = quotient(_sums_of_others(np.where(picked, 0.0, restored)) + gain, left, nothing)
        ratio[picked] = -np.inf
        j = first_of_best(ratio)

        index_path[:, k] = j
        picked[row_of, j] = True
        pivot = diagonal[row_of, j]
        some = pivot > RANK_TOLERANCE * variance[row_of, j]
        root = np.sqrt(np.where(some, pivot, np.inf))[:, None]
        row = factor[row_of, j, :k, None]
        v = (s[row_of, :, j] - (factor[:, :, :k] @ row)[:, :, 0]) / root
        restored += v**2
        residual = residual - v[:, :, None] * v[:, None, :]
        residual[row_of, j, :] = residual[row_of, :, j] = 0.0
        diagonal -= v**2
        factor[:, :, k] = v
        information_ratio[:, k] = quotient(
            np.where(picked, 0.0, restored).sum(axis=1),
            np.where(picked, 0.0, variance).sum(axis=1),
            nothing[:, 0],
        )
    shape = (*leading, n_picks)
    return index_path.reshape(shape), information_ratio.reshape(shape)


def _sums_of_others(x: Floats) -> Floats:
    """Per entry of (R, m), the sum of the others in its row, without a difference."""
    before = np.cumsum(x, axis=1)[:, :-1]
    after = np.cumsum(x[:, ::-1], axis=1)[:, -2::-1]
    edge = np.zeros((len(x), 1))
    return np.hstack([edge, before]) + np.hstack([after, edge])
