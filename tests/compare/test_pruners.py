"""Every pruner gives the widths it is asked for, by its own criterion."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import mini_exp
from mini_exp.compare.candidate import Candidate
from mini_exp.compare.pruners import all_methods, budget_methods, main_methods
from mini_exp.compare.pruners.l1_magnitude import L1_MAGNITUDE
from mini_exp.compare.pruners.pruner import Method
from mini_exp.compare.pruners.random_units import RANDOM_UNITS
from mini_exp.compare.pruners.spectral import spectral
from mini_exp.compare.pruners.torch_pruning import BATCH_NORM_SCALE, MAGNITUDE, TAYLOR
from mini_exp.compare.width_sets import WidthSet
from mini_exp.errors import NetworkError
from mini_exp.pruning.costs import network_costs
from mini_exp.pruning.widths import uniform_widths
from mini_exp.tasks.images.networks import ResNet, digits_cnn

METHODS = [  # digits_cnn has no batch norms
    method
    for method in all_methods([0.0, 0.5, 1.0])
    if method.pruner.name != "Torch-Pruning BNScale"
]
GROUPS = ("conv1", "conv2", "conv3", "conv4", "hidden")


def at(widths):
    return WidthSet("keep", 0.5, False, np.asarray(widths))


def candidate_of(network, *shape, seed=0, replicate=0):
    x, y = torch.randn(*shape), torch.randint(0, 10, shape[:1])
    return Candidate(network.eval(), x.split(20), y.split(20), seed, replicate)


@pytest.fixture(scope="module")
def candidate():
    torch.manual_seed(0)
    return candidate_of(digits_cnn(), 60, 1, 8, 8)


def named(method):
    return "-".join(str(value) for value in method.columns.values() if value not in (None, ""))


def widths_of(network):
    weighted = (nn.Conv2d, nn.Linear)
    return [len(module.weight) for module in network.modules() if isinstance(module, weighted)]


@pytest.mark.parametrize("method", METHODS, ids=named)
@pytest.mark.parametrize("widths", [[8, 8, 16, 16, 32], [15, 3, 31, 1, 63], [16, 16, 32, 32, 64]])
def test_every_method_gives_exactly_the_widths_and_leaves_the_network(candidate, method, widths):
    before = {name: value.clone() for name, value in candidate.network.state_dict().items()}
    pruned, seconds = candidate.pruned(method, at(np.array(widths)))
    assert widths_of(pruned) == [*widths, 10]
    assert seconds >= 0
    assert pruned(candidate.batches[0]).shape == (20, 10)
    for name, value in candidate.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_every_method_gives_a_residual_network_the_same_shapes():
    torch.manual_seed(0)
    residual = candidate_of(ResNet(8), 40, 3, 8, 8)
    widths = uniform_widths(residual.graph, 0.5)
    shapes = {
        tuple(tuple(p.shape) for p in residual.pruned(method, at(widths))[0].parameters())
        for method in METHODS
    }
    assert len(shapes) == 1


def test_spectral_pruning_is_that_of_prune(candidate):
    method = Method(spectral(0.25), "reconstruct")
    pruned, _ = candidate.pruned(method, at(np.array([5, 6, 7, 8, 9])))
    widths = dict(zip(GROUPS, (5, 6, 7, 8, 9), strict=True))
    expected, _ = mini_exp.prune(candidate.network, candidate.batches, widths=widths, theta=0.25)
    for name, value in expected.state_dict().items():
        assert torch.equal(pruned.state_dict()[name], value)


def test_l1_keeps_the_largest_filters(candidate):
    weight = candidate.network.conv1.weight.detach()
    largest = weight.abs().sum(dim=(1, 2, 3)).argsort(descending=True)[:4].sort().values
    pruned, _ = candidate.pruned(Method(L1_MAGNITUDE, "slice"), at(np.array([4] * 5)))
    assert torch.equal(pruned.conv1.weight, weight[largest])


def test_magnitude_of_torch_pruning_is_the_group_norm(candidate):
    """Rows that write a channel and columns that read it, as its documentation says."""
    network = candidate.network
    norms = network.conv1.weight.detach().flatten(1).square().sum(1)
    norms = norms + network.conv2.weight.detach().transpose(0, 1).flatten(1).square().sum(1)
    kept = norms.argsort(descending=True)[:4].sort().values
    pruned, _ = candidate.pruned(Method(MAGNITUDE, ""), at(np.array([4, 16, 32, 32, 64])))
    assert torch.equal(pruned.conv1.weight, network.conv1.weight.detach()[kept])


def test_taylor_looks_at_the_classes(candidate):
    """With other classes it keeps other channels."""
    labels = [(part + 1) % 10 for part in candidate.labels]
    other = dataclasses.replace(candidate, labels=labels)
    widths = np.array([8, 8, 16, 16, 32])
    first, second = (one.pruned(Method(TAYLOR, ""), at(widths))[0] for one in (candidate, other))
    assert not torch.equal(first.hidden.weight, second.hidden.weight)


def test_torch_pruning_to_another_width_is_refused(candidate, monkeypatch):
    monkeypatch.setattr("mini_exp.compare.pruners.torch_pruning._ratio", lambda *_: 0.5)
    with pytest.raises(NetworkError, match="Torch-Pruning: expected 4 channels of conv1, got 8"):
        candidate.pruned(Method(MAGNITUDE, ""), at(np.array([4, 8, 16, 16, 32])))


def test_the_random_order_is_the_replicates_own():
    torch.manual_seed(0)
    orders = [
        RANDOM_UNITS.paths(candidate_of(digits_cnn(), 20, 1, 8, 8, replicate=replicate))
        for replicate in (0, 1, 0)
    ]
    first, other, again = ([path.index_path.tolist() for path in paths] for paths in orders)
    assert first == again
    assert first != other
    assert [sorted(order) for order in first] == [[*range(m)] for m in (16, 16, 32, 32, 64)]


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_the_moments_count_for_whoever_uses_them(candidate, method):
    slow = dataclasses.replace(candidate)
    slow.moments_seconds = 1e6
    _, seconds = slow.pruned(method, at(np.array([8, 8, 16, 16, 32])))
    uses = method.pruner.name == "spectral" or method.weights == "reconstruct"
    assert (seconds >= 1e6) == uses


def test_main_methods_are_one_theta_and_what_people_would_use_instead():
    assert [named(method) for method in main_methods(0.25)] == [
        "spectral-0.25-reconstruct",
        "Torch-Pruning L1",
        "Torch-Pruning magnitude",
        "Torch-Pruning BNScale",
        "Torch-Pruning Taylor",
    ]


@pytest.mark.parametrize("method", budget_methods(), ids=named)
@pytest.mark.parametrize(("unit", "share"), [("flops", 0.5), ("parameters", 0.2)])
def test_global_pruning_uses_its_budget_and_leaves_the_network(candidate, method, unit, share):
    before = {name: value.clone() for name, value in candidate.network.state_dict().items()}
    smaller, _ = candidate.pruned(method, WidthSet(unit, share, True, np.array([])))
    costs = network_costs(candidate.network, candidate.graph, unit)
    full = costs.total(np.array([group.width for group in candidate.graph.groups]))
    assert 0.8 * share * full < costs.total(candidate.widths_of(smaller)) <= share * full
    for name, value in candidate.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_batch_norm_scale_is_for_networks_with_batch_norms(candidate):
    method = Method(BATCH_NORM_SCALE, "")
    assert not candidate.takes(method)
    assert candidate_of(ResNet(8), 40, 3, 8, 8).takes(method)


def test_batch_norm_scale_keeps_the_largest(candidate):
    torch.manual_seed(0)
    residual = candidate_of(ResNet(8), 40, 3, 8, 8)
    norm = residual.network.blocks[0].norm1
    torch.nn.init.uniform_(norm.weight, -1, 1)
    widths = np.array(
        [len(residual.network.get_parameter(g.writers[0])) for g in residual.graph.groups]
    )
    place = [group.name for group in residual.graph.groups].index("blocks.0.conv1")
    widths[place] = 5
    smaller, _ = residual.pruned(Method(BATCH_NORM_SCALE, ""), at(widths))
    kept = norm.weight.detach().abs().argsort(descending=True)[:5].sort().values
    assert torch.equal(smaller.blocks[0].norm1.weight, norm.weight.detach()[kept])
