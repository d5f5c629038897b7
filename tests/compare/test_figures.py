"""The figure shows the numbers of the summary, and tells methods apart."""

import numpy as np
import pytest

from mini_exp.compare.figures import accuracy_figure
from mini_exp.report.drawing import rendered
from tests.compare.frames import THETA, summary


def points(figure, label, panel=0):
    """Where a method's markers stand."""
    for container in figure.axes[panel].containers:
        if container.get_label() == label:
            return container.lines[0].get_xydata()
    raise AssertionError(f"no line {label}")


def looks(figure):
    lines = [container.lines[0] for container in figure.axes[0].containers]
    return [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines]


@pytest.mark.parametrize(("panel", "stage"), [(0, "pruned"), (1, "recovered"), (2, "finetuned")])
def test_the_points_are_the_accuracies_at_equal_shares(panel, stage):
    table = summary()
    wanted = (table["rule"] == "keep") & (table["method"] == "Taylor")
    drawn = points(accuracy_figure(table, THETA), "Taylor", panel)
    np.testing.assert_allclose(drawn[:, 1], 100 * table.loc[wanted, f"{stage}_test"], rtol=1e-12)


def test_spectral_pruning_is_that_of_the_theta_alone():
    table = summary()
    at = table["theta"] == 0.0
    wanted = table[(table["rule"] == "keep") & at & (table["weights"] == "slice")]
    drawn = points(accuracy_figure(table, 0.0), "spectral θ=0, slice")
    np.testing.assert_allclose(drawn[:, 1], 100 * wanted["pruned_test"], rtol=1e-12)


def test_stars_are_the_best_widths_for_a_budget():
    table = summary()
    wanted = table[table["exact"] & (table["method"] == "spectral")]
    drawn = points(accuracy_figure(table, THETA), "spectral, best widths for a budget")
    np.testing.assert_allclose(drawn[:, 1], 100 * wanted["pruned_test"], rtol=1e-12)
    np.testing.assert_allclose(drawn[:, 0], wanted["flops"], rtol=1e-12)


def test_more_methods_than_colours_look_different():
    figure = accuracy_figure(summary(more=[f"other {i}" for i in range(4)]), THETA)
    assert len(set(looks(figure))) == len(looks(figure)) == 6 + 4 + 1


@pytest.mark.parametrize("keep", [(0.5,), ()], ids=["one share", "no share"])
def test_it_is_drawn_with_few_widths(keep):
    assert rendered(accuracy_figure(summary(keep=keep), THETA), "png").startswith(b"\x89PNG")
