"""The study's figures show the replicates' numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.study import figures
from mini_exp.study.summary import replicates_table, sweeps_table
from tests.study.invented import (
    ACCURACY,
    DIVERGED,
    LOSS,
    STUDY,
    VARIANTS,
    N,
    invented_arrays,
    invented_replicates,
)


@pytest.fixture(scope="module")
def arrays():
    return invented_arrays()


@pytest.fixture(scope="module")
def rows(arrays):
    return replicates_table(VARIANTS, STUDY, arrays)


@pytest.fixture(scope="module")
def replicates(arrays, rows):
    return invented_replicates(arrays, rows=rows)


def outline(ax):
    """Where the drawn histograms are above 0."""
    corners = np.concatenate([patch.get_xy() for patch in ax.patches])
    return corners[corners[:, 1] > 0, 0]


def test_the_thesis_s_values_are_marked_on_the_distributions(replicates):
    figure = figures.table1_distributions(replicates)
    marked = [line.get_xdata()[0] for ax in figure.axes for line in ax.lines]
    assert marked == [*LOSS.values(), *ACCURACY.values()]


@pytest.mark.parametrize("accuracy", [0.6, 0.98, 1.0])
def test_the_largest_accuracy_is_drawn(arrays, rows, accuracy):
    """Warnings are errors, and a histogram without a single value in its bins warns."""
    same = rows.assign(finetuned_test_accuracy=accuracy)
    ax = figures.table1_distributions(invented_replicates(arrays, rows=same)).axes[5]
    assert outline(ax).min() <= accuracy <= outline(ax).max()


def test_stages_are_paired_lines_with_means(rows, replicates):
    figure = figures.stages(replicates)
    own = rows[(rows["variant"] == "b") & (rows["diverged"] == 0)]
    stages = ["original", "compressed", "finetuned"]
    for ax, measure in ((figure.axes[1], "loss"), (figure.axes[4], "accuracy")):
        values = own[[f"{stage}_population_{measure}" for stage in stages]].to_numpy()
        lines = [line.get_ydata() for line in ax.lines]
        assert_allclose(lines[: N - 1], values)
        assert_allclose(lines[N - 1], values.mean(axis=0))
        assert_allclose(lines[N][0], own[f"constant_population_{measure}"].mean())


def test_widths_over_rho_are_drawn_as_solved_and_exactly(arrays):
    replicates = invented_replicates(arrays, "ab")
    sweeps = sweeps_table(replicates)
    axes = figures.widths_over_rho(replicates, sweeps).axes
    part = sweeps[(sweeps["variant"] == "a") & (sweeps["layer"] == 2)]
    for line, solver in zip(axes[1].lines, ("own", "exact"), strict=True):
        assert_allclose(line.get_ydata(), part.loc[part["solver"] == solver, "median"])
    assert [len(ax.lines) for ax in axes] == [2, 2, 2, 1, 1, 1]  # b's own solver is the exact one


def test_widths_over_rho_of_networks_of_different_depth(replicates):
    figure = figures.widths_over_rho(replicates, sweeps_table(replicates))
    assert [len(ax.lines) for ax in figure.axes[:8]] == [2, 2, 2, 1, 1, 1, 1, 1]


def test_where_the_jump_falls(arrays, rows, replicates):
    left, right = figures.jump(replicates).axes
    assert sum(patch.get_height() for patch in left.patches) == rows["full_from"][:N].count()
    full = np.equal(arrays["a.widths"], (16, 12, 10)).all(axis=2)
    shares = {line.get_label(): line.get_ydata() for line in right.lines}
    known = np.arange(N) != DIVERGED
    assert_allclose(shares["all widths full"], full[known].mean(axis=0))
    assert_allclose(shares["solver at its start"], arrays["a.at_start"][known].mean(axis=0))


def test_figures_of_one_replicate(arrays):
    replicates = invented_replicates({name: values[:1] for name, values in arrays.items()}, "ab")
    drawn = [
        figures.table1_distributions(replicates),
        figures.stages(replicates),
        figures.widths_over_rho(replicates, sweeps_table(replicates)),
        figures.jump(replicates),
    ]
    assert [len(figure.axes) for figure in drawn] == [6, 4, 6, 2]


def test_without_the_published_solver_every_variant_has_its_jump(arrays):
    figure = figures.jump(invented_replicates(arrays, ["b", "two"]))
    assert [ax.get_title().partition(":")[0] for ax in figure.axes] == ["b", "b", "two", "two"]
