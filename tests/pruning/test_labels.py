"""Factors of tensors, and what meets them."""

import numpy as np
import pytest
import torch

from mini_exp.pruning.constraints import CONSTANT, Constraints
from mini_exp.pruning.labels import (
    Operand,
    axes_of,
    compressed,
    joined,
    lines_along,
    meet,
    nontrivial,
    read,
    reduced,
    stay_along,
)


@pytest.fixture
def constraints():
    return Constraints()


def operand(constraints, shape, *axes):
    """A tensor whose factors are new labels along each of some axes."""
    factors = []
    for axis in axes:
        several = (axis,) if isinstance(axis, int) else axis
        size = [n if i in several else 1 for i, n in enumerate(shape)]
        labels = constraints.new_labels(int(np.prod(size)))
        factors.append(torch.from_numpy(labels).reshape(size))
    return Operand(tuple(factors), shape)


def flat(factor):
    return factor.ravel().tolist()


def removable(constraints):
    """Sets of labels that may go, and the reasons of the others by label."""
    units = constraints.units()
    sets, reasons = {}, {}
    for label, unit in enumerate(units.of_label.tolist()):
        if unit in units.reasons:
            reasons[label] = units.reasons[unit]
        else:
            sets.setdefault(unit, []).append(label)
    return sorted(sets.values()), reasons


def test_an_axis_on_which_labels_do_not_depend_has_size_1():
    labels = torch.arange(3).reshape(1, 3, 1).expand(4, 3, 5)
    assert compressed(labels).shape == (1, 3, 1)
    assert compressed(labels.contiguous()).shape == (1, 3, 1)
    assert compressed(torch.arange(6).reshape(2, 3)).shape == (2, 3)


def test_a_factor_without_an_axis_is_none():
    several = (torch.zeros(1, 1), torch.arange(2).reshape(1, 2))
    assert nontrivial(several) == several[1:]
    assert axes_of(several[1]) == (1,)


def test_lines_along_some_axes():
    factor = torch.arange(12).reshape(2, 1, 3, 2)
    lines, shape = lines_along(factor, [0, 2])
    assert lines.tolist() == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    assert shape == (1, 1, 1, 2)


def test_labels_that_meet_are_tied(constraints):
    a, b = operand(constraints, (2, 3), 1), operand(constraints, (2, 3), 1)
    (factor,) = joined(constraints, [a, b], "")
    assert flat(factor) == [1, 2, 3]
    assert removable(constraints)[0] == [[1, 4], [2, 5], [3, 6]]


def test_labels_along_other_axes_are_both_kept(constraints):
    a, b = operand(constraints, (2, 1), 0), operand(constraints, (3,), 0)
    factors = joined(constraints, [a, b], "meets no channels")
    assert [tuple(factor.shape) for factor in factors] == [(2, 1), (1, 3)]
    assert len(removable(constraints)[0]) == 5


def test_what_meets_a_constant_stays(constraints):
    a = operand(constraints, (2, 3), 1)
    constant = Operand((), (2, 3))
    assert joined(constraints, [a, constant], "meets no channels") == ()
    assert removable(constraints)[1] == {
        CONSTANT: "meets a tensor that has no channels",
        **dict.fromkeys([1, 2, 3], "meets no channels"),
    }


def test_a_constant_of_one_element_meets_nothing(constraints):
    a = operand(constraints, (2, 3), 1)
    (factor,) = joined(constraints, [a, Operand((), (1, 1))], "")
    assert flat(factor) == [1, 2, 3]
    assert len(removable(constraints)[0]) == 3


def test_a_label_for_a_row_vanishes_with_the_row(constraints):
    """Squeeze-and-excitation of parts: one scale for the two entries of every channel."""
    whole, parts = operand(constraints, (3, 1), 0), operand(constraints, (3, 2), (0, 1))
    constraints.tie(np.array([4, 6, 8]), np.array([5, 7, 9]))
    (factor,) = joined(constraints, [whole, parts], "")
    assert factor.shape == (3, 2)
    assert removable(constraints)[0] == [[1, 4, 5], [2, 6, 7], [3, 8, 9]]


def test_a_label_for_a_row_of_several_units_stays(constraints):
    whole, parts = operand(constraints, (2, 1), 0), operand(constraints, (2, 2), (0, 1))
    joined(constraints, [whole, parts], "")
    sets, reasons = removable(constraints)
    assert sets == [[3], [4], [5], [6]]
    assert reasons[1] == reasons[2] == "belongs to several units"


def test_factors_that_share_some_axes_only_stay(constraints):
    a, b = operand(constraints, (2, 3, 1), (0, 1)), operand(constraints, (1, 3, 2), (1, 2))
    joined(constraints, [a, b], "across")
    sets, reasons = removable(constraints)
    assert sets == []
    assert set(reasons.values()) == {"across", "meets a tensor that has no channels"}


def test_labels_of_padding_take_the_other_s_place(constraints):
    a = operand(constraints, (4,), 0)
    padded = Operand((torch.tensor([CONSTANT, 2, 3, CONSTANT]),), (4,))
    (factor,) = joined(constraints, [padded, a], "")
    assert flat(factor) == [1, 2, 3, 4]
    assert removable(constraints)[0] == [[2], [3]]


def test_what_a_weight_meets_is_tied_to_it(constraints):
    x, weight = operand(constraints, (5, 3), 1), operand(constraints, (3,), 0)
    assert meet(constraints, x, 1, weight.factors[0], "") == ()
    assert removable(constraints)[0] == [[1, 4], [2, 5], [3, 6]]


def test_what_a_weight_does_not_meet_is_left(constraints):
    x, weight = operand(constraints, (2, 3), 0, 1), operand(constraints, (3,), 0)
    (left,) = meet(constraints, x, 1, weight.factors[0], "")
    assert flat(left) == [1, 2]


def test_a_weight_that_reads_what_has_no_channels_keeps_its_columns(constraints):
    weight = operand(constraints, (3,), 0)
    read(constraints, Operand((), (5, 3)), 1, weight.factors[0], "reads the input")
    assert removable(constraints)[1] == {
        CONSTANT: "meets a tensor that has no channels",
        **dict.fromkeys([1, 2, 3], "reads the input"),
    }
    assert constraints.readings[0].tolist() == [1, 2, 3]


def test_what_is_read_by_no_labels_stays(constraints):
    x = operand(constraints, (5, 3), 1)
    meet(constraints, x, 1, None, "a computed weight")
    assert set(removable(constraints)[1].values()) >= {"a computed weight"}


def test_a_line_of_one_unit_gives_a_label_that_goes_with_it(constraints):
    x = operand(constraints, (3, 2), (0, 1))
    constraints.tie(np.array([1, 3, 5]), np.array([2, 4, 6]))
    left = reduced(constraints, x.factors[0], [1], "mixed")
    assert left.shape == (3, 1)
    assert removable(constraints)[0] == [[1, 2, 7], [3, 4, 8], [5, 6, 9]]


def test_a_line_of_several_units_is_mixed(constraints):
    x = operand(constraints, (3, 2), (0, 1))
    reduced(constraints, x.factors[0], [1], "mixed")
    sets, reasons = removable(constraints)
    assert sets == []
    assert {reasons[label] for label in range(1, 7)} == {"mixed"}


def test_a_product_of_two_activations_may_lose_units(constraints):
    x = operand(constraints, (2, 3), (0, 1))
    left = reduced(constraints, x.factors[0], [1], None)
    sets, reasons = removable(constraints)
    assert sets == [[label] for label in range(1, 7)]
    assert {reasons[label] for label in flat(left)} == {"belongs to several units"}


def test_a_reduction_over_other_axes_changes_nothing(constraints):
    factor = operand(constraints, (2, 3), 1).factors[0]
    assert reduced(constraints, factor, [0], "mixed") is factor
    assert not constraints.parts


def test_of_every_position_something_stays(constraints):
    x = operand(constraints, (2, 3), (0, 1))
    constraints.tie(np.array([1, 2]), np.array([2, 3]))
    stay_along(constraints, x.factors[0], [0], "a position")
    sets, reasons = removable(constraints)
    assert sets == [[4], [5], [6]]
    assert {reasons[label] for label in (1, 2, 3)} == {"a position"}
