"""Mixing complexity by its definition, against all pairs of subsets."""

from itertools import product

import numpy as np
import pytest

from mini_exp.diagnostics.instruments.hypothesis_classes import (
    intervals,
    parities,
    singletons,
    thresholds,
)
from mini_exp.diagnostics.instruments.mixing import mixing_bounds, smallest_mixing
from mini_exp.errors import DomainError

RANDOM = np.random.default_rng(0).random((4, 6)) < 0.5


def over_all_pairs(incidence):
    best = 0.0
    sides = [list(product((0, 1), repeat=k)) for k in incidence.shape]
    for s, t in product(*sides):
        size = sum(s) * sum(t)
        if size:
            edges = np.array(s) @ incidence.astype(int) @ np.array(t)
            best = max(best, abs(edges - size / 2) / np.sqrt(size))
    return best


@pytest.mark.parametrize(
    "incidence",
    [
        thresholds(5),
        singletons(5),
        parities(2),
        intervals(3),
        RANDOM,
    ],
    ids=["thresholds", "singletons", "parities", "intervals", "random"],
)
def test_d_is_the_largest_over_all_pairs_of_subsets(incidence):
    assert smallest_mixing(incidence).low == pytest.approx(over_all_pairs(incidence), abs=1e-12)


@pytest.mark.parametrize(
    "incidence",
    [thresholds(9), singletons(9), parities(3), intervals(5)],
    ids=["thresholds", "singletons", "parities", "intervals"],
)
def test_the_bounds_enclose_the_exact_value(incidence):
    exact, bounds = smallest_mixing(incidence).low, mixing_bounds(incidence)
    assert bounds.low - 1e-12 <= exact <= bounds.high + 1e-12


def test_thresholds_have_bounded_complexity_so_the_definition_does_not_call_them_mixing():
    """Text 000 says that MC = O(1) "means that it is mixing": Ω(√|H|) would have to grow."""
    complexity = [smallest_mixing(thresholds(n)).complexity[1] for n in (4, 8, 16)]
    assert max(complexity) <= 4
    wide = mixing_bounds(thresholds(500))
    assert wide.complexity[1] <= 4 < 0.25 * np.sqrt(wide.hypotheses)


def test_parities_are_mixing():
    """MC ≥ 2 √|H|, for the matrix is a Hadamard matrix, halved and shifted."""
    for bits in (2, 3, 4):
        assert smallest_mixing(parities(bits)).complexity[0] >= 2 * np.sqrt(2**bits) - 1e-9
    wide = mixing_bounds(parities(9))
    assert wide.complexity[0] >= 2 * np.sqrt(wide.hypotheses) - 1e-9


@pytest.mark.parametrize("of", [singletons, intervals])
def test_the_complexity_of_singletons_and_intervals_falls_with_their_number(of):
    complexity = [mixing_bounds(of(n)).complexity[1] for n in (10, 20, 40)]
    assert (np.diff(complexity) < 0).all()


def test_a_class_of_many_hypotheses_and_points_is_not_enumerated():
    with pytest.raises(DomainError, match="1 … 18 hypotheses or points, got 20"):
        smallest_mixing(singletons(20))


def test_a_class_has_a_point():
    with pytest.raises(DomainError, match="at least 1 point or bit, got 0"):
        thresholds(0)
