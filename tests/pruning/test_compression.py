import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.testing import assert_close

from mini_exp.errors import DomainError
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.graph import Group, Reader, channel_graph
from mini_exp.pruning.selection import GroupPath, PruningSelection
from mini_exp.pruning.statistics import group_readers, reader_moments
from mini_exp.pruning.surgery import fold, shift, shrink, smaller_network
from tests.pruning.examples import (
    assert_same,
    example,
    naively_pruned,
    outputs,
    snapshot,
    written,
)


def selected(network, batches, share=0.5, seed=0):
    """Random channels, in random order."""
    rng = np.random.default_rng(seed)
    graph = channel_graph(network, batches[0][:1])
    paths = []
    for group in graph.groups:
        index_path = rng.permutation(group.width)[: max(int(share * group.width), 1)]
        paths.append(GroupPath(group, index_path, np.ones(len(index_path))))
    moments = reader_moments(network, group_readers(graph.groups), batches)
    return PruningSelection(tuple(paths)), moments


@pytest.mark.parametrize("options", [{}, {"weights": "slice"}, {"intercept": True}], ids=str)
@pytest.mark.parametrize("name", ["mlp, batch norm", "cnn", "nested", "read twice"])
def test_any_channels_may_be_kept(name, options):
    network, batches = example(name)
    selection, moments = selected(network, batches)
    before = snapshot(network)
    smaller = compressed_network(network, selection, moments, batches, Compression(**options))
    assert_same(before, snapshot(network))
    naive = naively_pruned(network, selection, batches, **options)
    assert_close(outputs(smaller, batches), outputs(naive, batches), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("options", [{"refit": True}, {"sequential": True}], ids=str)
def test_the_loss_on_the_calibration_set_is_no_larger(options):
    """For one group, least squares over more weights, or after nothing, can only be better."""
    network, batches = example("digits", n=96)
    selection, moments = selected(network, batches)
    group = selection.groups[2].group
    whole = tuple(
        path
        if path.group is group
        else GroupPath(path.group, np.arange(path.group.width), np.ones(path.group.width))
        for path in selection.groups
    )
    selection = PruningSelection(whole)
    errors = []
    for setting in ({"ridge": 0.0}, {"ridge": 0.0, **options}):
        smaller = compressed_network(network, selection, moments, batches, Compression(**setting))
        x = torch.cat(batches)
        with torch.no_grad():
            errors.append(float(((network[:9](x) - smaller[:9](x)) ** 2).mean()))
    assert errors[1] <= errors[0] * (1 + 1e-9)


def test_ridge_shrinks_the_new_weights():
    network, batches = example("mlp")
    selection, moments = selected(network, batches)
    sizes = [
        float(
            compressed_network(network, selection, moments, batches, Compression(ridge=ridge))[2]
            .weight.detach()
            .norm()
        )
        for ridge in (0.0, 1e-2, 1.0, 100.0)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.1 * sizes[0]


def test_ridge_is_relative_to_the_scale():
    network, batches = example("mlp")
    selection, moments = selected(network, batches)
    larger = copy.deepcopy(network)
    larger[0].weight.data *= 1e4
    larger[0].bias.data *= 1e4
    larger[2].weight.data /= 1e4
    readers = [reader for path in selection.groups for reader in path.group.readers]
    compression = Compression(ridge=0.1)
    expected = compressed_network(network, selection, moments, batches, compression)
    moments = reader_moments(larger, readers, batches)
    smaller = compressed_network(larger, selection, moments, batches, compression)
    assert_close(outputs(smaller, batches), outputs(expected, batches), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"weights": "fold"}, "weights: expected 'reconstruct' or 'slice', got 'fold'"),
        ({"ridge": -1.0}, "ridge: expected a finite number ≥ 0, got -1.0"),
        ({"ridge": np.nan}, "ridge: expected a finite number"),
        ({"ridge": np.inf}, "ridge: expected a finite number"),
    ],
)
def test_settings_outside_the_domain(settings, match):
    with pytest.raises(DomainError, match=match):
        Compression(**settings)


# Surgery


READERS = {
    "linear": (lambda: nn.Linear(4, 3), Reader("0", "x", 1), (4,)),
    "flattened": (lambda: nn.Linear(12, 3), Reader("0", "x", 3), (12,)),
    "convolution": (lambda: nn.Conv2d(4, 3, 2), Reader("0", "x", 1), (4, 5, 5)),
}
KEPT = np.array([0, 2, 3])


@pytest.mark.parametrize("by_weight", [False, True])
@pytest.mark.parametrize(("make", "reader", "shape"), READERS.values(), ids=READERS)
def test_fold_lets_the_reader_see_the_estimate(make, reader, shape, by_weight):
    torch.manual_seed(0)
    network = nn.Sequential(make()).double()
    per_channel = network[0].weight[0].numel() // 4 if by_weight else 1
    matrix = torch.randn(4 * per_channel, 3 * per_channel).double()
    weight = network[0].weight.detach().clone()
    fold(network, reader, KEPT, matrix.numpy(), by_weight)
    found = network[0].weight.detach()
    assert found.shape == weight.shape
    channels = found.reshape(3, 4, -1)
    assert not channels[:, 1].any()
    for output in range(3):
        if by_weight:
            expected = weight[output].reshape(-1) @ matrix
            assert_close(channels[output, KEPT].reshape(-1), expected)
        else:
            by_channel = weight[output].reshape(4, -1)
            for q in range(by_channel.shape[1]):
                assert_close(channels[output, KEPT, q], by_channel[:, q] @ matrix)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("make", "reader", "shape"), READERS.values(), ids=READERS)
def test_shift_adds_what_a_constant_gives(make, reader, shape, bias):
    torch.manual_seed(0)
    network = nn.Sequential(make()).double()
    if not bias:
        network[0].bias = None
    x, offset = torch.randn(2, *shape).double(), np.array([1.0, -2.0, 0.5, 3.0])
    constant = torch.from_numpy(offset).repeat_interleave(reader.positions)
    constant = constant.reshape(1, -1, *(1,) * (len(shape) - 1))
    with torch.no_grad():
        expected = network(x + constant)
        shift(network, reader, offset, by_weight=False)
        assert_close(network(x), expected)


def test_shrink_and_its_sizes():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    group = Group("0", 4, ("0",), ("1",), (), (Reader("3", "x", 4),))
    weight = network[3].weight.detach().clone()
    network[0].weight.requires_grad_(False)
    network[1].running_mean = torch.arange(4.0)
    shrink(network, GroupPath(group, KEPT[::-1], np.ones(3)), False)
    assert network[0].weight.shape == (3, 2, 3, 3)
    assert (network[0].out_channels, network[1].num_features, network[3].in_features) == (3, 3, 12)
    assert network[1].running_mean.tolist() == [0, 2, 3]
    assert torch.equal(network[3].weight, weight.reshape(3, 4, 4)[:, KEPT].flatten(1))
    assert not network[0].weight.requires_grad
    assert network[0].bias.requires_grad
    assert "running_mean" in dict(network[1].named_buffers())
    assert network(torch.ones(2, 2, 4, 4)).shape == (2, 3)


def test_shrink_without_affine_or_statistics():
    network = nn.Sequential(
        nn.Linear(2, 4, bias=False),
        nn.BatchNorm1d(4, affine=False, track_running_stats=False),
        nn.Linear(4, 3),
    )
    group = Group("0", 4, ("0",), ("1",), (), (Reader("2", "x", 1),))
    shrink(network, GroupPath(group, KEPT, np.ones(3)), False)
    assert network(torch.randn(5, 2)).shape == (5, 3)


def test_smaller_network_has_the_sizes():
    network, batches = example("pre-activation")
    selection, moments = selected(network, batches)
    pruned = compressed_network(network, selection, moments, batches, Compression())
    shapes = {name: tensor.shape for name, tensor in pruned.state_dict().items()}
    empty = smaller_network(network, selection)
    assert {name: tensor.shape for name, tensor in empty.state_dict().items()} == shapes


@pytest.mark.parametrize(("rescale", "p"), [(True, 0.1), (False, 0.4)])
def test_rescale_dropout(rescale, p):
    network = written(lambda net, x: x, drop=nn.Dropout(0.4), other=nn.Dropout2d(0.4))
    path = GroupPath(Group("a", 8, (), (), ("drop",), ()), np.array([2, 7]), np.ones(2))
    shrink(network, path, rescale)
    assert_allclose([network.drop.p, network.other.p], [p, 0.4])
