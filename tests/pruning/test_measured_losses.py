"""Losses of a single narrower group, measured, and the widths that a budget gets by them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose
from torch import nn

from mini_exp import prune
from mini_exp.errors import DomainError
from mini_exp.pruning.compression import Compression
from mini_exp.pruning.measured_losses import curve, measured_losses
from mini_exp.pruning.recipe import greedy_paths, prunable_graph, second_moments

X = torch.randn(300, 6, generator=torch.Generator().manual_seed(1))


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 10), nn.Tanh(), nn.Linear(10, 3)
    ).eval()


def test_a_measured_loss_is_that_of_the_network_with_this_group_alone():
    original = network()
    graph = prunable_graph(original, [X])
    tensors, sigma = second_moments(original, graph, [X])
    paths = greedy_paths(original, graph, sigma, 0.5)
    losses = measured_losses(original, paths, tensors, [X], Compression())
    smaller, _ = prune(original, X, widths={"0": 10})
    with torch.no_grad():
        y = original(X)
        expected = (smaller(X) - y).square().sum(1).mean() / y.var(0, correction=0).sum()
    assert losses["0"][9] == pytest.approx(float(expected), rel=1e-4)  # float32


def test_all_channels_lose_nothing():
    assert curve([1, 3], [2.0, 1.0], 5)[-1] == 0


def test_what_was_measured_is_on_the_curve():
    losses = curve([1, 3, 6], [2.0, 0.5, 0.1], 8)
    assert_allclose(losses[[0, 2, 5]], [2.0, 0.5, 0.1])


@settings(deadline=None)
@given(arrays.arrays(float, 3, elements=st.floats(0, 10)))
def test_more_channels_never_lose_more(measured):
    losses = curve([1, 4, 7], measured, 9)
    assert (losses[1:] <= losses[:-1] * (1 + 1e-12)).all()  # rounding of exp and log


def test_a_single_channel_has_nothing_to_measure():
    assert curve([], [], 1).tolist() == [0]


def test_a_budget_is_spent_where_it_saves_most():
    torch.manual_seed(0)
    wide = nn.Linear(6, 40)
    wide.weight.data[2:] = wide.weight.data[0]  # two units do what all do
    wide.bias.data[2:] = wide.bias.data[0]
    original = nn.Sequential(wide, nn.Tanh(), nn.Linear(40, 10), nn.Tanh(), nn.Linear(10, 3))
    _, selection = prune(original, X, parameters=0.5)
    assert selection.widths["2"] == 10
    assert selection.widths["0"] < 22


def test_the_predicted_loss_is_the_sum_over_groups():
    _, selection = prune(network(), X, parameters=0.5)
    assert selection.predicted_loss > 0


def test_spectral_losses_predict_none():
    _, selection = prune(network(), X, parameters=0.5, losses="spectral")
    assert selection.predicted_loss is None


def test_other_losses_are_refused():
    with pytest.raises(DomainError, match="losses: expected 'measured' or 'spectral'"):
        prune(network(), X, parameters=0.5, losses="lambda")
