"""VC dimension by enumeration, and the samples that a learner needs for it (1.4.2–1.4.4, 1.1)."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from mini_exp.diagnostics.instruments.hypothesis_classes import Incidence
from mini_exp.errors import DomainError


def vc_dimension(incidence: Incidence) -> int:
    """The size of the largest set of points on which the class shows all 2^n patterns.

    Parameters
    ----------
    incidence : (|H|, |X|) bool
        |H| ≥ 1.

    Returns
    -------
    int
        At most log₂ |H|.

    Notes
    -----
    O(|X|^d |H|): for classes of a few dozen points.

    References
    ----------
    Sørby (2019), definitions 1.4.2–1.4.4.

    Examples
    --------
    >>> from mini_exp.diagnostics.instruments.hypothesis_classes import intervals, thresholds
    >>> vc_dimension(thresholds(5)), vc_dimension(intervals(5))
    (1, 2)
    """
    hypotheses: int = incidence.shape[0]
    points: int = incidence.shape[1]
    # Every subset of a shattered set is shattered: the first size without one ends the search.
    largest = min(points, int(math.log2(hypotheses)))
    for size in range(1, largest + 1):
        if not any(_shatters(incidence[:, chosen]) for chosen in combinations(range(points), size)):
            return size - 1
    return largest


def _shatters(patterns: Incidence) -> bool:
    codes = patterns @ (1 << np.arange(patterns.shape[1]))
    return bool(len(np.unique(codes)) == 2 ** patterns.shape[1])


def expected_loss(dimension: int, samples: int) -> float:
    """½ (1 − 1/d)^m: of any learner that fits its m samples, on d shattered points.

    Uniform distribution on the points, every labelling as likely: a point not seen is guessed.

    Examples
    --------
    >>> expected_loss(2, 1)
    0.25
    """
    return 0.5 * (1 - 1 / dimension) ** samples


def samples_needed(dimension: int, loss: float) -> int:
    """The fewest samples with which that expected loss is at most ``loss``.

    Parameters
    ----------
    dimension : int
        d ≥ 1.
    loss : float
        In (0, ½).

    Returns
    -------
    int
        Grows like d ln(1 / (2 loss)): with a *larger* VC dimension more samples are needed.

    Raises
    ------
    DomainError

    References
    ----------
    Sørby (2019), theorem 1.1, whose bounds grow with d, and the sentence after it, which concludes
    that "we would want the VC-dimension to be big".

    Examples
    --------
    >>> [samples_needed(d, 0.1) for d in (1, 2, 4, 8)]
    [1, 3, 6, 13]
    """
    if dimension < 1 or not 0 < loss < 0.5:
        raise DomainError(
            f"samples needed: expected d ≥ 1 and a loss in (0, ½), got {dimension}, {loss}"
        )
    if dimension == 1:
        return 1
    return math.ceil(math.log(2 * loss) / math.log(1 - 1 / dimension))
