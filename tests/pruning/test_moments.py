from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn import functional

from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.blocks import patches_of
from mini_exp.pruning.moments import Watched, group_second_moment, reader_moments
from tests.pruning.examples import (
    NETWORKS,
    assert_same,
    example,
    graph_of,
    randomised,
    read_rows,
    snapshot,
)


def naive_moments(images, n_channels):
    """Image by image, position by position, channel by channel."""
    flat = images.reshape(len(images), n_channels, -1).tolist()
    positions = range(len(flat[0][0]))
    second, mean = np.zeros((n_channels, n_channels)), np.zeros(n_channels)
    for image, p in product(flat, positions):
        for i in range(n_channels):
            mean[i] += image[i][p]
            for j in range(n_channels):
                second[i, j] += image[i][p] * image[j][p]
    n = len(flat) * len(positions)
    return second / n, mean / n, n


def test_channels_of_an_image_against_loops():
    network = randomised(
        nn.Sequential(
            *(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.Flatten()),
            nn.Linear(16, 2),
        )
    )
    x = torch.randn(5, 1, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    graph = graph_of(network, x[:1])
    found = reader_moments(network, graph.readers, [x[:2], x[2:]])
    with torch.no_grad():
        first = torch.relu(network[0](x))
        second = torch.relu(network[2](first))
    for group, tensor in zip(graph.groups, (first, second), strict=True):
        moments = found[group.readers[0].tensor]
        sigma, mean, n = naive_moments(tensor, group.width)
        assert_allclose(moments.second_moment(), sigma, rtol=1e-12)
        assert_allclose(moments.mean, mean, rtol=1e-12)
        assert moments.n_rows == n
        assert moments.cross is None
        assert_allclose(moments.target_mean, mean, rtol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_reader_s_moments(name):
    network, batches = example(name)
    graph = graph_of(network, batches[0][:1])
    found = reader_moments(network, graph.readers, batches)
    for group in graph.groups:
        rows = read_rows(network, batches, group)
        for reader in group.readers:
            phi, moments = rows[reader.module], found[reader.tensor]
            assert moments.n_rows == len(phi)
            assert_allclose(moments.second_moment(), phi.T @ phi / len(phi), rtol=1e-10, atol=1e-12)
            assert_allclose(moments.mean, phi.mean(axis=0), rtol=1e-10, atol=1e-12)
            centred = (phi - phi.mean(axis=0)).T @ (phi - phi.mean(axis=0)) / len(phi)
            assert_allclose(moments.estimated(centred=True)[0], centred, rtol=1e-9, atol=1e-11)


CONVOLUTIONS = [
    {"kernel_size": 3},
    {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0)},
    {"kernel_size": 2, "dilation": 2, "padding": 1, "stride": 2},
]


def patches(module):
    """What the patches of a convolution of three channels are, and what it makes of them."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 1), module).double()
    x, seen = torch.randn(5, 2, 7, 6).double(), []
    ((reader,),) = (group.readers for group in graph_of(network, x).groups)
    watched = Watched(
        network, {"": reader}, lambda _, reader, x, call: seen.append(patches_of(x, reader, call))
    )
    with torch.no_grad(), watched:
        y = network(x)
    return torch.as_tensor(seen[0]), y.flatten(2).transpose(1, 2).flatten(0, 1)


@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
def test_patches_times_weights_are_the_convolution(settings):
    module = nn.Conv2d(3, 4, **settings, bias=False)
    rows, y = patches(module)
    assert_allclose(rows @ module.weight.detach().flatten(1).T, y, atol=1e-12)


def test_patches_are_what_is_left_after_padding_of_another_kind():
    module = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect", bias=False)
    rows, y = patches(module)
    assert_allclose(rows @ module.weight.detach().flatten(1).T, y, atol=1e-12)


NO_PATCHES = {
    "same": (nn.Conv2d(3, 2, 3, padding="same"), "padding in numbers, got 'same'"),
    "transposed": (nn.ConvTranspose2d(3, 2, 3), "convolutions of images, got conv_transpose2d"),
}


@pytest.mark.parametrize(("module", "match"), NO_PATCHES.values(), ids=NO_PATCHES)
def test_patches_that_are_not_covered(module, match):
    with pytest.raises(NetworkError, match=f"refit: 1: .*{match}"):
        patches(module)


def test_moments_of_patches():
    network, batches = example("digits", n=6)
    (_, group, *_) = graph_of(network, batches[0][:1]).groups
    found = reader_moments(network, group.readers, batches, by_weight=True)[group.readers[0].weight]
    module = network.get_submodule(group.readers[0].module)
    with torch.no_grad():
        x = network[:6](torch.cat(batches))
        rows = functional.unfold(x, 3, padding=1).transpose(1, 2).flatten(0, 1)
    assert found.n_rows == 6 * 16
    assert found.second_sum.shape == (module.weight[0].numel(),) * 2
    assert_allclose(found.second_moment(), rows.T @ rows / len(rows), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("by_weight", [False, True])
def test_cross_moments_with_another_network(by_weight):
    network, batches = example("digits", n=6)
    other, _ = example("digits", seed=5)
    group = graph_of(network, batches[0][:1]).groups[3]
    (reader,) = group.readers
    found = reader_moments(network, [reader], batches, by_weight, target=other)
    moments = found[reader.weight if by_weight else reader.tensor]
    phi, psi = (
        torch.cat(
            [net[: list(dict(net.named_children())).index(reader.module)](x) for x in batches]
        )
        .detach()
        .numpy()
        for net in (network, other)
    )
    if not by_weight:
        phi, psi = (a.reshape(6, 32, 4).transpose(0, 2, 1).reshape(24, 32) for a in (phi, psi))
    assert_allclose(moments.second_moment(), phi.T @ phi / len(phi), rtol=1e-10, atol=1e-12)
    assert_allclose(moments.cross, psi.T @ phi / len(phi), rtol=1e-10, atol=1e-12)
    assert_allclose(moments.target_mean, psi.mean(axis=0), rtol=1e-10, atol=1e-12)
    centred = (psi - psi.mean(axis=0)).T @ (phi - phi.mean(axis=0)) / len(phi)
    assert_allclose(moments.estimated(centred=True)[1], centred, rtol=1e-9, atol=1e-11)


def test_sums_are_in_float64_whatever_the_network_s_type():
    network = nn.Sequential(nn.Identity(), nn.Linear(2, 2, bias=False), nn.Linear(2, 1)).half()
    network[1].weight.data = torch.eye(2).half()
    x = torch.tensor([[200.0, 0.1]]).half().repeat(5000, 1)
    group = graph_of(network, x[:1]).groups[0]
    moments = reader_moments(network, group.readers, x.split(100))[group.readers[0].tensor]
    small = float(x[0, 1].double())
    assert_allclose(
        moments.second_moment(), [[4e4, 200 * small], [200 * small, small**2]], rtol=1e-12
    )


def test_readers_of_one_tensor_are_looked_at_once():
    network, batches = example("two readers")
    groups = graph_of(network, batches[0][:1]).groups
    assert len(reader_moments(network, groups[0].readers, batches)) == 1
    assert len(reader_moments(network, groups[0].readers, batches, by_weight=True)) == 2


def test_the_network_stays_as_it_was():
    network, batches = example("mlp, batch norm")
    network.train()
    network[3].eval()
    before = snapshot(network)
    group = graph_of(network, batches[0][:1]).groups[0]
    reader_moments(network, group.readers, batches)
    assert_same(before, snapshot(network))


def test_no_sample():
    network, batches = example("mlp")
    group = graph_of(network, batches[0][:1]).groups[0]
    with pytest.raises(DomainError, match="at least one calibration batch, got none"):
        reader_moments(network, group.readers, [])


def test_what_is_not_finite_names_its_reader():
    network, (x, *_) = example("mlp")
    readers = graph_of(network, x[:1]).readers
    network[2].weight.data[0, 0] = torch.nan
    with pytest.raises(DomainError, match=r"^4: .*not finite"):
        reader_moments(network, readers[1:], [x])
    x[3, 0] = torch.inf
    with pytest.raises(DomainError, match=r"^2: .*not finite"):
        reader_moments(network, readers, [x])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_second_moment_of_a_group_is_the_sum_over_its_tensors(name):
    network, batches = example(name)
    graph = graph_of(network, batches[0][:1])
    moments = reader_moments(network, graph.readers, batches)
    for group in graph.groups:
        rows = read_rows(network, batches, group)
        tensors = {reader.tensor: rows[reader.module] for reader in group.readers}
        expected = sum(phi.T @ phi / len(phi) for phi in tensors.values())
        found = group_second_moment(group, moments)
        assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert_array_equal(found, found.T)
        count = moments[group.readers[0].tensor].n_rows
        if len(tensors) == 1:
            total = group_second_moment(group, moments, "sum")
            assert_allclose(total, count * expected, rtol=1e-10, atol=1e-10)
