"""What must be removed together and what must stay: constraints between labels, and their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mini_exp.spectral import Integers

Attention: TypeAlias = Literal["whole", "heads", "entries"]
"""What may be removed of attention: nothing, heads, or the same entries of all heads."""

CONSTANT = 0
"""The label of what has no channel: it is never removed."""


@dataclass(frozen=True)
class Units:
    """Labels that can only be removed together, and those that stay.

    Attributes
    ----------
    of_label : (n_labels,) int64
        The unit of every label.
    reasons : dict
        From a unit that stays to why it does.
    """

    of_label: Integers
    reasons: dict[int, str]


@dataclass
class Constraints:
    """Everything that a run on labels says of which labels may be removed.

    A *line* is a set of labels, a row of an integer array.
    """

    n_labels: int = 1
    ties: list[tuple[Integers, Integers]] = field(default_factory=list)
    parts: list[tuple[Integers, Integers]] = field(default_factory=list)
    stays: list[tuple[Integers, str]] = field(default_factory=list)
    mixings: list[tuple[Integers, str]] = field(default_factory=list)
    splits: list[tuple[str, Integers]] = field(default_factory=list)
    heads: list[Integers] = field(default_factory=list)
    readings: list[Integers] = field(default_factory=list)
    dots: list[Integers] = field(default_factory=list)
    scaled: list[Integers] = field(default_factory=list)
    biases: list[tuple[Integers, Integers]] = field(default_factory=list)
    norms: list[tuple[Integers, Integers, str]] = field(default_factory=list)

    def new_labels(self, n: int) -> Integers:
        """Labels that nothing has yet: (n,)."""
        first, self.n_labels = self.n_labels, self.n_labels + n
        return np.arange(first, self.n_labels)

    def tie(self, first: Integers, second: Integers) -> None:
        """Labels in the same place are removed together."""
        first, second = np.broadcast_arrays(first, second)
        pairs = np.unique(first.ravel() * self.n_labels + second.ravel())
        self.ties.append((pairs // self.n_labels, pairs % self.n_labels))

    def vanish_with(self, whole: Integers, lines: Integers) -> None:
        """A label vanishes when all labels of its line do, and not before: (n,), (n, k)."""
        self.parts.append((whole, lines))

    def stay(self, lines: Integers, reason: str) -> None:
        """Of every line something stays: (n, k)."""
        self.stays.append((lines, reason))

    def mix(self, lines: Integers, reason: str) -> None:
        """What is computed depends on all labels of a line together: (n, k)."""
        self.mixings.append((lines, reason))

    def normalise(self, lines: Integers, columns: Integers, reason: str) -> None:
        """The labels of a line are mixed by a norm with these weights: (n, m), (m,)."""
        self.norms.append((lines, columns, reason))

    def split(self, labels: Integers, place: str) -> None:
        """An axis was split in several: each part along all but one axis loses equally many."""
        self.splits.append((place, labels))

    def read(self, labels: Integers) -> None:
        """A weight sums over these labels, so that what they say can be restored from others."""
        self.readings.append(labels.ravel())

    def marked(self, several: list[Integers]) -> npt.NDArray[np.bool_]:
        """Which labels are among some: (n_labels,) bool."""
        marked = np.zeros(self.n_labels, dtype=bool)
        for labels in several:
            marked[labels] = True
        return marked

    def units(self, attention: Attention = "whole", residual: bool = False) -> Units:
        """The units that follow.

        Parameters
        ----------
        attention : {"whole", "heads", "entries"}
            Where an axis was split for attention, the parts (heads) are removed as a whole, or the
            same entries of all of them.
        residual : bool
            Where every line of a norm has the channels of its weights, it may be over fewer.

        Notes
        -----
        Ties first. A label that stands for a line is tied to it where the line lies within a unit,
        and stays otherwise. What mixes labels of several units lets them stay.
        """
        ties = list(self.ties)
        of_label = self._closed(ties)
        head = np.full(self.n_labels, -1)
        if attention == "heads":
            head = self._heads(of_label)
        for _, labels in self.splits:
            ties += _split_ties(labels, of_label[labels], head[of_label[labels]])
        if attention == "entries":
            ties += self._entry_ties()
        of_label = self._closed(ties)

        reasons: dict[int, str] = {}

        def let_stay(labels: Integers, reason: str) -> None:
            for unit in np.unique(of_label[labels]).tolist():
                reasons.setdefault(unit, reason)

        let_stay(np.array([CONSTANT]), "meets a tensor that has no channels")
        for first, second in ties:  # what meets a constant
            let_stay(second[first == CONSTANT], "meets a tensor that has no channels")
            let_stay(first[second == CONSTANT], "meets a tensor that has no channels")
        for whole, lines in self.parts:
            inside = _within(lines, of_label)
            let_stay(whole[~inside], "belongs to several units")
            let_stay(lines[inside & (whole == CONSTANT), 0], "meets a tensor that has no channels")
        for lines, reason in self.stays:
            let_stay(lines[_within(lines, of_label), 0], reason)
        mixings = list(self.mixings)
        if attention != "entries":
            mixings += [(lines, "attention with a scale by their number") for lines in self.scaled]
        for lines, columns, reason in self.norms:
            if not (residual and (of_label[lines] == of_label[columns]).all()):
                mixings.append((lines, reason))
        for lines, reason in mixings:
            let_stay(lines[~_within(lines, of_label)].ravel(), reason)
        return Units(of_label, reasons)

    def _closed(self, ties: list[tuple[Integers, Integers]]) -> Integers:
        """Units of the ties and of every line that lies within one; ties gain the latter."""
        while True:
            of_label = _components(self.n_labels, ties)
            more = []
            for whole, lines in self.parts:
                inside = _within(lines, of_label)
                new = inside & (whole != CONSTANT) & (of_label[whole] != of_label[lines[:, 0]])
                if new.any():
                    more.append((whole[new], lines[new, 0]))
            if not more:
                return of_label
            ties += more

    def attended(self) -> npt.NDArray[np.bool_]:
        """Labels of attention: of queries and keys, of their products, and of what these weigh."""
        attended = self.marked(self.heads + self.dots)
        for whole, lines in self.parts:
            if attended[whole].any():
                attended[lines] = True
        return attended

    def _entry_ties(self) -> list[tuple[Integers, Integers]]:
        """Queries, keys and values of a module whose heads have one size lose the same entries."""
        attended = self.attended()
        last: dict[tuple[str, int], Integers] = {}
        ties = []
        for place, labels in self.splits:
            if attended[labels].any():
                entries = labels.reshape(-1, labels.shape[-1])[0]
                other = last.setdefault((place, len(entries)), entries)
                ties.append((other, entries))
        return ties

    def _heads(self, of_label: Integers) -> Integers:
        """The head of every unit, the unit of its product; −1 where there is none: (n_labels,)."""
        attended = self.marked(self.heads)
        head = np.full(self.n_labels, -1)
        for whole, lines in self.parts:
            if attended[whole].any():
                head[of_label[lines]] = of_label[whole][:, None]
        return head


def _split_ties(
    labels: Integers, units: Integers, head: Integers
) -> list[tuple[Integers, Integers]]:
    """Ties along all axes of a split but the one that units are told apart by.

    It is the last one, or that of the heads.
    """
    varying = [axis for axis in range(units.ndim) if (np.diff(units, axis=axis) != 0).any()]
    if len(varying) < 2:
        return []
    own = next((axis for axis in varying if _numbers(head, axis)), varying[-1])
    moved = np.moveaxis(labels, own, -1).reshape(-1, labels.shape[own])
    return [(np.broadcast_to(moved[:1], moved.shape).ravel(), moved.ravel())]


def _numbers(head: Integers, axis: int) -> bool:
    """Whether all that there is at a place of an axis belongs to one head, of several."""
    moved = np.moveaxis(head, axis, -1).reshape(-1, head.shape[axis])
    lowest, highest = np.where(moved < 0, moved.max() + 1, moved).min(axis=0), moved.max(axis=0)
    return bool((highest >= 0).all() and (lowest == highest).all() and np.ptp(highest) > 0)


def _components(n: int, ties: list[tuple[Integers, Integers]]) -> Integers:
    """Connected sets of labels, a constant being none."""
    first = np.concatenate([np.zeros(0, np.int64), *(pair[0] for pair in ties)])
    second = np.concatenate([np.zeros(0, np.int64), *(pair[1] for pair in ties)])
    real = (first != CONSTANT) & (second != CONSTANT)
    edges = (np.ones(real.sum(), np.int8), (first[real], second[real]))
    return connected_components(coo_array(edges, shape=(n, n)), directed=False)[1].astype(np.int64)


def _within(lines: Integers, of_label: Integers) -> npt.NDArray[np.bool_]:
    """Which lines lie within one unit: (n,) bool."""
    units = of_label[lines]
    inside: npt.NDArray[np.bool_] = (units == units[:, :1]).all(axis=1) & (lines[:, 0] != CONSTANT)
    return inside
