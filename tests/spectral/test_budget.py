import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import budget as solver
from mini_exp.spectral.budget import budget_widths
from mini_exp.spectral.costs import Costs
from mini_exp.spectral.degrees_of_freedom import lambda_of_width
from tests import budget_oracles

PROPERTY = settings(deadline=None, max_examples=150, derandomize=True)


@st.composite
def problems(draw):
    """Few small groups that meet in any pairs: chains, stars, rings, a group with itself."""
    rng = np.random.default_rng(draw(st.integers(0, 10**9)))
    n_groups = draw(st.integers(1, 4))
    sizes = rng.integers(1, 7, n_groups)
    losses = [rng.normal(size=m) * 10.0 ** rng.integers(-3, 4) for m in sizes]
    if draw(st.booleans()):
        losses = [np.sort(loss)[::-1] for loss in losses]
    pairs = {
        (g, h): float(rng.integers(0, 9))
        for g, h in itertools.product(range(n_groups), repeat=2)
        if rng.random() < 0.4
    }
    costs = Costs(float(rng.integers(0, 9)), rng.integers(0, 9, n_groups).astype(float), pairs)
    low, high = float(costs.total(np.ones(n_groups))), float(costs.total(sizes))
    return losses, costs, low + (high - low) * draw(st.floats(0, 1))


def optimum(losses, costs, budget):
    (loss, _), _ = budget_oracles.budget_optima(
        losses, costs.constant, costs.linear, costs.pairs, budget
    )
    return float(loss)


def total(losses, widths):
    return sum(float(loss[k - 1]) for loss, k in zip(losses, widths, strict=True))


@PROPERTY
@given(problem=problems())
def test_small_problems_are_solved_exactly(problem):
    losses, costs, budget = problem
    best = budget_widths(losses, costs, budget)
    assert costs.total(best.widths) <= budget
    assert best.loss == pytest.approx(total(losses, best.widths), rel=1e-12, abs=1e-12)
    assert best.loss == pytest.approx(optimum(losses, costs, budget), rel=1e-12, abs=1e-12)
    assert best.gap == 0


@PROPERTY
@given(problem=problems())
def test_the_optimum_lies_between_bound_and_loss(problem):
    """Of the relaxation, which large problems are left to."""
    losses, costs, budget = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "_ENUMERATED", 0)
        best = budget_widths(losses, costs, budget)
    least = optimum(losses, costs, budget)
    size = sum(np.abs(loss).max() for loss in losses)
    assert costs.total(best.widths) <= budget
    assert best.bound <= least + 1e-9 * size
    assert best.loss >= least - 1e-9 * size
    assert 0 <= best.gap <= 1
    if best.gap == 0:
        assert best.loss == pytest.approx(least, rel=1e-8, abs=1e-9 * size)


def lambdas(m, decay):
    """λ of every width of a layer whose eigenvalues fall geometrically, in units of their mean."""
    spectrum = np.exp(-decay * np.arange(m) / m)
    return lambda_of_width(spectrum) / spectrum.mean()


def chain(sizes, rng):
    pairs = {(g, g + 1): 9.0 for g in range(len(sizes) - 1)}
    return [lambdas(m, rng.uniform(2, 9)) for m in sizes], Costs(
        0.0, 10 * np.ones(len(sizes)), pairs
    )


def residual(n_blocks, rng):
    """A CIFAR ResNet: three tied stages, each meeting the insides of its n blocks."""
    sizes, linear = [16, 32, 64], [27.0, 0.0, 10.0]
    pairs = {(0, 1): 1.0, (1, 2): 1.0}
    for stage, block in itertools.product(range(3), range(n_blocks)):
        group = len(sizes)
        sizes.append(sizes[stage])
        linear.append(0.0)
        before = stage - 1 if stage and not block else stage
        for other in (before, stage):
            pairs[other, group] = pairs.get((other, group), 0.0) + 9.0
    return [lambdas(m, rng.uniform(2, 9)) for m in sizes], Costs(0.0, np.array(linear), pairs)


LARGE = {
    "thesis's CNN": lambda rng: chain([32, 32, 64, 64, 512], rng),
    "VGG": lambda rng: chain([64] * 2 + [128] * 2 + [256] * 3 + [512] * 6, rng),
    "ResNet-20": lambda rng: residual(3, rng),
    "ResNet-56": lambda rng: residual(9, rng),
}


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_the_gap_of_large_problems_is_small(make, share):
    losses, costs = make(np.random.default_rng(0))
    budget = share * float(costs.total([len(loss) for loss in losses]))
    best = budget_widths(losses, costs, budget)
    assert costs.total(best.widths) <= budget
    assert best.gap < 0.02  # seen: 0.002 to 0.8 %, and 1.6 % where a CNN keeps 80 %


def test_a_chain_against_a_table_of_every_cost():
    rng = np.random.default_rng(5)
    losses, costs = chain([12, 10, 11, 9, 10, 8], rng)
    budget = 0.4 * float(costs.total([len(loss) for loss in losses]))
    best = budget_widths(losses, costs, budget)
    least = budget_oracles.budget_table(losses, costs.linear, [9] * 5, budget)
    assert best.bound <= least * (1 + 1e-9)
    assert least * (1 - 1e-9) <= best.loss <= least * 1.002  # seen in 108 chains: 1.0015


@pytest.mark.parametrize("share", [1.0, 2.0, np.inf])
def test_a_budget_that_does_not_matter(share):
    rng = np.random.default_rng(1)
    losses, costs = chain([5, 4, 6], rng)
    best = budget_widths(losses, costs, share * float(costs.total([5, 4, 6])))
    assert best.loss == best.bound == best.least
    assert_array_equal(best.widths, [np.argmin(loss) + 1 for loss in losses])


def test_the_smallest_budget_leaves_one_unit_each():
    losses, costs = chain([5, 4, 6], np.random.default_rng(2))
    best = budget_widths(losses, costs, float(costs.total([1, 1, 1])))
    assert_array_equal(best.widths, [1, 1, 1])
    assert best.gap == 0


def test_of_equal_losses_the_cheapest_widths():
    losses = [np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 0.0])]
    best = budget_widths(losses, Costs(0.0, np.array([1.0, 3.0]), {}), 8)
    assert_array_equal(best.widths, [2, 2])


def test_twice_the_same():
    losses, costs = residual(3, np.random.default_rng(3))
    budget = 0.3 * float(costs.total([len(loss) for loss in losses]))
    first, second = (budget_widths(losses, costs, budget) for _ in range(2))
    assert_array_equal(first.widths, second.widths)
    assert first.bound == second.bound


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1e6, 1e200])
def test_the_unit_of_losses_does_not_matter(scale):
    losses, costs = residual(3, np.random.default_rng(4))
    budget = 0.5 * float(costs.total([len(loss) for loss in losses]))
    expected = budget_widths(losses, costs, budget)
    scaled = budget_widths([scale * loss for loss in losses], costs, budget)
    assert_array_equal(scaled.widths, expected.widths)
    assert scaled.gap == pytest.approx(expected.gap, rel=1e-6)


# Refused


CHAIN = Costs(1.0, np.array([1.0, 2.0]), {(0, 1): 3.0})


@pytest.mark.parametrize("budget", [6.9, 0, -np.inf, np.nan])
def test_a_budget_below_one_unit_of_every_group(budget):
    with pytest.raises(DomainError, match=r"expected at least 7, the cost of one unit.*, got"):
        budget_widths([[1.0, 0.0], [1.0, 0.0]], CHAIN, budget)


def test_a_budget_that_cannot_be_counted():
    costs = Costs(0.0, np.array([2.0**53 - 1]), {})
    with pytest.raises(DomainError, match=r"expected at most 2\^53 - 1, got .*; count costs"):
        budget_widths([np.arange(5.0)[::-1]], costs, 2.0**54)


@pytest.mark.parametrize("loss", [[], [[1.0, 0.0]], 1.0])
def test_losses_that_are_no_row(loss):
    with pytest.raises(ShapeError, match=r"group 1: expected losses \(m,\), got"):
        budget_widths([[1.0, 0.0], loss], CHAIN, 10)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e301])
def test_losses_that_are_not_finite(bad):
    with pytest.raises(DomainError, match="group 0: expected losses from -1e300 to 1e300, got"):
        budget_widths([[1.0, bad], [1.0, 0.0]], CHAIN, 10)


def test_another_number_of_losses():
    with pytest.raises(ShapeError, match="expected 2 losses, got 1"):
        budget_widths([[1.0, 0.0]], CHAIN, 10)
