"""Units of removable labels against the definition of every constraint, tried out."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mini_exp.pruning.constraints import CONSTANT, Constraints

MOST_LABELS = 8


@dataclass
class Problem:
    """Constraints as plain lists; label 0 is the constant."""

    n: int
    ties: list = field(default_factory=list)
    parts: list = field(default_factory=list)
    stays: list = field(default_factory=list)
    mixings: list = field(default_factory=list)

    def valid(self, removed):
        """Whether exactly these labels may be removed, by the definition of every constraint."""
        return (
            CONSTANT not in removed
            and all((a in removed) == (b in removed) for a, b in self.ties)
            and all((whole in removed) == (set(line) <= removed) for whole, line in self.parts)
            and not any(set(line) <= removed for line in self.stays)
            and all(not set(line) & removed or set(line) <= removed for line in self.mixings)
        )

    def units(self):
        """The finest sets that ties, and wholes of lines within one, close; label by label."""
        sets = [{label} for label in range(self.n)]

        def merge(a, b):
            first, second = (next(one for one in sets if x in one) for x in (a, b))
            if first is not second:
                sets.remove(second)
                first |= second
                return True
            return False

        for a, b in self.ties:
            if CONSTANT not in (a, b):
                merge(a, b)
        changed = True
        while changed:
            changed = False
            for whole, line in self.parts:
                own = next(one for one in sets if line[0] in one)
                if whole != CONSTANT and CONSTANT not in line and set(line) <= own:
                    changed |= merge(line[0], whole)
        return {frozenset(one) for one in sets}

    def solved(self):
        constraints = Constraints()
        constraints.new_labels(self.n - 1)
        for a, b in self.ties:
            constraints.tie(np.array([a]), np.array([b]))
        for whole, line in self.parts:
            constraints.vanish_with(np.array([whole]), np.array([line]))
        for line in self.stays:
            constraints.stay(np.array([line]), "something stays")
        for line in self.mixings:
            constraints.mix(np.array([line]), "mixed")
        return constraints.units()


@st.composite
def problems(draw):
    n = draw(st.integers(2, MOST_LABELS + 1))
    label = st.integers(0, n - 1)
    line = st.lists(label, min_size=1, max_size=3, unique=True)
    kinds = (st.tuples(label, label), st.tuples(label, line), line, line)
    return Problem(n, *(draw(st.lists(kind, max_size=3)) for kind in kinds))


def sets_of(units):
    sets = {}
    for label, unit in enumerate(units.of_label.tolist()):
        sets.setdefault(unit, set()).add(label)
    return sets


@given(problems())
@settings(max_examples=400, deadline=None)
def test_units_are_the_finest_that_ties_and_lines_close(problem):
    units = problem.solved()
    assert {frozenset(one) for one in sets_of(units).values()} == problem.units()


@given(problems())
@settings(max_examples=400, deadline=None)
def test_a_unit_stays_where_it_may_not_be_removed_and_only_there(problem):
    units = problem.solved()
    for unit, labels in sets_of(units).items():
        assert problem.valid(labels) == (unit not in units.reasons)


@given(problems())
@settings(max_examples=200, deadline=None)
def test_several_units_may_go_together_while_every_line_keeps_something(problem):
    """Of a group a channel always stays; what a whole stands for is then not removed either."""
    units = problem.solved()
    sets = sets_of(units)
    free = [unit for unit in sets if unit not in units.reasons]
    lines = [set(line) for _, line in problem.parts] + [set(line) for line in problem.stays]
    for chosen in range(2 ** len(free)):
        removed = set().union(*(sets[unit] for i, unit in enumerate(free) if chosen >> i & 1))
        spread = [line for line in lines if not any(line <= one for one in sets.values())]
        if not any(line <= removed for line in spread):
            assert problem.valid(removed)


def units_of(splits=(), ties=(), n=12, attention="whole", **others):
    constraints = Constraints()
    constraints.new_labels(n)
    for first, second in ties:
        constraints.tie(np.array(first), np.array(second))
    for labels in splits:
        constraints.split(np.array(labels), "here")
    for name, values in others.items():
        getattr(constraints, name).extend(values)
    return constraints.units(attention)


def together(units, *labels):
    return len({int(units.of_label[label]) for label in labels}) == 1


def test_equal_parts_lose_the_labels_in_the_same_places():
    units = units_of(splits=[[[1, 2, 3], [4, 5, 6]]])
    assert together(units, 1, 4)
    assert together(units, 2, 5)
    assert not together(units, 1, 2)


def test_of_three_axes_the_last_tells_units_apart():
    units = units_of(splits=[np.arange(1, 13).reshape(2, 3, 2).tolist()])
    assert together(units, 1, 3, 5, 7, 9, 11)
    assert together(units, 2, 4, 6, 8, 10, 12)
    assert not together(units, 1, 2)


def test_parts_whose_labels_go_together_are_told_apart_as_a_whole():
    units = units_of(splits=[[[1, 2], [3, 4]]], ties=[([1, 3], [2, 4])])
    assert together(units, 1, 2)
    assert together(units, 3, 4)
    assert not together(units, 1, 3)


def test_a_split_of_a_single_part_ties_nothing():
    units = units_of(splits=[[[1, 2, 3]], [[4], [5]]])
    assert len(set(units.of_label[1:6].tolist())) == 5


def heads():
    """Two heads of three entries: 1 2 3 and 4 5 6, whose products are 7 and 8."""
    parts = [(np.array([7, 8]), np.array([[1, 2, 3], [4, 5, 6]]))]
    return {"parts": parts, "heads": [np.array([7, 8])], "splits": [[[1, 2, 3], [4, 5, 6]]]}


def test_heads_are_removed_as_a_whole_where_that_is_wanted():
    units = units_of(attention="heads", **heads())
    assert together(units, 1, 2, 3, 7)
    assert together(units, 4, 5, 6, 8)
    assert not together(units, 1, 4)
    assert units.reasons.keys() == {int(units.of_label[CONSTANT])}


def test_otherwise_their_entries_are():
    units = units_of(**heads())
    assert together(units, 1, 4)
    assert not together(units, 1, 2)
    assert units.reasons[int(units.of_label[7])] == "belongs to several units"


def test_the_first_reason_is_the_one_that_is_given():
    constraints = Constraints()
    constraints.new_labels(2)
    constraints.stay(np.array([[1]]), "first")
    constraints.mix(np.array([[1, 2]]), "second")
    units = constraints.units()
    assert [units.reasons[int(units.of_label[label])] for label in (1, 2)] == ["first", "second"]


@pytest.mark.parametrize("n", [1, 50_000])
def test_wide_axes_take_one_tie(n):
    constraints = Constraints()
    first, second = constraints.new_labels(n), constraints.new_labels(n)
    constraints.tie(np.broadcast_to(first, (7, n)), second)
    ((one, other),) = constraints.ties
    assert (len(one), len(other)) == (n, n)
    units = constraints.units()
    assert (units.of_label[first] == units.of_label[second]).all()
