import numpy as np
import pytest

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral.costs import Costs
from tests import budget_oracles


def test_against_whole_numbers():
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 5))
        linear = rng.integers(0, 1000, n).astype(float)
        pairs = {(g, h): float(rng.integers(0, 99)) for g in range(n) for h in range(n)}
        widths = rng.integers(1, 600, n)
        expected = budget_oracles.total_cost(7, linear, pairs, widths)
        assert int(Costs(7.0, linear, pairs).total(widths)) == expected


def test_leading_axes():
    costs = Costs(1.0, np.array([2.0, 0.0]), {(0, 1): 3.0, (1, 1): 1.0})
    widths = np.array([[[1, 2], [3, 4]]])
    assert costs.total(widths).tolist() == [[1 + 2 + 6 + 4, 1 + 6 + 36 + 16]]


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan, np.inf, 2.0**53])
def test_coefficients_outside_the_domain(value):
    with pytest.raises(DomainError, match=r"constant: expected a whole number"):
        Costs(value, np.ones(1), {})
    with pytest.raises(DomainError, match=r"linear\[1\]: expected a whole number"):
        Costs(0.0, np.array([1.0, value]), {})
    with pytest.raises(DomainError, match=r"pairs\[0, 1\]: expected a whole number"):
        Costs(0.0, np.ones(2), {(0, 1): value})


@pytest.mark.parametrize("pair", [(0, 2), (-1, 0)])
def test_a_pair_of_groups_that_are_none(pair):
    with pytest.raises(DomainError, match=r"pairs\[.*\]: expected groups below 2"):
        Costs(0.0, np.ones(2), {pair: 1.0})


def test_linear_costs_that_are_no_row():
    with pytest.raises(ShapeError, match=r"expected linear \(G,\), got"):
        Costs(0.0, np.ones((2, 2)), {})


@pytest.mark.parametrize("widths", [[1], [1, 2, 3], 4])
def test_another_number_of_widths(widths):
    with pytest.raises(ShapeError, match=r"expected widths \(\.\.\., 2\), got"):
        Costs(0.0, np.ones(2), {}).total(widths)
