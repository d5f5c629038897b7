"""Finite hypothesis classes as incidence matrices: entry (h, x) is h(x) (section 1.4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError

Incidence = npt.NDArray[np.bool_]
"""(|H|, |X|) bool: the bipartite graph of hypotheses and examples."""


def thresholds(n: int) -> Incidence:
    """h_b(x) = 1 ⇔ x < b on n points: n + 1 hypotheses, as text 000 has it in section 1.4.

    Examples
    --------
    >>> thresholds(2).astype(int).tolist()
    [[0, 0], [1, 0], [1, 1]]
    """
    _refuse_none(n)
    return np.arange(n)[None, :] < np.arange(n + 1)[:, None]


def intervals(n: int) -> Incidence:
    """h(x) = 1 ⇔ a ≤ x < b on n points: n (n + 1) / 2 hypotheses that are not empty, and one.

    Examples
    --------
    >>> intervals(2).astype(int).tolist()
    [[0, 0], [1, 0], [1, 1], [0, 1]]
    """
    _refuse_none(n)
    x = np.arange(n)
    pairs = [(0, 0), *((a, b) for a in range(n) for b in range(a + 1, n + 1))]
    return np.array([(a <= x) & (x < b) for a, b in pairs])


def singletons(n: int) -> Incidence:
    """h_a(x) = 1 ⇔ x = a: n hypotheses on n points.

    Examples
    --------
    >>> singletons(2).astype(int).tolist()
    [[1, 0], [0, 1]]
    """
    _refuse_none(n)
    return np.eye(n, dtype=bool)


def parities(bits: int) -> Incidence:
    """h_s(x) = ⟨s, x⟩ mod 2 on {0, 1}^bits: 2^bits hypotheses on as many points.

    Examples
    --------
    >>> parities(1).astype(int).tolist()
    [[0, 0], [0, 1]]
    """
    _refuse_none(bits)
    points = (np.arange(2**bits)[:, None] >> np.arange(bits)) & 1
    return np.asarray((points @ points.T) % 2 == 1)


def _refuse_none(n: int) -> None:
    if n < 1:
        raise DomainError(f"hypothesis class: expected at least 1 point or bit, got {n}")
