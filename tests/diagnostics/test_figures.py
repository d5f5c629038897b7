"""The figures show the evidence's numbers, and are legible."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.diagnostics.figures import alignment, first_width, information, loss_split
from mini_exp.diagnostics.pages import FIGURES, shown
from mini_exp.settings.diagnose import Diagnose
from tests.diagnostics.invented import N, evidence, spread
from tests.report.legibility import complaints, looks

NAMES = ("published", "published_bias", "corrected", "corrected_bias")


def columns(by=1.0):
    """Two parts of a loss, alignment and picks, of every stage."""
    made = {}
    for stage, rest, over in (
        ("original", 0.67, 1.0),
        ("compressed", 0.69, 0.1),
        ("finetuned", 0.6, 0.5),
    ):
        made |= {
            (stage, "loss at best scale"): spread(rest, 0.01 * by),
            (stage, "overconfidence"): spread(over, 0.1 * by),
            (stage, "loss"): spread(rest, 0.01 * by) + spread(over, 0.1 * by),
            (stage, "gradient cosine"): spread(over / 2, 0.1 * by),
            (stage, "accuracy"): spread(0.5 + over / 5, 0.05 * by),
        }
    made |= {("", "saturation"): np.log(100), ("", "label entropy"): np.log(2)}
    for estimator in ("absolute", "relative", "bins"):
        for layer in (1, 2, 3):
            for epoch in (1, 10, 200):
                where = epoch, layer
                made["original", f"input {estimator}", *where] = 4.6 - layer / (2 + epoch)
                made["original", f"label {estimator}", *where] = 0.69 - layer / (9 + epoch)
    for place in range(1, 17):
        made["original", "weight cosine of pick", place] = spread(1 / place, 0.02 * by)
    return made


def trials():
    """Accuracies that differ by network, width and arm."""
    made = {("as it is", "decayed", 16, np.nan): spread(0.7)}
    for i, arm in enumerate(("as it is", "centred")):
        made[arm, "original_twice", 16, 0.0] = spread(0.65 + 0.1 * i)
        for j, network in enumerate(("finetuned", "random_finetuned", "scratch_twice")):
            for k, width in enumerate((1, 8)):
                made[arm, network, width, 0.0] = spread(0.6 + 0.1 * i - 0.02 * j + 0.01 * k)
    return made


def several(n=4, replicated=True, by=1.0):
    made = []
    for name in NAMES[:n]:
        own = evidence(columns(by), trials(), replicated)
        own.variant = name
        made.append(own)
    return made


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("n", [1, 4])
def test_nothing_is_covered_cut_off_too_small_or_too_wide(name, n):
    assert complaints(FIGURES[name][1](several(n))) == []


@pytest.mark.parametrize("name", ["loss_split", "alignment", "picks", "information"])
def test_a_run_alone_is_drawn(name):
    assert complaints(FIGURES[name][1](several(replicated=False))) == []


@pytest.mark.parametrize("name", ["first_width", "picks"])
def test_lines_are_told_apart_without_colour(name):
    seen = list(looks(FIGURES[name][1](several())).values())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", FIGURES)
def test_few_resamples_give_an_interval_beside_the_mean(name):
    few = several(1)
    few[0].diagnose = Diagnose(first_widths=(1, 8), weight_decay=(1.0,), resamples=2)
    assert complaints(FIGURES[name][1](few)) == []


def test_alignment_alone_is_drawn_without_accuracies():
    made = {key: value for key, value in columns().items() if "cosine" in key[1]}
    assert complaints(alignment.alignment([evidence(made)])) == []


def test_bars_add_up_to_the_loss():
    figure = loss_split.loss_split(several())
    for ax in figure.axes:
        below, above = ax.containers[0], ax.containers[1]
        heights = [bar.get_height() for bar in below], [bar.get_height() for bar in above]
        assert_allclose(heights[0], [0.67, 0.69, 0.6], rtol=1e-12)
        assert_allclose(np.sum(heights, axis=0), [1.67, 0.79, 1.1], rtol=1e-12)
        assert_allclose([bar.get_y() for bar in above], heights[0], rtol=1e-12)


def test_accuracies_are_the_means_over_the_replicates():
    figure = first_width.first_width(several())
    top, bottom = figure.axes[0], figure.axes[4]
    for ax, lift in ((top, 0.0), (bottom, 0.1)):
        tuned = next(line for line in ax.get_lines() if line.get_label() == "pruned, fine-tuned")
        assert_allclose(tuned.get_xdata(), [1, 8])
        assert_allclose(tuned.get_ydata(), [0.6 + lift, 0.61 + lift], rtol=1e-12)


def test_a_mark_for_every_replicate_and_stage():
    figure = alignment.alignment(several())
    for ax in figure.axes:
        assert [len(line.get_xdata()) for line in ax.get_lines()] == [N, N, N]


def test_picks_are_means_over_the_replicates():
    figure = alignment.picks(several())
    assert_allclose(figure.axes[0].get_lines()[0].get_ydata(), 1 / np.arange(1, 17), rtol=1e-12)


def test_the_plane_has_a_panel_per_estimator_and_a_line_per_layer():
    figure = information.information(several())
    assert len(figure.axes) == 12
    line = figure.axes[0].get_lines()[0]
    assert_allclose(line.get_xdata(), 4.6 - 1 / np.array([3, 12, 202]), rtol=1e-12)
    assert_allclose(line.get_ydata(), 0.69 - 1 / np.array([10, 19, 209]), rtol=1e-12)


def test_the_plane_has_the_bounds_of_every_estimate():
    own = several(1)[0]
    middle = own._run["estimate"]
    own._run = own._run.assign(lower=middle - 0.2, upper=middle + 0.1)
    bars = information.information([own]).axes[0].collections[:2]
    for bar, axis, middles in zip(
        bars,
        (0, 1),
        (4.6 - 1 / np.array([3, 12, 202]), 0.69 - 1 / np.array([10, 19, 209])),
        strict=True,
    ):
        ends = np.array(bar.get_segments())[:, :, axis]
        assert_allclose(ends, middles[:, None] + [-0.2, 0.1], rtol=1e-12)


def test_figures_without_evidence_are_left_out():
    assert list(shown(several())) == list(FIGURES)
    without = [evidence(columns(), None)]
    assert "first_width" not in shown(without)
    assert list(shown([evidence({("original", "loss"): 1.0})])) == ["loss_split"]
