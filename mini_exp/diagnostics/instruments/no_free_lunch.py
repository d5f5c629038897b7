"""The no free lunch theorem by enumeration (3.1): all functions, all samples, all learners."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats

LARGEST = 3  # m: 64 functions on 6 points, 216 sequences of 3

Learner: TypeAlias = Callable[[tuple[int, ...], tuple[int, ...], int], npt.NDArray[np.int64]]
"""From the points of a training sequence, their labels and |C| to predictions (|C|,)."""


def loss_table(learner: Learner, m: int) -> Floats:
    """L_{D_i}(A(T)) of every function i on C, |C| = 2m, and every sequence of m points of C.

    Parameters
    ----------
    learner : callable
        As ``Learner``.
    m : int
        1 … ``LARGEST``.

    Returns
    -------
    (2^{2m}, (2m)^m) float64
        Row means are the expectations of (3.1.5).

    Raises
    ------
    DomainError

    References
    ----------
    Sørby (2019), theorem 3.1 and (3.1.1)–(3.1.7).

    Examples
    --------
    Whatever the learner, the mean over all functions is ½ (1 − 1/(2m))^m, which is ¼ for m = 1.

    >>> float(loss_table(zeros_elsewhere, 1).mean()), least_worst_loss(1)
    (0.25, 0.25)
    """
    if not 1 <= m <= LARGEST:
        raise DomainError(f"no free lunch: expected m in 1 … {LARGEST}, got {m}")
    size = 2 * m
    functions = np.array(list(product((0, 1), repeat=size)))
    sequences = list(product(range(size), repeat=m))
    table = np.empty((len(functions), len(sequences)))
    for i, function in enumerate(functions):
        for j, points in enumerate(sequences):
            labels = tuple(int(function[x]) for x in points)
            table[i, j] = (learner(points, labels, size) != function).mean()
    return table


def least_worst_loss(m: int) -> float:
    """½ (1 − 1/(2m))^m: the mean over all functions of a learner that keeps what it saw.

    No learner's worst function has less; the theorem's ¼ is its value at m = 1, its limit is
    1/(2√e) = 0.303.

    Examples
    --------
    >>> [round(least_worst_loss(m), 4) for m in (1, 2, 3)]
    [0.25, 0.2812, 0.2894]
    """
    return float(0.5 * (1 - 1 / (2 * m)) ** m)


def best_of_all_learners() -> float:
    """min over all 4⁴ deterministic learners for m = 1 of their worst function's expected loss.

    Examples
    --------
    >>> best_of_all_learners()
    0.25
    """
    answers = np.array(list(product((0, 1), repeat=2)))
    worst = []
    for rule in product(range(4), repeat=4):  # an answer for each point and each label

        def learner(
            points: tuple[int, ...],
            labels: tuple[int, ...],
            size: int,
            rule: tuple[int, ...] = rule,
        ) -> npt.NDArray[np.int64]:
            return np.asarray(answers[rule[2 * points[0] + labels[0]]])

        worst.append(loss_table(learner, 1).mean(1).max())
    return float(min(worst))


def zeros_elsewhere(
    points: tuple[int, ...], labels: tuple[int, ...], size: int
) -> npt.NDArray[np.int64]:
    """Keeps what it saw, answers 0 elsewhere."""
    return _kept(points, labels, np.zeros(size, dtype=np.int64))


def majority_elsewhere(
    points: tuple[int, ...], labels: tuple[int, ...], size: int
) -> npt.NDArray[np.int64]:
    """Keeps what it saw, answers the more frequent label elsewhere."""
    return _kept(points, labels, np.full(size, int(2 * sum(labels) > len(labels))))


def nearest_neighbour(
    points: tuple[int, ...], labels: tuple[int, ...], size: int
) -> npt.NDArray[np.int64]:
    """The label of the nearest point seen, the earlier of two."""
    distance = np.abs(np.arange(size)[:, None] - np.array(points))
    return np.asarray(np.array(labels)[distance.argmin(axis=1)])


def _kept(
    points: tuple[int, ...], labels: tuple[int, ...], answers: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    answers[list(points)] = labels
    return answers
