"""Mixing complexity of a finite hypothesis class, by its definition (1.4.5, 1.4.6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mini_exp.diagnostics.instruments.hypothesis_classes import Incidence
from mini_exp.errors import DomainError
from mini_exp.spectral import Floats

LARGEST = 18  # hypotheses or points, the fewer of the two, whose subsets are enumerated
SUBSETS_AT_ONCE = 4096


@dataclass(frozen=True)
class Mixing:
    """Bounds of the smallest real d of which the class is d-mixing, and of its complexity.

    Attributes
    ----------
    low, high : float
        Of d; equal where all subsets were seen.
    hypotheses, points : int
        |H| and |X|.
    """

    low: float
    high: float
    hypotheses: int
    points: int

    @property
    def complexity(self) -> tuple[float, float]:
        """Bounds of MC = √(|H| |X|) / d."""
        root = math.sqrt(self.hypotheses * self.points)
        return root / self.high, root / self.low


def smallest_mixing(incidence: Incidence) -> Mixing:
    """d = max over S ⊆ H, T ⊆ X of |e(S, T) − |S| |T| / 2| / √(|S| |T|), exactly.

    For each S and each |T| the best T holds the points with the largest, or the smallest, degrees
    into S; so only the subsets of one side are enumerated.

    Parameters
    ----------
    incidence : (|H|, |X|) bool
        The smaller side at most ``LARGEST``.

    Returns
    -------
    Mixing

    Raises
    ------
    DomainError

    Notes
    -----
    O(2^k n ln n) with k ≤ n the two sides. The definition asks for an integer d; the next integer
    changes no growth.

    References
    ----------
    Sørby (2019), definitions 1.4.5 and 1.4.6.

    Examples
    --------
    One hypothesis that is always 1: |1 · n − n / 2| / √n.

    >>> smallest_mixing(np.ones((1, 4), dtype=bool)).low
    1.0
    """
    small = incidence if incidence.shape[0] <= incidence.shape[1] else incidence.T
    k, n = small.shape
    if not 1 <= k <= LARGEST:
        raise DomainError(f"mixing: expected 1 … {LARGEST} hypotheses or points, got {k}")
    centred = small.astype(np.float64) - 0.5  # e(S, T) − |S| |T| / 2 is a sum of these
    best = 0.0
    for first in range(1, 2**k, SUBSETS_AT_ONCE):
        codes = np.arange(first, min(first + SUBSETS_AT_ONCE, 2**k))
        members = ((codes[:, None] >> np.arange(k)) & 1).astype(np.float64)
        degrees = np.sort(members @ centred, axis=1)
        sums = np.maximum(
            np.abs(np.cumsum(degrees, axis=1)), np.abs(np.cumsum(degrees[:, ::-1], axis=1))
        )
        weight = np.sqrt(members.sum(1)[:, None] * np.arange(1, n + 1))
        best = max(best, float((sums / weight).max()))
    return Mixing(best, best, *incidence.shape)


def mixing_bounds(incidence: Incidence) -> Mixing:
    """Bounds of the same d for a class of any size: one block from below, a norm from above.

    d ≤ ‖A − ½‖_op by the expander mixing lemma; the whole class and, of every hypothesis and every
    point, all of its points bound it from below, as do the corner blocks of A sorted by degrees.

    Parameters
    ----------
    incidence : (|H|, |X|) bool

    Returns
    -------
    Mixing

    Notes
    -----
    O(|H| |X| min(|H|, |X|)).

    Examples
    --------
    >>> from mini_exp.diagnostics.instruments.hypothesis_classes import parities
    >>> bounds = mixing_bounds(parities(4))
    >>> round(bounds.high, 12)
    2.0
    """
    centred = incidence.astype(np.float64) - 0.5
    high = float(np.linalg.norm(centred, 2))
    return Mixing(min(_corner_blocks(centred), high), high, *incidence.shape)


def _corner_blocks(centred: Floats) -> float:
    rows, columns = (np.argsort(-centred.sum(axis), kind="stable") for axis in (1, 0))
    best = 0.0
    for row_order in (rows, rows[::-1]):
        for column_order in (columns, columns[::-1]):
            ordered = centred[np.ix_(row_order, column_order)]
            sums = np.abs(ordered.cumsum(0).cumsum(1))
            sizes = np.sqrt(np.multiply.outer(*(np.arange(1, k + 1) for k in centred.shape)))
            best = max(best, float((sums / sizes).max()))
    return best
