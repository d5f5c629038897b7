"""Instruments that train: what their rows are, at small sizes."""

import numpy as np
import pytest
import torch
from torch import nn

from mini_exp.diagnostics.instruments import (
    generators,
    invariance,
    optimality,
    random_labels,
    shapes,
)
from tests.diagnostics.instruments.small_stages import small_stages


def over(frame, quantity):
    return frame[frame["quantity"] == quantity].set_index("at")["estimate"]


def test_few_random_labels_are_fitted(monkeypatch):
    monkeypatch.setattr(random_labels, "EPOCHS", 400)
    monkeypatch.setattr(random_labels, "RUNS", 3)
    rows = random_labels.measure(small_stages(replicates=1))
    assert list(over(rows, "share that fits").index) == list(random_labels.SHARES)
    assert over(rows, "share that fits")[1.0] == 1
    assert (over(rows, "epochs to fit") > 1).all()


def test_what_is_not_fitted_has_no_median(monkeypatch):
    monkeypatch.setattr(random_labels, "EPOCHS", 2)
    monkeypatch.setattr(random_labels, "RUNS", 3)
    rows = random_labels.measure(small_stages(replicates=1))
    assert (over(rows, "share that fits") == 0).all()
    assert over(rows, "epochs to fit").isna().all()


def test_a_network_that_is_too_narrow_has_no_hole(monkeypatch):
    monkeypatch.setattr(shapes, "EPOCHS", 60)
    monkeypatch.setattr(shapes, "RUNS", 3)
    monkeypatch.setattr(shapes, "WIDTHS", (3,))
    rows = shapes._rows.__wrapped__(0)
    assert over(rows, "support of the ring")[3] == 0
    assert rows[rows["quantity"] == "fewest units for the ring"]["estimate"].tolist() == [3]
    lower = rows[rows["quantity"].str.startswith("accuracy")]["lower"]
    assert (lower > 0.5).all()


@pytest.fixture(scope="module")
def optimal():
    patch = pytest.MonkeyPatch()
    for name, value in (("WIDTHS", (1, 40)), ("RUNS", 3), ("DRAWS", 3), ("STEPS", 20_000)):
        patch.setattr(optimality, name, value)
    yield optimality._rows.__wrapped__(0)
    patch.undo()


def test_wide_networks_come_nearer_to_the_optimum(optimal):
    excess = over(optimal, "excess loss")
    assert excess[40] < excess[1]
    gap = optimal[optimal["quantity"] == "optimum gap"]["estimate"].item()
    assert 0 <= gap < 0.05


def test_biases_are_those_of_the_theorems(optimal):
    assert (np.diff(over(optimal, "time to learn").sort_index()) < 0).all()
    assert over(optimal, "cosine with the largest margin").iloc[-1] > 0.999
    assert over(optimal, "risk of early stopping").max() < 1.69
    errors = over(optimal, "test error of random features")
    assert errors.idxmax() == optimality.SAMPLES


def test_pruned_generators_are_scored_beside_the_whole_one(monkeypatch):
    for name, value in (("SEEDS", 2), ("STEPS", 3), ("KEPT", (16, 64)), ("POINTS", 40)):
        monkeypatch.setattr(generators, name, value)
    rows = generators._rows.__wrapped__(0, 0.95)
    whole = rows[rows["quantity"] == "W1 of the generator"]["estimate"].item()
    for method in generators.METHODS:
        scores = over(rows, f"W1 pruned by {method}")
        assert scores[64] == pytest.approx(whole, abs=1e-4)  # float32: nothing is removed
        assert scores[16] > 0
    assert (over(rows, "W1 gap spectral") == 0).all()


def test_a_generator_is_pruned_to_the_width(monkeypatch):
    monkeypatch.setattr(generators, "STEPS", 1)
    network = generators.trained_generator(np.random.default_rng(0))
    batch = torch.randn(50, generators.NOISE)
    smaller = generators.pruned(network, [batch], "magnitude", 5, np.random.default_rng(0))
    assert [layer.out_features for layer in smaller if isinstance(layer, nn.Linear)] == [5, 5, 2]


def test_moved_digits_are_scored_for_both_networks(monkeypatch):
    monkeypatch.setattr(invariance, "SEEDS", 1)
    monkeypatch.setattr(invariance, "EPOCHS", 3)
    rows = invariance._rows.__wrapped__(0).set_index("quantity")["estimate"]
    for kind in ("convolutions", "connections"):
        assert rows[f"accuracy of {kind}"] > 0.7
        assert rows[f"accuracy when shifted of {kind}"] < rows[f"accuracy of {kind}"]
    assert 0 < rows["equivariance error of a convolution"] < 0.5
