"""Data set, losses, second moments, selection: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

from mini_exp.report import drawing
from mini_exp.report.dataset_figures import dataset_figure
from mini_exp.report.history_figures import history_figure, loss_figure
from mini_exp.report.moment_figures import degrees_of_freedom_figure, second_moment_figure
from mini_exp.report.selection_figures import selection_figure
from tests.report import examples
from tests.report.legibility import labels

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def lines(ax) -> dict[str, np.ndarray]:
    """The points of every labelled line."""
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_colours_are_those_of_the_style_sheet():
    assert drawing.COLOURS == OKABE_ITO
    assert len(drawing.MARKERS) == len(drawing.DASHES) == len(OKABE_ITO)


# The data set


@pytest.mark.parametrize(("panel", "split"), [(0, "train"), (1, "test")])
def test_the_mean_of_every_sample_is_drawn(panel, split):
    samples = examples.samples(7, 5)
    line = dataset_figure(samples).axes[panel].lines[0]
    x, _ = samples[split]
    np.testing.assert_array_equal(line.get_ydata(), x.mean(axis=1))
    np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(x) + 1))


@pytest.mark.parametrize(("panel", "split"), [(2, "train"), (3, "test")])
def test_the_label_of_every_sample_is_drawn(panel, split):
    samples = examples.samples(7, 5)
    steps = dataset_figure(samples).axes[panel].patches[0].get_data()
    np.testing.assert_array_equal(steps.values, samples[split][1])


@pytest.mark.parametrize(("n_train", "n_test"), [(1, 5), (5, 1)])
def test_a_single_sample_can_be_drawn(n_train, n_test):
    figure = dataset_figure(examples.samples(n_train, n_test))
    assert drawing.rendered(figure, "png").startswith(b"\x89PNG")


# Losses


@pytest.mark.parametrize(
    ("label", "column"), [("training loss", "loss"), ("test loss", "test_loss")]
)
def test_the_losses_are_drawn_from_epoch_1(label, column):
    history = examples.history(6)
    drawn = lines(loss_figure(history).axes[0])[label]
    np.testing.assert_array_equal(drawn, np.column_stack([np.arange(1, 7), history[column]]))


def test_the_thesis_s_test_loss_is_a_star_at_the_last_epoch():
    figure = loss_figure(examples.history(), 1.45)
    star = figure.axes[0].lines[-1]
    assert (star.get_marker(), star.get_xydata().tolist()) == ("*", [[200, 1.45]])
    assert "thesis: test loss 1.45" in labels(figure)


def test_without_the_thesis_s_loss_there_is_no_star():
    assert [label for label in labels(loss_figure(examples.history())) if "thesis" in label] == []


def test_fine_tuning_goes_on_where_training_ended():
    original, finetuned = examples.validated_history(4), examples.validated_history(2)
    loss, accuracy = history_figure(original, finetuned).axes
    drawn = lines(loss)
    assert drawn["original, training"][:, 0].tolist() == [1, 2, 3, 4]
    tuned = drawn["compressed, fine-tuned, validation"]
    np.testing.assert_array_equal(tuned[:, 0], [5, 6])
    np.testing.assert_array_equal(tuned[:, 1], finetuned["validation_loss"])
    shown = accuracy.lines[1].get_ydata()
    np.testing.assert_array_equal(shown, 100 * finetuned["validation_accuracy"])


# Second moments and spectra


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_heat_map_shows_its_layer_s_matrix(layer):
    moments = examples.moments()
    ax, bar = second_moment_figure(moments, layer, "sum").axes
    sigma = moments.groups.sigma[f"layers.{layer}"]
    np.testing.assert_array_equal(ax.images[0].get_array(), sigma)
    assert ax.get_xlabel() == ax.get_ylabel() == f"unit of layer {layer + 1}"
    assert "sum over 100 samples" in bar.get_ylabel()


def test_second_moments_of_a_network_share_their_colours():
    moments = examples.moments()
    norms = [second_moment_figure(moments, i, "sum").axes[0].images[0].norm for i in range(3)]
    largest = max(sigma.max() for sigma in moments.groups.sigma.values())
    assert {(norm.vmin, norm.vmax) for norm in norms} == {(0, largest)}


def test_degrees_of_freedom_are_drawn_of_layers_and_of_channels():
    moments = examples.spectra(n_groups=2)
    figure = degrees_of_freedom_figure(moments)
    for ax, spectra in zip(
        figure.axes, (moments.flattened, moments.groups.eigenvalues), strict=True
    ):
        for line, mu in zip(ax.lines, spectra.values(), strict=False):
            lambdas, drawn = line.get_data()
            # Both are sums of up to 200 quotients in [0, 1].
            expected = [(mu / (mu + one)).sum() for one in lambdas]
            np.testing.assert_allclose(drawn, expected, rtol=1e-12)


def test_the_limit_of_whole_layers_is_the_number_of_images():
    layers, channels = degrees_of_freedom_figure(examples.spectra()).axes
    assert list(layers.lines[-1].get_ydata()) == [2000, 2000]
    assert "images ($n = 2000$)" not in lines(channels)


def test_without_whole_layers_there_is_a_panel_of_channels_alone():
    figure = degrees_of_freedom_figure(examples.spectra(2, flattened=False))
    assert [ax.get_title() for ax in figure.axes] == ["channels"]
    assert labels(figure) == ["features.0 (64 channels)", "features.1 (64 channels)"]


# Selection


def test_the_greedy_path_and_the_best_of_all_sets_are_drawn():
    selection = examples.selection((6, 5, 4))
    figure = selection_figure(selection, 0.25)
    for i, kept in enumerate(selection.groups):
        top, bottom = figure.axes[i], figure.axes[3 + i]
        drawn = lines(top) | lines(bottom)
        for name, label in (("A", "$L^{(A)}$"), ("B", "$L^{(B)}$")):
            np.testing.assert_array_equal(drawn[f"greedy {label}"][:, 1], kept.path.losses[name])
        np.testing.assert_array_equal(
            drawn[r"greedy $\mathcal{C}$"][:, 1], kept.path.information_ratio
        )
        hollow = [line for line in bottom.lines if line.get_markerfacecolor() == "none"]
        for line, name in zip(hollow, ("A", "B", "theta"), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), kept.path.exhaustive[name])


def test_the_title_and_a_line_say_what_is_kept():
    figure = selection_figure(examples.selection((6, 5, 4)), 0.5)
    assert figure.axes[0].get_title() == "layer 1: 3 of 6 units kept"
    assert lines(figure.axes[0])["kept"][:, 0].tolist() == [3, 3]


def test_a_layer_too_wide_for_losses_says_so():
    figure = selection_figure(examples.selection((200,), best=False, losses=False), 0.5)
    assert [text.get_text() for text in figure.axes[1].texts] == ["too wide for losses"]
    assert labels(figure) == [r"greedy $\mathcal{C}$", "kept"]
