import warnings

import numpy as np
import pytest
import torch
from torch import nn

from mini_exp import prune
from mini_exp.tasks.images.networks import ResNet
from tests.pruning.examples import CHAINS, example, written
from tests.pruning.pruned import images, n_multiplications, n_parameters, vectors


def test_widths_by_name():
    network, batches = example("mlp")
    _, selection = prune(network, batches, widths={"2": np.int64(3)})
    assert selection.widths == {"0": 8, "2": 3}


@pytest.mark.parametrize("keep", [1e-9, 0.3, 0.31, 0.5, 0.99, 1])
def test_a_share_is_rounded_to_the_nearest(keep):
    network, batches = example("mlp")
    _, selection = prune(network, batches, keep=keep)
    for path in selection.groups:
        nearest = min(
            range(path.group.width + 1), key=lambda k: (abs(k - keep * path.group.width), -k)
        )
        assert len(path.index_path) == max(nearest, 1)


@pytest.mark.parametrize("unit", ["parameters", "flops"])
@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("name", CHAINS)
def test_a_budget_is_kept(name, share, unit):
    network, batches = example(name)
    smaller, _ = prune(network, batches, **{unit: share})
    measure = n_parameters if unit == "parameters" else n_multiplications
    assert measure(smaller, batches[0]) <= share * measure(network, batches[0])


def test_a_budget_counts_the_biases_that_the_intercept_adds():
    network = nn.Sequential(nn.Linear(6, 20, bias=False), nn.ReLU(), nn.Linear(20, 3, bias=False))
    smaller, _ = prune(network, [vectors()], parameters=0.3, intercept=True)
    assert n_parameters(smaller, None) <= 0.3 * n_parameters(network, None)


def test_a_budget_counts_layers_that_are_not_used():
    network = written(
        lambda net, x: net.out(torch.relu(net.a(x))),
        a=nn.Linear(6, 40),
        out=nn.Linear(40, 3),
        spare=nn.Linear(20, 20),
    )
    smaller, _ = prune(network, [vectors()], parameters=0.9)
    assert n_parameters(smaller, None) <= 0.9 * n_parameters(network, None)


def test_a_larger_loss_is_worth_more_width():
    """Of two equal layers the one with the flatter spectrum gets more channels."""
    network = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)).double()
    for layer in network:
        layer.weight.data, layer.bias.data = torch.eye(8).double(), torch.zeros(8).double()
    network[1].weight.data = torch.diag(10.0 ** -torch.arange(8)).double()
    _, selection = prune(network, [vectors(200, 8).double()], parameters=0.6)
    assert selection.widths["0"] > selection.widths["1"]


@pytest.mark.parametrize("unit", ["parameters", "flops"])
@pytest.mark.parametrize("name", ["pre-activation", "onto itself", "nested"])
def test_a_budget_for_networks_that_are_no_chains(name, unit):
    network, batches = example(name)
    smaller, selection = prune(network, batches, **{unit: 0.5})
    measure = n_parameters if unit == "parameters" else n_multiplications
    assert measure(smaller, batches[0]) <= 0.5 * measure(network, batches[0])
    assert 0 <= selection.gap < 0.2


def test_a_whole_number_counts_parameters():
    network, batches = example("mlp")
    total = n_parameters(network, batches[0])
    _, counted = prune(network, batches, parameters=total // 2)
    _, shared = prune(network, batches, parameters=(total // 2) / total)
    assert counted.widths == shared.widths


@pytest.mark.parametrize("information", [0.5, 0.9, 1.0])
def test_the_fewest_channels_with_enough_information(information):
    network, batches = example("mlp")
    _, selection = prune(network, batches, information=information)
    for kept in selection.groups:
        assert kept.information_ratio[-1] >= information - 1e-12
        assert (kept.information_ratio[:-1] < information).all()


def test_a_budget_for_the_insides_of_residual_blocks():
    network, x = ResNet(8), images(4, (3, 16, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smaller, selection = prune(network, [x], parameters=0.7, tied=False)
    assert list(selection.widths) == [f"blocks.{i}.conv1" for i in range(3)]
    assert n_parameters(smaller, x) <= 0.7 * n_parameters(network, x)
