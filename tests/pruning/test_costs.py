import numpy as np
import pytest
import torch
from torch import nn

from mini_exp import prune
from mini_exp.pruning.costs import network_costs
from mini_exp.pruning.trace import channel_graph
from mini_exp.tasks.images.networks import ResNet, thesis_cnn
from tests.pruning.examples import NETWORKS, example
from tests.pruning.pruned import n_multiplications, n_parameters

MEASURES = {"parameters": n_parameters, "flops": n_multiplications}


@pytest.mark.parametrize("unit", MEASURES)
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("onto itself", "cnn")])
def test_the_cost_of_widths_is_what_the_smaller_network_has(name, unit):
    network, batches = example(name)
    graph = channel_graph(network, batches[0][:1])
    costs = network_costs(network, graph, unit)
    full = [group.width for group in graph.groups]
    assert costs.total(full) == MEASURES[unit](network, batches[0])
    rng = np.random.default_rng(0)
    for _ in range(3):
        widths = {group.name: int(rng.integers(1, group.width + 1)) for group in graph.groups}
        smaller, _ = prune(network, batches, widths=widths, weights="slice")
        expected = MEASURES[unit](smaller, batches[0])
        assert costs.total([widths[group.name] for group in graph.groups]) == expected


def test_the_parameter_of_a_prelu_counts():
    network, (x, *_) = example("cnn")
    graph = channel_graph(network, x[:1])
    costs = network_costs(network, graph, "parameters")
    full = [group.width for group in graph.groups]
    assert costs.total(full) == n_parameters(network, x)


def test_the_thesis_network():
    network, x = thesis_cnn(), torch.zeros(1, 3, 32, 32)
    graph = channel_graph(network, x)
    costs = network_costs(network, graph, "parameters")
    assert costs.total([32, 32, 64, 64, 512]) == 1250858
    first = 9 * 3 * 32 * 32 * 32 + 9 * 32 * 32 * 30 * 30
    rest = 9 * 32 * 64 * 15 * 15 + 9 * 64 * 64 * 13 * 13 + 2304 * 512 + 512 * 10
    costs = network_costs(network, graph, "flops")
    assert costs.total([32, 32, 64, 64, 512]) == first + rest
    assert costs.pairs[0, 1] == 9 * 30 * 30
    assert costs.pairs[3, 4] == 36


@pytest.mark.parametrize("unit", MEASURES)
def test_groups_that_are_left_whole_are_constant(unit):
    network, x = ResNet(8), torch.zeros(2, 3, 16, 16)
    graph = channel_graph(network, x[:1]).without_tied()
    costs = network_costs(network, graph, unit)
    assert not costs.pairs
    assert costs.total([16, 32, 64]) == MEASURES[unit](network, x)


def test_two_layers_between_the_same_groups_add_up():
    network, (x, *_) = example("two readers")
    graph = channel_graph(network, x[:1])
    assert network_costs(network, graph, "flops").pairs == {(0, 1): 2.0}


def test_batch_norms_count_two_per_channel():
    network = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 3))
    costs = network_costs(network, channel_graph(network, torch.ones(1, 6)), "parameters")
    assert (costs.constant, costs.linear.tolist()) == (3.0, [6.0 + 2.0 + 3.0])
