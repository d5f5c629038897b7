import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import budget as module
from mini_exp.spectral.budget import LARGEST_COST, Costs, budget_widths
from tests import oracles

VGG = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
VGG_SIDES = [32, 32, 16, 16, 8, 8, 8, 4, 4, 4, 2, 2, 2]

values = st.one_of(
    st.integers(-3, 3).map(float),
    st.sampled_from([0.1, 0.2, 0.3, 1 / 3, 1e-9, -1e9, 1e-200, 1e200]),
    st.floats(-1, 1),
)
whole = st.one_of(st.integers(0, 3), st.integers(0, 10**6), st.sampled_from([10**12, 10**15]))


@st.composite
def pairs_of_paths(draw, n_groups, coefficients):
    """Paths through the groups in any order, pairs either way round."""
    order = draw(st.permutations(range(n_groups)))
    pairs = {}
    for g, h in pairwise(order):
        pair = (g, h) if draw(st.booleans()) else (h, g)
        if draw(st.booleans()):
            pairs[pair] = float(draw(coefficients))
    return pairs


@st.composite
def problems(draw, loss=values, coefficients=whole):
    """Losses, costs and a budget between what is needed and what is of use."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    losses = [draw(st.lists(loss, min_size=m, max_size=m)) for m in sizes]
    costs = Costs(
        float(draw(coefficients)),
        np.array([float(draw(coefficients)) for _ in sizes]),
        draw(pairs_of_paths(len(sizes), coefficients)),
    )
    low, high = (total(costs, k) for k in ([1] * len(sizes), sizes))
    high = min(high, LARGEST_COST)
    low = min(low, high)
    return losses, costs, float(draw(st.integers(low, high)))


def total(costs, widths):
    return oracles.total_cost(costs.constant, costs.linear, costs.pairs, widths)


def loss_at(losses, widths):
    return sum(loss[k - 1] for loss, k in zip(losses, widths, strict=True))


def check_is_the_minimum(losses, costs, budget):
    widths = budget_widths(losses, costs, budget)
    assert widths.dtype == np.int64
    (loss, cost), optima = oracles.budget_optima(
        losses, costs.constant, costs.linear, costs.pairs, budget
    )
    assert all(1 <= k <= len(row) for k, row in zip(widths, losses, strict=True))
    assert total(costs, widths) <= budget
    least = sum(oracles.Fraction(min(row)) for row in losses)
    ours = sum(oracles.Fraction(row[k - 1]) for k, row in zip(widths, losses, strict=True))
    assert ours - loss <= oracles.Fraction(1, 10**13) * (loss - least)
    if ours == loss:
        assert total(costs, widths) == cost
        assert tuple(widths) in optima
    return widths


def chain(widths, linear, links):
    costs = Costs(0.0, np.array(linear), {(g, g + 1): link for g, link in enumerate(links)})
    return costs, float(costs.total(widths))


def spectral_losses(rng, widths, noise):
    """What is left of a decaying spectrum, with noise that makes it rise here and there."""
    losses = []
    for m in widths:
        mu = np.arange(1, m + 1) ** -rng.uniform(0.5, 2) * rng.uniform(0.5, 1.5, m)
        left = np.append(mu[::-1].cumsum()[::-1][1:], 0.0) / mu.sum()
        losses.append(rng.uniform(0.2, 3) * left * (1 + noise * rng.standard_normal(m)))
    return losses


# Costs


def test_costs_of_mini_model():
    costs = Costs(39.0, np.array([30.0, 0.0, 1.0]), {(0, 1): 1.0, (2, 1): 1.0})
    assert costs.total([16, 12, 10]) == oracles.n_parameters([30, 16, 12, 10, 1], True)


def test_costs_of_a_stack_of_widths():
    rng = np.random.default_rng(0)
    costs = Costs(7.0, np.array([3.0, 0.0, 1e6]), {(0, 1): 2.0, (1, 2): 1e9, (1, 0): 5.0})
    widths = rng.integers(1, 600, (4, 2, 3))
    totals = costs.total(widths)
    assert totals.shape == (4, 2)
    for index in np.ndindex(4, 2):
        assert totals[index] == total(costs, widths[index])


@pytest.mark.parametrize("bad", [-1.0, 0.5, np.nan, np.inf, -np.inf, 2.0**53])
def test_coefficients_that_are_no_whole_numbers(bad):
    for name, build in {
        "constant": lambda: Costs(bad, np.ones(2), {}),
        r"linear\[1\]": lambda: Costs(0.0, np.array([1.0, bad]), {}),
        r"pairs\[0, 1\]": lambda: Costs(0.0, np.ones(2), {(0, 1): bad}),
    }.items():
        with pytest.raises(DomainError, match=f"costs: {name}: expected a whole number.*got {bad}"):
            build()


@pytest.mark.parametrize("pair", [(0, 2), (-1, 0), (1, 1)])
def test_pairs_of_no_two_groups(pair):
    with pytest.raises(DomainError, match="expected two different groups below 2"):
        Costs(0.0, np.ones(2), {pair: 1.0})


def test_shapes_of_costs():
    with pytest.raises(ShapeError, match=r"expected linear \(G,\), got \(1, 2\)"):
        Costs(0.0, np.ones((1, 2)), {})
    for widths in (3.0, [1.0], np.ones((2, 3))):
        with pytest.raises(ShapeError, match=r"expected widths \(..., 2\)"):
            Costs(0.0, np.ones(2), {}).total(widths)


# The solver against brute force


@settings(deadline=None, max_examples=400, derandomize=True)
@given(problem=problems())
def test_is_the_minimum(problem):
    check_is_the_minimum(*problem)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    problem=problems(
        st.integers(0, 4).map(float),
        st.integers(0, 2),
    )
)
def test_of_equal_losses_the_smallest_cost(problem):
    losses, costs, budget = problem
    widths = check_is_the_minimum(*problem)
    best, optima = oracles.budget_optima(losses, costs.constant, costs.linear, costs.pairs, budget)
    assert (loss_at(losses, widths), total(costs, widths)) == best
    assert tuple(widths) in optima


@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    problem=problems(st.integers(0, 4).map(float), st.integers(0, 2)),
    splits=st.booleans(),
)
def test_of_equals_the_first_along_the_paths(problem, splits):
    losses, costs, budget = problem
    order = naive_order(len(losses), costs.pairs)
    _, optima = oracles.budget_optima(losses, costs.constant, costs.linear, costs.pairs, budget)
    first = min(optima, key=lambda widths: [widths[group] for group in order])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST_SEARCH", 1 if splits else 100)
        assert tuple(budget_widths(losses, costs, budget)) == first


@pytest.mark.parametrize("largest", [1, 2, 100])
@pytest.mark.parametrize(
    ("linear", "budget", "expected"),
    [
        ([1.0, 1.0], 4, [1, 3]),
        ([3.0, 2.0], 14, [2, 3]),
        ([2.0, 3.0], 14, [3, 2]),
        ([1.0, 1.0, 1.0], 6, [1, 2, 3]),
        ([5.0, 4.0, 5.0], 28, [1, 3, 2]),
        ([4.0, 5.0, 5.0], 28, [3, 1, 2]),
    ],
)
def test_ties_that_a_split_parts(linear, budget, expected, largest, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_SEARCH", largest)
    costs = Costs(0.0, np.array(linear), {})
    assert_array_equal(budget_widths([[2.0, 1.0, 0.0]] * len(linear), costs, budget), expected)


def naive_order(n_groups, pairs):
    """The smallest order, by its paths' ends, in which all pairs are neighbours."""
    links = [set(pair) for pair, coefficient in pairs.items() if coefficient > 0]
    order = []
    while len(order) < n_groups:
        free = [group for group in range(n_groups) if group not in order]
        touching = [g for g in free if order and {order[-1], g} in links]
        ends = [g for g in free if sum(g in link for link in links) < 2]
        order.append((touching or ends)[0])
    return order


@settings(deadline=None, max_examples=300, derandomize=True)
@given(problem=problems(), largest=st.integers(1, 8))
def test_is_the_minimum_in_parts(problem, largest):
    """A search of few partial solutions must split all but the smallest problems."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST_SEARCH", largest)
        check_is_the_minimum(*problem)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(5, 14), min_size=4, max_size=6),
    share=st.floats(0.02, 1),
    largest=st.sampled_from([3, 50, 2**16]),
    kind=st.sampled_from(["falling", "convex", "noise", "sigmoid"]),
)
def test_is_the_minimum_of_longer_chains(seed, sizes, share, largest, kind):
    rng = np.random.default_rng(seed)
    losses = [rng.integers(0, 200, m).astype(float) for m in sizes]
    if kind in ("falling", "convex"):
        losses = [np.sort(loss)[::-1] for loss in losses]
    if kind == "convex":
        losses = [np.sort(loss)[::-1].cumsum()[::-1] for loss in losses]
    if kind == "sigmoid":
        losses = [np.rint(500 / (1 + np.exp(3 * (np.arange(m) - m // 2)))) for m in sizes]
    linear = rng.integers(0, 5, len(sizes)).astype(float)
    links = rng.integers(0, 3, len(sizes) - 1).astype(float)
    costs, full = chain(sizes, linear, links)
    budget = np.floor(costs.total(np.ones(len(sizes))) * (1 - share) + full * share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST_SEARCH", largest)
        widths = budget_widths(losses, costs, budget)
    assert costs.total(widths) <= budget
    assert loss_at(losses, widths) == oracles.budget_table(losses, linear, links, budget)


@pytest.mark.parametrize(
    ("losses", "linear", "links", "budget"),
    [
        ([[68, 53, 35, 15], [43, 39, 25, 24, 6]], [25, 0], [4], 127),
        ([[34, 10, 6, 4], [32, 3], [78, 51, 25, 2]], [14, 24, 17], [4, 4], 100),
        ([[71, 47, 39, 14, 7], [41, 37, 37, 16, 8], [68, 42, 35, 21]], [6, 23, 16], [5, 6], 340),
    ],
)
def test_a_solution_beyond_the_target_is_no_proof(losses, linear, links, budget):
    costs, _ = chain([1] * len(losses), linear, links)
    check_is_the_minimum([[float(x) for x in loss] for loss in losses], costs, float(budget))


@settings(deadline=None, max_examples=150, derandomize=True)
@given(problem=problems(), data=st.data())
def test_more_budget_never_has_more_loss(problem, data):
    losses, costs, budget = problem
    more = data.draw(st.floats(budget, float(LARGEST_COST)))
    ours = loss_at(losses, budget_widths(losses, costs, budget))
    better = loss_at(losses, budget_widths(losses, costs, more))
    scale = sum(max(map(abs, row)) for row in losses)
    assert better <= ours + 1e-13 * scale


@settings(deadline=None, max_examples=150, derandomize=True)
@given(problem=problems(), data=st.data())
def test_a_budget_that_is_a_cost_is_used_whole(problem, data):
    """The widths that cost the budget are in reach; with one unit less they are not."""
    losses, costs, _ = problem
    chosen = [data.draw(st.integers(1, len(loss))) for loss in losses]
    exactly = total(costs, chosen)
    if exactly <= LARGEST_COST:
        widths = budget_widths(losses, costs, float(exactly))
        scale = sum(max(map(abs, row)) for row in losses)
        assert loss_at(losses, widths) <= loss_at(losses, chosen) + 1e-13 * scale
        assert total(costs, widths) <= exactly


def test_a_budget_is_a_limit_to_the_unit():
    costs = Costs(0.0, np.array([1.0, 3.0]), {(0, 1): 9.0})
    losses = [[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]]
    needed = total(costs, [3, 2])
    assert_array_equal(budget_widths(losses, costs, needed), [3, 2])
    assert_array_equal(budget_widths(losses, costs, needed + 0.9), [3, 2])
    assert total(costs, budget_widths(losses, costs, needed - 1)) < needed
    assert total(costs, budget_widths(losses, costs, needed - 0.1)) < needed


@settings(deadline=None, max_examples=100, derandomize=True)
@given(problem=problems(), beyond=st.sampled_from([0, 1, 10**9, np.inf]))
def test_all_that_is_of_use(problem, beyond):
    losses, costs, _ = problem
    full = total(costs, [len(loss) for loss in losses])
    widths = budget_widths(losses, costs, full + beyond)
    assert_array_equal(widths, [int(np.argmin(loss)) + 1 for loss in losses])


@settings(deadline=None, max_examples=100, derandomize=True)
@given(problem=problems(), data=st.data())
def test_groups_may_be_numbered_in_any_way(problem, data):
    losses, costs, budget = problem
    order = data.draw(st.permutations(range(len(losses))))
    place = {group: new for new, group in enumerate(order)}
    renumbered = Costs(
        costs.constant,
        costs.linear[list(order)],
        {(place[g], place[h]): value for (g, h), value in costs.pairs.items()},
    )
    shuffled = [losses[group] for group in order]
    widths = budget_widths(losses, costs, budget)
    others = budget_widths(shuffled, renumbered, budget)
    scale = sum(max(map(abs, row)) for row in losses)
    assert loss_at(shuffled, others) == pytest.approx(loss_at(losses, widths), abs=1e-13 * scale)


def test_both_ways_round_add_up():
    losses = [[1.0, 0.0], [1.0, 0.0]]
    twice = Costs(0.0, np.zeros(2), {(0, 1): 2.0, (1, 0): 3.0})
    assert_array_equal(budget_widths(losses, twice, 19), [1, 2])
    assert_array_equal(budget_widths(losses, twice, 20), [2, 2])


def test_losses_may_rise_and_fall():
    costs = Costs(0.0, np.ones(2), {})
    assert_array_equal(budget_widths([[1.0, -2.0, 0.0], [0.0, 5.0, -1.0]], costs, 100), [2, 3])
    assert_array_equal(budget_widths([[1.0, -2.0, 0.0], [0.0, 5.0, -1.0]], costs, 4), [2, 1])


def test_groups_that_cost_nothing():
    costs = Costs(5.0, np.array([0.0, 1.0]), {})
    assert_array_equal(budget_widths([[3.0, 1.0, 1.0], [1.0, 0.0]], costs, 6), [2, 1])


def test_no_groups():
    assert budget_widths([], Costs(3.0, np.zeros(0), {}), 3).shape == (0,)
    with pytest.raises(DomainError, match="expected at least 3"):
        budget_widths([], Costs(3.0, np.zeros(0), {}), 2)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e295])
def test_the_scale_of_losses_does_not_matter(scale):
    rng = np.random.default_rng(1)
    losses = [rng.integers(0, 1000, 12).astype(float) for _ in range(4)]
    costs, full = chain([12] * 4, [1.0, 2.0, 0.0, 1.0], [1.0, 0.0, 3.0])
    expected = budget_widths(losses, costs, full // 3)
    scaled = [scale * loss for loss in losses]
    assert loss_at(losses, budget_widths(scaled, costs, full // 3)) == loss_at(losses, expected)


def test_a_loss_far_below_another_still_counts():
    """One unit of group 0 is unbearable; what its second unit leaves must not drown in that."""
    fine = 1e-9 * np.arange(8.0)[::-1]
    losses = [np.append(1e20, fine), np.append(1e250, fine)]
    costs = Costs(0.0, np.array([3.0, 5.0]), {(0, 1): 1.0})
    for budget in range(22, 150, 7):
        check_is_the_minimum([list(row) for row in losses], costs, float(budget))


def test_costs_to_the_last_unit_below_2_to_the_53():
    near = float(2**52)
    costs = Costs(0.0, np.array([near, 1.0]), {})
    losses = [[1.0, 0.0], [5.0, 4.0, 3.0, 2.0]]
    assert_array_equal(budget_widths(losses, costs, near + 3), [1, 3])
    assert_array_equal(budget_widths(losses, costs, near + 2), [1, 2])
    assert_array_equal(budget_widths(losses, costs, float(LARGEST_COST)), [1, 4])
    with pytest.raises(DomainError, match=r"expected at most 2\^53 - 1, got 9.*in thousands"):
        budget_widths(losses, costs, 2.0**53)
    assert_array_equal(budget_widths(losses, costs, 2.0**54), [2, 4])


# What is refused


def test_too_small_a_budget_names_the_smallest_cost():
    costs = Costs(2.0, np.array([3.0, 0.0]), {(0, 1): 7.0})
    losses = [[1.0, 0.0], [0.0]]
    assert_array_equal(budget_widths(losses, costs, 12), [1, 1])
    for budget in (11, 11.999, 0, -5, -np.inf):
        with pytest.raises(DomainError, match=f"at least 12, the cost of one unit.*got {budget}"):
            budget_widths(losses, costs, budget)


def test_a_budget_that_is_no_number():
    with pytest.raises(DomainError, match="expected a number for the budget, got nan"):
        budget_widths([[1.0]], Costs(0.0, np.ones(1), {}), np.nan)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e301])
def test_losses_that_are_not_finite(bad):
    with pytest.raises(
        DomainError, match=r"group 1: expected losses from.*got (nan|-?inf|1e\+301)"
    ):
        budget_widths([[1.0], [0.0, bad]], Costs(0.0, np.ones(2), {}), 9)


@pytest.mark.parametrize("bad", [[], 3.0, [[1.0, 2.0]]])
def test_losses_of_another_shape(bad):
    with pytest.raises(ShapeError, match=r"group 1: expected losses \(m,\), got \("):
        budget_widths([[1.0], bad], Costs(0.0, np.ones(2), {}), 9)


def test_another_number_of_losses():
    with pytest.raises(ShapeError, match="expected 2 losses, got 1"):
        budget_widths([[1.0]], Costs(0.0, np.ones(2), {}), 9)


def test_a_group_that_multiplies_three_others():
    costs = Costs(0.0, np.zeros(5), {(2, 0): 1.0, (1, 2): 1.0, (2, 4): 1.0, (3, 2): 0.0})
    with pytest.raises(
        DomainError, match="exact along chains; group 2 multiplies 3 others: groups 0, 1, 4"
    ):
        budget_widths([[1.0]] * 5, costs, 9)


def test_a_ring():
    costs = Costs(0.0, np.zeros(5), {(1, 2): 1.0, (2, 4): 1.0, (4, 1): 1.0, (0, 3): 1.0})
    with pytest.raises(DomainError, match="exact along chains; a ring is among groups 1, 2, 4"):
        budget_widths([[1.0]] * 5, costs, 9)
    open_ring = Costs(0.0, np.zeros(5), {**costs.pairs, (4, 1): 0.0})
    assert_array_equal(budget_widths([[1.0]] * 5, open_ring, 9), [1] * 5)


def test_too_long_a_search_ends(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_SEARCH", 2)
    monkeypatch.setattr(module, "MOST_SPLITS", 3)
    steps = [37.0, 41.0, 43.0, 47.0, 53.0]
    losses = [step * np.arange(12)[::-1] for step in steps]
    with pytest.raises(DomainError, match="expected a proof within 3 searches of 2 partial"):
        budget_widths(losses, Costs(0.0, np.array(steps), {}), 1200.5)


# Networks of real sizes


def networks():
    resnet = {depth: [16] * n + [32] * n + [64] * n for depth, n in ((20, 3), (56, 9))}
    return {
        "cnn": ([32, 32, 64, 64, 512], [28.0, 1.0, 1.0, 1.0, 11.0], [9.0, 9.0, 9.0, 36.0]),
        "resnet20": (resnet[20], [18.0 * m + 2 for m in resnet[20]], [0.0] * 8),
        "resnet56": (resnet[56], [18.0 * m + 2 for m in resnet[56]], [0.0] * 26),
        "vgg": (VGG, [28.0, *[1.0] * 11, 11.0], [9.0] * 12),
        "vgg, operations": (
            VGG,
            [27.0 * 1024, *[0.0] * 11, 10.0],
            [9.0 * side**2 for side in VGG_SIDES[1:]],
        ),
    }


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("name", networks())
def test_networks_take_little_time_and_memory(name, noise):
    """Much room, in processor time: what is to be seen is that nothing explodes."""
    sizes, linear, links = networks()[name]
    costs, full = chain(sizes, linear, links)
    losses = spectral_losses(np.random.default_rng(3), sizes, noise)
    known = []
    for share in (0.1, 0.5):
        start = time.process_time()
        tracemalloc.start()
        widths = budget_widths(losses, costs, share * full)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert time.process_time() - start < 10
        assert peak < 200e6
        assert costs.total(widths) <= share * full
        known.append(loss_at(losses, widths))
        check_is_not_beaten_nearby(losses, costs, share * full, widths)
    assert known[1] <= known[0]


def check_is_not_beaten_nearby(losses, costs, budget, widths):
    """No change of two groups by up to 6 units each is within the budget and better."""
    ours = loss_at(losses, widths)
    moves = np.arange(-6, 7)
    for g in range(len(widths)):
        for h in range(g):
            others = np.tile(widths, (13, 13, 1))
            others[..., g] += moves[:, None]
            others[..., h] += moves
            inside = (others >= 1) & (others <= [len(loss) for loss in losses])
            others = others[inside.all(axis=-1)]
            others = others[costs.total(others) <= budget]
            there = sum(loss[others[:, i] - 1] for i, loss in enumerate(losses))
            assert there.min() >= ours * (1 - 1e-12)
