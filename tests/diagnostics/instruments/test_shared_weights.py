"""Candidates cut from shared weights."""

import numpy as np
import pytest
import torch

from mini_exp.diagnostics.instruments import shared_weights
from mini_exp.diagnostics.instruments.shared_weights import SharedNetwork, train_shared

X = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("widths", [(6, 6), (3, 2), (1, 6)])
def test_a_candidate_is_the_shared_network_with_its_widths(widths):
    network = SharedNetwork(4, 6, 2, 3)
    network.widths = widths
    with torch.no_grad():
        torch.testing.assert_close(network.candidate(widths)(X), network(X))


def test_a_candidate_is_a_copy():
    network = SharedNetwork(4, 6, 2, 3)
    before = network.connections[0].weight.detach().clone()
    network.candidate((6, 6))[0].weight.data.zero_()
    torch.testing.assert_close(network.connections[0].weight.detach(), before)


def test_training_shared_weights_ends_with_the_whole_network(monkeypatch):
    monkeypatch.setattr(shared_weights, "SHARED_EPOCHS", 30)
    torch.manual_seed(0)
    network = SharedNetwork(4, 64, 2, 2)
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0] > 0).long()
    train_shared(network, (x, y), np.random.default_rng(0), 0)
    assert network.widths == (64, 64)
    with torch.no_grad():
        assert (network(x).argmax(1) == y).double().mean() > 0.85  # guessing has a half


def test_rows_are_means_over_seeds(monkeypatch):
    seen = iter([(0.5, 0.2, 0.6, 0.9), (0.7, 0.2, 0.8, 0.9)])
    monkeypatch.setattr(shared_weights, "SEEDS", 2)
    monkeypatch.setattr(shared_weights, "_one", lambda seed, run: next(seen))
    rows = shared_weights._rows.__wrapped__(0, 0.95).set_index("quantity")
    assert rows.loc["rank correlation", "estimate"] == pytest.approx(0.6)
    assert rows.loc["rank correlation", "lower"] < 0.5
    assert rows.loc["accuracy alone", "lower"] == pytest.approx(0.9)
    assert rows.loc["rank correlation − of size", "estimate"] == pytest.approx(0.4)


def test_a_seed_has_a_correlation_and_accuracies(monkeypatch):
    for name, value in (("SHARED_EPOCHS", 4), ("EPOCHS", 3), ("CANDIDATES", 5)):
        monkeypatch.setattr(shared_weights, name, value)
    correlation, of_size, shared, alone = shared_weights._one(0, 0)
    assert -1 <= correlation <= 1
    assert 0 < of_size <= 1
    assert 0.1 < shared < 1
    assert 0.1 < alone < 1
