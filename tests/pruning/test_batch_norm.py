"""Batch norms of a network that has become smaller."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mini_exp import prune
from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.batch_norm import reestimate_batch_norm
from tests.pruning.examples import assert_same, example, outputs, snapshot
from tests.pruning.naive import average_batch_norms


def pooled(rows):
    """Mean and unbiased variance of all rows together, as NumPy has them."""
    return rows.mean(axis=0), rows.var(axis=0, ddof=1)


@pytest.mark.parametrize("sizes", [[16] * 5, [80], [39, 39, 2], [1] * 80, [78, 2]], ids=str)
def test_a_batch_norm_gets_mean_and_variance_of_all_samples_whatever_the_batches(sizes):
    network, batches = example("mlp, batch norm")
    x = torch.cat(batches)
    with torch.no_grad():
        mean, variance = pooled(network[0](x).numpy())
    reestimate_batch_norm(network, x.split(sizes))
    assert_allclose(network[1].running_mean, mean, rtol=1e-10)
    assert_allclose(network[1].running_var, variance, rtol=1e-10)


def test_a_batch_norm_of_one_value_per_channel_is_named():
    network, (x, *_) = example("mlp, batch norm")
    with pytest.raises(DomainError, match=r"^1: a batch norm needs .* at least 2 samples"):
        reestimate_batch_norm(network, [x[:1]])


@pytest.mark.parametrize("name", ["mlp, batch norm", "pre-activation", "post-activation"])
def test_all_batch_norms_against_the_formula(name):
    network, batches = example(name)
    expected, _ = example(name)
    average_batch_norms(expected, batches)
    reestimate_batch_norm(network, batches)
    for ours, theirs in zip(network.buffers(), expected.buffers(), strict=True):
        if ours.ndim:
            assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_only_the_statistics_of_batch_norms_change():
    network, batches = example("mlp, batch norm")
    network.train()
    before = snapshot(network)
    reestimate_batch_norm(network, batches)
    after = snapshot(network)
    for name in list(before["state"]):
        if "running" in name:
            assert not torch.equal(before["state"].pop(name), after["state"].pop(name))
    assert_same(before, after)


def test_dropout_stays_off():
    network, batches = example("mlp, batch norm")
    network.train()
    network[3].p = 1.0
    reestimate_batch_norm(network, batches)
    assert (network[5].running_var > 0).all()


def test_without_batch_norms_nothing_runs():
    network, batches = example("mlp")
    expected = outputs(network, batches)
    reestimate_batch_norm(network, [None])
    assert torch.equal(outputs(network, batches), expected)


def test_a_batch_that_the_network_does_not_take_is_named():
    network, (x, *_) = example("mlp, batch norm")
    with pytest.raises(NetworkError, match=r"does not take a batch \(16, 2\)"):
        reestimate_batch_norm(network, [x, x[:, :2]])
    assert network[1].momentum == 0.1


def two_blocks():
    """Batch norms before and behind the only group that is pruned, with statistics of their own."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 12), nn.Linear(12, 9), nn.BatchNorm1d(9)
    ).double()
    x = torch.randn(200, 6).double()
    reestimate_batch_norm(network, [x])
    return network.eval(), x


def test_a_batch_norm_in_front_of_what_became_smaller_stays():
    network, x = two_blocks()
    smaller, _ = prune(network, 3 * x, widths={"2": 5})
    assert torch.equal(smaller[1].running_var, network[1].running_var)


def test_statistics_stay_where_the_held_out_samples_prefer_them():
    network, x = two_blocks()
    odd = torch.cat([100 * x[:180], x[180:]])  # nothing like the tenth that is held out
    smaller, _ = prune(network, odd, widths={"2": 11}, ridge=0.0)
    assert torch.equal(smaller[4].running_var, network[4].running_var)


def test_statistics_are_renewed_where_the_held_out_samples_gain():
    network, x = two_blocks()
    with torch.no_grad():
        network[2].bias += 10  # which the kept channels alone carry on
        reestimate_batch_norm(network, [x])
    smaller, _ = prune(network, x, widths={"2": 9}, weights="slice")
    assert not torch.equal(smaller[4].running_var, network[4].running_var)
