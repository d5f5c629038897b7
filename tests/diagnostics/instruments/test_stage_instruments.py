"""What the instruments say of the stages, put together from what is tested on its own."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import torch

from mini_exp.diagnostics.instruments import (
    capacity,
    curvature,
    homology,
    information,
    margin,
    similarity,
)
from mini_exp.diagnostics.instruments.noisy_information import noisy_information
from mini_exp.diagnostics.stages import layer_outputs
from mini_exp.tasks.mini.training import scores
from tests.diagnostics import examples
from tests.diagnostics.instruments.small_stages import small_stages, values

NOISE = SimpleNamespace(absolute=0.1, relative=0.1)


@pytest.fixture(scope="module")
def plane():
    return information.measure(small_stages(), NOISE, 30)


def test_information_has_three_estimators_for_every_layer_and_stage(plane):
    seen = plane.groupby(["stage", "layer"])["quantity"].agg(set)
    for stage in ("original", "compressed", "finetuned"):
        for layer in (1, 2, 3):
            assert {
                f"{about} {estimator}"
                for about in ("input", "label")
                for estimator in ("absolute", "relative", "bins")
            } <= seen[stage, layer]


def test_information_lies_within_its_limits(plane):
    stages = small_stages()
    about_input = plane[plane["quantity"].str.startswith("input")]
    about_label = plane[plane["quantity"].str.startswith("label ") & (plane["layer"] > 0)]
    slack = 1e-12
    assert (about_input["upper"] <= math.log(stages.labels("train").shape[-1]) + slack).all()
    assert (about_label["upper"] <= math.log(2) + slack).all()
    assert (plane["lower"].fillna(0) <= plane["upper"].fillna(0) + slack).all()


def test_compression_is_the_fall_from_the_largest_of_the_epochs(plane):
    stages = small_stages()
    labels, epochs = stages.labels("train"), information.plane_epochs(20)
    middle = []
    for networks in stages.during("original", epochs):
        output = layer_outputs(networks, stages.data["train"][0])[1]
        bounds = noisy_information(output, labels, 0.1)
        middle.append((bounds.input_low + bounds.input_high) / 2)
    expected = np.max(middle, axis=0) - middle[-1]
    ours = values(plane, "compression absolute", "original", layer=2)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_a_run_has_the_plane_over_its_epochs():
    rows = information.measure(small_stages(replicates=1), NOISE, 30)
    last = rows[(rows["at"] == 20) & (rows["quantity"] == "input bins")]["estimate"].to_numpy()
    stage = rows[rows["at"].isna() & (rows["quantity"] == "input bins")]
    np.testing.assert_array_equal(last, stage[stage["stage"] == "original"]["estimate"].to_numpy())


def test_the_barrier_is_of_zero_padded_weights():
    stages = small_stages()
    rows = similarity.measure(stages)
    losses = []
    padded = stages.zero_padded("compressed")
    np.testing.assert_allclose(
        scores(padded, *stages.data["test"])[0],
        scores(stages.networks["compressed"], *stages.data["test"])[0],
        rtol=1e-10,
    )
    for t in np.linspace(0, 1, similarity.POINTS):
        own = stages.networks["original"].as_stack().replicate(0)
        for mixed, one, other in zip(
            own.parameters(),
            stages.networks["original"].parameters(),
            padded.parameters(),
            strict=True,
        ):
            mixed.data = (1 - t) * one.data + t * other.data
        losses.append(scores(own, *stages.data["test"])[0])
    losses = np.array(losses)
    chord = np.linspace(losses[0], losses[-1], similarity.POINTS)
    np.testing.assert_allclose(
        values(rows, "barrier", "compressed"), (losses - chord).max(0), atol=1e-12
    )


def test_similarity_has_every_layer_of_both_later_stages():
    rows = similarity.measure(small_stages())
    for quantity in ("cka", "svcca"):
        for stage in ("compressed", "finetuned"):
            for layer in (1, 2, 3):
                assert len(values(rows, quantity, stage, layer)) == 3


def test_a_network_s_accuracy_stands_beside_that_of_its_kernel():
    stages = small_stages()
    rows = similarity.measure(stages)
    expected = scores(stages.networks["original"], *stages.data["test"])[1]
    np.testing.assert_allclose(values(rows, "network accuracy", "original"), expected, rtol=1e-12)
    assert (values(rows, "kernel drift", "original") > 0).all()


def test_curvature_has_beta_at_least_the_sharpness():
    rows = curvature.measure(small_stages())
    for stage in ("original", "compressed", "finetuned"):
        assert (values(rows, "beta", stage) >= values(rows, "sharpness", stage)).all()
        assert (values(rows, "trace", stage) > 0).all()


def test_the_gap_is_population_minus_training():
    stages = small_stages()
    rows = capacity.measure(stages)
    networks = stages.networks["finetuned"]
    expected = scores(networks, *stages.data["population"])[0]
    expected = expected - scores(networks, *stages.data["train"])[0]
    np.testing.assert_allclose(values(rows, "loss gap", "finetuned"), expected, rtol=1e-12)
    assert values(rows, "bound", "original")[0] == pytest.approx(math.sqrt(841 / 100))


def test_margins_keep_their_bounds(monkeypatch):
    monkeypatch.setattr(margin, "SAMPLES", 2)
    rows = margin.measure(small_stages(), 0.95)
    margins = rows[rows["quantity"] == "margin"]
    assert len(margins) == 6
    assert (margins["lower"] <= margins["upper"]).all()
    means = rows[rows["quantity"] == "mean margin"].set_index("stage")
    for stage, own in margins.groupby("stage"):
        assert means.loc[stage, "lower"] == pytest.approx(own["lower"].mean())


def test_noise_on_a_layer_lowers_accuracy_to_that_of_guessing():
    stages = small_stages()
    network = stages.networks["original"].replicate(0)
    x = stages.data["train"][0][0]
    with torch.no_grad():
        y = (network(torch.from_numpy(x))[:, 0] > 0).double().numpy()
    clean, little, much = (
        margin.shares_right(network, x, y, 1, share).mean() for share in (0, 0.3, 1e6)
    )
    assert clean == 1
    assert much < little < clean


def test_noise_flips_a_linear_decision_as_often_as_a_normal_variable_says():
    """One unit x + 10 read as x: the decision x > 0 flips with probability Φ(−|x| / σ)."""
    x = np.linspace(-3, 3, 41)[:, None]
    network = examples.network([[[1.0]]], [[[1.0]]], biases=([[10.0]], [[-10.0]]))
    right = margin.shares_right(network.replicate(0), x, (x[:, 0] > 0) * 1.0, 1, 0.5)
    expected = scipy.stats.norm.cdf(np.abs(x[:, 0]) / (0.5 * x.std()))
    error = np.sqrt(expected * (1 - expected) / margin.NOISE_DRAWS).mean() / np.sqrt(len(x))
    assert right.mean() == pytest.approx(expected.mean(), abs=4 * error)  # standard errors


def test_what_is_lost_to_noise_is_measured_on_the_population(monkeypatch):
    monkeypatch.setattr(margin, "SAMPLES", 1)
    stages = small_stages()
    rows = margin.measure(stages, 0.95)
    network = stages.networks["finetuned"].replicate(0)
    x, y = (part[0] for part in stages.data["population"])
    clean = values(rows, "clean accuracy", "finetuned")
    assert clean == ((stages.logits("finetuned", "population")[0] > 0) == y).mean()
    lost = rows[(rows["stage"] == "finetuned") & (rows["quantity"] == "lost to noise")]
    assert set(lost["layer"]) == {1, 2, 3}
    row = lost[(lost["layer"] == 2) & (lost["at"] == 0.3)].iloc[0]
    expected = clean[0] - margin.shares_right(network, x, y, 2, 0.3).mean()
    assert row["estimate"] == pytest.approx(expected, abs=1e-12)
    assert row["lower"] < row["estimate"] < row["upper"]


def test_what_one_sample_loses_has_no_interval(monkeypatch):
    monkeypatch.setattr(margin, "SAMPLES", 1)
    stages = small_stages()
    one = {split: (x[:, :1], y[:, :1]) for split, (x, y) in stages.data.items()}
    rows = margin.measure(dataclasses.replace(stages, data=one), 0.95)
    lost = rows[rows["quantity"] == "lost to noise"]
    assert lost["estimate"].notna().all()
    assert lost[["lower", "upper"]].isna().all(axis=None)


def test_homology_starts_with_a_component_per_sample_that_differs():
    pytest.importorskip("ripser", reason="the extra [topology] brings it")
    rows = homology.measure(small_stages())
    data = rows[(rows["stage"] == "") & (rows["quantity"] == "betti 0")]
    assert data.sort_values("at")["estimate"].iloc[0] == 100
    assert set(rows["layer"]) == {0, 1, 2, 3}
