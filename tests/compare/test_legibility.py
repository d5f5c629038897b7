"""The comparison's figure on tables of many shapes: legible, told apart without colour."""

from __future__ import annotations

import pytest

from mini_exp.compare.figures import accuracy_figure
from tests.compare.frames import THETA, summary
from tests.report.legibility import complaints, labels, looks

DRAWN = {
    "accuracy": summary,
    "accuracy, one width": lambda: summary(keep=(0.5,)),
    "accuracy, four widths": lambda: summary(keep=(0.9, 0.75, 0.5, 0.25)),
    "accuracy, two networks": lambda: summary(n_networks=2),
    "accuracy, more methods": lambda: summary(more=("a method", "another one")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_nothing_is_covered_cut_off_too_small_or_too_wide(name):
    assert complaints(accuracy_figure(DRAWN[name](), THETA)) == []


def test_lines_are_told_apart_without_colour():
    seen = list(looks(accuracy_figure(summary(), THETA)).values())
    assert len(set(seen)) == len(seen)


def test_the_legend_names_every_labelled_line():
    figure = accuracy_figure(summary(), THETA)
    assert set(looks(figure)) == set(labels(figure))
