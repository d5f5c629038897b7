"""Figures 1 and 2: every mark stands where its numbers say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mini_exp.report.drawing import rendered
from mini_exp.report.width_figures import widths_figure
from mini_exp.spectral.published import STARTING_P
from mini_exp.spectral.width_path import WidthPath
from tests.report import examples
from tests.report.legibility import labels

START = STARTING_P**2
PATH = WidthPath(
    rho=np.array([0.02, 0.04, 0.06]),
    lambda_=np.array([[0.5, 0.2], [START, START], [0.7, START]]),
    degrees_of_freedom=np.array([[3.2, 1.5], [5.9, 3.9], [2.5, 3.9]]),
    width=np.array([[4, 2], [6, 4], [3, 4]]),
    objective=np.array([1.0, 2.0, 3.0]),
    converged=np.array([True, False, True]),
)
"""Two layers; the solver stops at its start for the second ρ, unconverged."""


def points(ax, *, hollow: bool) -> set[tuple[float, float]]:
    """The points drawn with markers of one kind."""
    lines = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
    chosen = [line for line in lines if (line.get_markerfacecolor() == "none") == hollow]
    return {(float(x), float(y)) for line in chosen for x, y in line.get_xydata()}


@pytest.mark.parametrize(("panel", "values"), [(0, PATH.lambda_), (1, PATH.width)])
def test_markers_are_hollow_where_the_solver_failed_and_filled_elsewhere(panel, values):
    ax = widths_figure(PATH, published=True).axes[panel]
    assert points(ax, hollow=True) == {(0.04, float(value)) for value in values[1]}
    filled = {(PATH.rho[k], float(value)) for k in (0, 2) for value in values[k]}
    assert points(ax, hollow=False) == filled


@pytest.mark.parametrize("panel", [0, 1])
def test_where_the_solver_stayed_at_its_start_is_shaded(panel):
    ax = widths_figure(PATH, published=True).axes[panel]
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches if p.get_width()]
    assert len(spans) == 1
    np.testing.assert_allclose(spans[0], (0.03, 0.05))  # sums of three decimals


def test_the_exact_solver_s_figure_shades_nothing():
    figure = widths_figure(PATH, published=False)
    assert [list(ax.patches) for ax in figure.axes] == [[], []]


def test_the_legend_says_what_every_mark_means():
    assert set(labels(widths_figure(PATH, published=True))) == {
        "layer 1",
        "layer 2",
        "SciPy: no success",
        "not converged: solver at its start",
    }


def test_the_axes_are_labelled_and_widths_start_at_0():
    top, bottom = widths_figure(PATH, published=True).axes
    assert r"\lambda" in top.get_ylabel()
    assert "units" in bottom.get_ylabel()
    assert bottom.get_xlabel() == r"$\rho$"
    assert bottom.get_ylim()[0] == 0


def test_a_single_rho_can_be_drawn():
    columns = dataclasses.asdict(PATH)
    one = WidthPath(**{name: values[1:2] for name, values in columns.items()})
    assert rendered(widths_figure(one, published=True), "png").startswith(b"\x89PNG")


def test_the_thesis_s_widths_and_jump_are_marked_if_given():
    top, bottom = widths_figure(examples.width_path(), True, (8, 3, 3), 0.09).axes
    marked = [line.get_xydata().tolist() for line in bottom.lines[-3:]]
    assert marked == [[[0.09, 0], [0.09, 1]], [[0, 3], [1, 3]], [[0, 8], [1, 8]]]
    assert [text.get_text() for text in bottom.texts] == [r"$\hat m_2, \hat m_3$", r"$\hat m_1$"]
    assert [[0.09, 0], [0.09, 1]] in [line.get_xydata().tolist() for line in top.lines]


def test_without_the_thesis_nothing_of_it_is_marked():
    plain = widths_figure(examples.width_path(), True)
    assert [label for label in labels(plain) if "thesis" in label] == []


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_rendering_twice_gives_the_same_bytes(suffix):
    figure = widths_figure(PATH, published=True)
    again = widths_figure(PATH, published=True)
    first = rendered(figure, suffix)
    assert first == rendered(figure, suffix) == rendered(again, suffix)
