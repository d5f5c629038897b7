import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mini_exp import prune
from mini_exp.pruning.costs import network_costs
from mini_exp.pruning.selection import GroupPath, first_channels
from mini_exp.pruning.surgery import smaller_network
from mini_exp.tasks.images.networks import ResNet, thesis_cnn
from tests.pruning.examples import NETWORKS, example, graph_of, randomised
from tests.pruning.forms import convolutional, sequential
from tests.pruning.pruned import images, n_multiplications, n_parameters

MEASURES = {"parameters": n_parameters, "flops": n_multiplications}


@pytest.mark.parametrize("unit", MEASURES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_cost_of_widths_is_what_the_smaller_network_has(name, unit):
    network, batches = example(name)
    graph = graph_of(network, batches[0][:1])
    costs = network_costs(network, graph, unit)
    full = [group.width for group in graph.groups]
    assert costs.total(full) == MEASURES[unit](network, batches[0])
    rng = np.random.default_rng(0)
    for _ in range(3):
        widths = {group.name: int(rng.integers(1, group.width + 1)) for group in graph.groups}
        smaller, _ = prune(network, batches, widths=widths, weights="slice")
        expected = MEASURES[unit](smaller, batches[0])
        assert costs.total([widths[group.name] for group in graph.groups]) == expected


FORMS = {
    **{name: (make, lambda: images(2).double()) for name, (make, _) in convolutional.FORMS.items()},
    **{name: (make, inputs) for name, (make, inputs, _) in sequential.FORMS.items()},
}


@pytest.mark.parametrize(("make", "inputs"), FORMS.values(), ids=FORMS)
def test_parameters_of_widths_are_those_of_the_smaller_network_of_every_form(make, inputs):
    network, x = randomised(make()).eval(), inputs()
    graph = graph_of(network, x)
    costs = network_costs(network, graph, "parameters")
    rng = np.random.default_rng(0)
    for _ in range(3):
        selection = at_random(graph, rng)
        smaller = smaller_network(network, selection)
        assert costs.total(list(selection.widths.values())) == n_parameters(smaller, x)


def at_random(graph, rng):
    """The first channels of every group, as many as chance says."""
    paths = [
        GroupPath(group, np.arange(group.width), np.ones(group.width)) for group in graph.groups
    ]
    return first_channels(paths, [int(rng.integers(1, group.width + 1)) for group in graph.groups])


def counted(network, x):
    """Multiply-accumulates of a sample as PyTorch counts them: two operations each."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return counter.get_total_flops() / 2 / len(x)


@pytest.mark.parametrize("name", convolutional.FORMS)
def test_flops_of_widths_are_what_torch_counts_in_the_smaller_network(name):
    network, x = randomised(convolutional.FORMS[name][0]()).eval(), images(2).double()
    graph = graph_of(network, x)
    costs = network_costs(network, graph, "flops")
    assert costs.total([group.width for group in graph.groups]) == counted(network, x)
    rng = np.random.default_rng(0)
    for _ in range(3):
        selection = at_random(graph, rng)
        expected = counted(smaller_network(network, selection), x)
        assert costs.total(list(selection.widths.values())) == expected


@pytest.mark.parametrize("name", ["a vision transformer", "weights by columns", "a mixer"])
def test_flops_that_a_transformer_loses_are_those_that_torch_no_longer_counts(name):
    """Products of activations are not counted here; they stay as they are."""
    make, inputs, _ = sequential.FORMS[name]
    network, x = randomised(make()).eval(), inputs()
    graph = graph_of(network, x)
    costs = network_costs(network, graph, "flops")
    whole = costs.total([group.width for group in graph.groups])
    rng = np.random.default_rng(0)
    for _ in range(3):
        selection = at_random(graph, rng)
        lost = counted(network, x) - counted(smaller_network(network, selection), x)
        assert whole - costs.total(list(selection.widths.values())) == lost


def test_the_thesis_network():
    network, x = thesis_cnn(), torch.zeros(1, 3, 32, 32)
    graph = graph_of(network, x)
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
    graph = graph_of(network, x[:1])
    tied = [group.name for group in graph.groups if len(group.writers) > 1]
    costs = network_costs(network, graph.without(dict.fromkeys(tied, "tied")), unit)
    assert not costs.pairs
    assert costs.total([16, 32, 64]) == MEASURES[unit](network, x)


def test_two_layers_between_the_same_groups_add_up():
    network, (x, *_) = example("two readers")
    graph = graph_of(network, x[:1])
    assert network_costs(network, graph, "flops").pairs == {(0, 1): 2.0}


def test_batch_norms_count_two_per_channel():
    network = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 3))
    costs = network_costs(network, graph_of(network, torch.ones(1, 6)), "parameters")
    assert (costs.constant, costs.linear.tolist()) == (3.0, [6.0 + 2.0 + 3.0])
