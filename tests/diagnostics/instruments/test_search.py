"""Search within a budget: costs, fairness, and a space whose best is known."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from mini_exp.diagnostics.instruments import search
from mini_exp.diagnostics.instruments.search_spaces import (
    DigitSpace,
    MiniSpace,
    narrow_cnn,
    within_budget,
)
from mini_exp.errors import DomainError
from mini_exp.tasks.mini.network import initial_stack
from tests.diagnostics.instruments.small_stages import small_stages


@dataclass
class Known:
    """Accuracy grows with the first width; every trained network is written down."""

    largest: tuple[int, ...] = (10, 10)
    asked: list = field(default_factory=list)

    def cost(self, widths):
        return sum(widths)

    def scored(self, widths, start):
        self.asked.append((tuple(widths), start))
        return widths[0] / 10, widths[0] / 20

    def spectral_widths(self, budget):
        return (budget - 2, 2)


@pytest.mark.parametrize("method", search.METHODS)
def test_every_method_trains_equally_many_networks_within_the_budget(method):
    pytest.importorskip("optuna", reason="the extra [search] brings it")
    space = Known()
    widths, judged = search.best_found(method, space, 9, 7, seed=0)
    whole = 1 if method == "spectral" else 0  # the network that gave the widths
    assert len(space.asked) + whole == 7
    assert all(space.cost(asked) <= 9 for asked, _ in space.asked)
    assert len({start for _, start in space.asked}) == len(space.asked)
    assert widths[0] == max(asked[0] for asked, _ in space.asked)
    assert judged == widths[0] / 20


def test_widths_within_the_budget_stay():
    assert within_budget((3, 4), Known(), 7) == (3, 4)


def test_widths_beyond_the_budget_shrink_by_one_factor():
    assert within_budget((10, 5), Known(), 6) == (4, 2)


def test_a_budget_allows_a_network():
    with pytest.raises(DomainError, match="a budget for widths of 1, got 1 parameters"):
        within_budget((3, 3), Known(), 1)


def mini():
    return MiniSpace(small_stages("corrected").settings, 0, judged=300)


def test_costs_are_numbers_of_parameters():
    for widths in ((16, 12, 10), (8, 3, 3), (1, 1, 1)):
        stack = initial_stack((30, *widths, 1), False, [np.random.default_rng(0)])
        assert mini().cost(widths) == stack.n_parameters
    digits = DigitSpace(0, 0)
    widths = (2, 3, 4, 5, 6)
    assert digits.cost(widths) == sum(p.numel() for p in narrow_cnn(widths).parameters())


def test_spectral_widths_of_mini_are_within_the_budget():
    widths = mini().spectral_widths(240)
    assert mini().cost(widths) <= 240
    assert len(widths) == 3


def test_spectral_widths_of_digits_are_within_the_budget():
    space = DigitSpace(0, 0, epochs=1)
    budget = int(0.15 * space.cost(space.largest))
    assert space.cost(space.spectral_widths(budget)) <= budget


def test_a_network_of_mini_is_scored_by_what_it_learned():
    validation, judged = mini().scored((8, 3, 3), 1)
    assert 0.3 < validation < 1
    assert 0.3 < judged < 1
    assert mini().scored((8, 3, 3), 1) == (validation, judged)
    assert mini().scored((8, 3, 3), 2) != (validation, judged)


def test_rows_pair_the_methods_over_runs(monkeypatch):
    pytest.importorskip("optuna", reason="the extra [search] brings it")
    monkeypatch.setitem(search.TRAINED, "MINI", 4)
    rows = search._rows("MINI", [Known(), Known()], 0, 0.95).set_index("quantity")
    assert rows.loc["MINI spectral − spectral", "estimate"] == 0
    gap = rows.loc["MINI accuracy of spectral", "estimate"]
    gap -= rows.loc["MINI accuracy of random", "estimate"]
    assert rows.loc["MINI spectral − random", "estimate"] == pytest.approx(gap)
    assert rows.loc["MINI width of spectral", "at"].tolist() == [1, 2]
