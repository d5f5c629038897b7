"""The widths at which methods are compared keep to their budgets and use them."""

import numpy as np
import pytest
import torch

from mini_exp.compare.candidate import Candidate
from mini_exp.compare.width_sets import widest_uniform, width_sets
from mini_exp.errors import DomainError
from mini_exp.pruning.costs import network_costs
from mini_exp.pruning.widths import spectral_losses, uniform_widths, widths_within
from mini_exp.settings.sections import Compare
from mini_exp.tasks.images.networks import digits_cnn

FULL = np.array([16, 16, 32, 32, 64])
EVERY, MAIN, OWN = ["a", "b", "c"], ["a"], ["d"]


@pytest.fixture(scope="module")
def candidate():
    torch.manual_seed(0)
    x, y = torch.randn(60, 1, 8, 8), torch.randint(0, 10, (60,))
    return Candidate(digits_cnn().eval(), [x], [y], 0)


def losses(candidate):
    return spectral_losses(candidate.moments.eigenvalues)


@pytest.mark.parametrize("unit", ["parameters", "flops"])
@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_the_widest_uniform_network_is_the_widest(candidate, unit, share):
    costs = network_costs(candidate.network, candidate.graph, unit)
    widest = widest_uniform(candidate, unit, share)
    budget = share * costs.total(FULL)
    every = [costs.total(uniform_widths(candidate.graph, k / 1000)) for k in range(1, 1001)]
    assert costs.total(widest) == max(cost for cost in every if cost <= budget)


def test_all_methods_at_equal_shares_and_the_main_ones_at_budgets(candidate):
    compare = Compare(keep=(0.75, 0.5), parameters=(0.3,), flops=(0.4,))
    sets = width_sets(compare, losses(candidate), candidate, EVERY, MAIN, OWN)
    assert [(s.rule, s.share, s.exact, methods) for s, methods in sets] == [
        ("keep", 0.75, False, EVERY),
        ("keep", 0.5, False, EVERY),
        ("parameters", 0.3, True, [*MAIN, *OWN]),
        ("parameters", 0.3, False, MAIN),
        ("flops", 0.4, True, [*MAIN, *OWN]),
        ("flops", 0.4, False, MAIN),
    ]


def test_the_best_widths_are_those_of_the_width_problem_and_carry_its_gap(candidate):
    ((best, _), (uniform, _)) = width_sets(
        Compare(keep=(), parameters=(0.3,)), losses(candidate), candidate, EVERY, MAIN
    )
    network, graph = candidate.network, candidate.graph
    widths, gap = widths_within(network, graph, losses(candidate), "parameters", 0.3)
    assert best.widths.tolist() == widths.tolist()
    assert best.gap == gap
    assert uniform.gap is None


def test_a_share_that_is_given_twice_counts_once(candidate):
    compare = Compare(keep=(0.5, 0.5), parameters=(0.3, 0.3))
    assert len(width_sets(compare, losses(candidate), candidate, EVERY, MAIN, OWN)) == 1 + 2


def test_a_budget_that_no_widths_keep_is_refused(candidate):
    with pytest.raises(DomainError, match=r"parameters 0\.0001: .*expected at least"):
        width_sets(Compare(parameters=(1e-4,)), losses(candidate), candidate, EVERY, MAIN)
