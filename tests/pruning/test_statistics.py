import contextlib
from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional

from mini_exp.errors import DomainError, NetworkError, ShapeError
from mini_exp.pruning.graph import Reader, channel_graph
from mini_exp.pruning.statistics import (
    eval_mode,
    group_readers,
    inputs,
    patches,
    reader_moments,
    reestimate_batch_norm,
)
from tests.pruning.examples import (
    NETWORKS,
    assert_same,
    average_batch_norms,
    example,
    outputs,
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
    graph = channel_graph(network, x[:1])
    found = reader_moments(network, group_readers(graph.groups), [x[:2], x[2:]])
    with torch.no_grad():
        first = torch.relu(network[0](x))
        second = torch.relu(network[2](first))
    for group, tensor in zip(graph.groups, (first, second), strict=True):
        moments = found[group.readers[0].tensor]
        sigma, mean, n = naive_moments(tensor, group.width)
        assert_allclose(moments.second, sigma, rtol=1e-12)
        assert_allclose(moments.mean, mean, rtol=1e-12)
        assert moments.n_rows == n
        assert_allclose(moments.cross, sigma, rtol=1e-12)
        assert_allclose(moments.target_mean, mean, rtol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_reader_s_moments(name):
    network, batches = example(name)
    graph = channel_graph(network, batches[0][:1])
    found = reader_moments(network, group_readers(graph.groups), batches)
    for group in graph.groups:
        rows = read_rows(network, batches, group)
        for reader in group.readers:
            phi, moments = rows[reader.module], found[reader.tensor]
            assert moments.n_rows == len(phi)
            assert_allclose(moments.second, phi.T @ phi / len(phi), rtol=1e-10, atol=1e-12)
            assert_allclose(moments.mean, phi.mean(axis=0), rtol=1e-10, atol=1e-12)
            centred = (phi - phi.mean(axis=0)).T @ (phi - phi.mean(axis=0)) / len(phi)
            assert_allclose(moments.centred.second, centred, rtol=1e-9, atol=1e-11)


READER = Reader("name", "x", 1)
CONVOLUTIONS = [
    {"kernel_size": 3},
    {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0)},
    {"kernel_size": 2, "dilation": 2, "padding": 1, "stride": 2},
]


@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
def test_patches_times_weights_are_the_convolution(settings):
    torch.manual_seed(0)
    module = nn.Conv2d(3, 4, **settings, bias=False).double()
    x = torch.randn(5, 3, 7, 6).double()
    with torch.no_grad():
        y = torch.einsum("ou,bup->bop", module.weight.flatten(1), patches(x, READER, module))
        assert_allclose(y, module(x).flatten(2), atol=1e-12)


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"padding_mode": "reflect"}])
def test_patches_that_are_not_covered(settings):
    with pytest.raises(NetworkError, match="name: expected a Conv2d with zero padding in numbers"):
        patches(torch.ones(1, 2, 5, 5), READER, nn.Conv2d(2, 2, 3, **{"padding": 1, **settings}))


def test_moments_of_patches():
    network, batches = example("digits", n=6)
    (_, group, *_) = channel_graph(network, batches[0][:1]).groups
    found = reader_moments(network, group.readers, batches, by_weight=True)[group.readers[0].module]
    module = network.get_submodule(group.readers[0].module)
    with torch.no_grad():
        x = network[:6](torch.cat(batches))
        rows = functional.unfold(x, 3, padding=1).transpose(1, 2).flatten(0, 1)
    assert found.n_rows == 6 * 16
    assert found.second.shape == (module.weight[0].numel(),) * 2
    assert_allclose(found.second, rows.T @ rows / len(rows), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("by_weight", [False, True])
def test_cross_moments_with_another_network(by_weight):
    network, batches = example("digits", n=6)
    other, _ = example("digits", seed=5)
    group = channel_graph(network, batches[0][:1]).groups[3]
    (reader,) = group.readers
    found = reader_moments(network, [reader], batches, by_weight, target=other)
    moments = found[reader.module if by_weight else reader.tensor]
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
    assert_allclose(moments.second, phi.T @ phi / len(phi), rtol=1e-10, atol=1e-12)
    assert_allclose(moments.cross, psi.T @ phi / len(phi), rtol=1e-10, atol=1e-12)
    assert_allclose(moments.target_mean, psi.mean(axis=0), rtol=1e-10, atol=1e-12)
    centred = (psi - psi.mean(axis=0)).T @ (phi - phi.mean(axis=0)) / len(phi)
    assert_allclose(moments.centred.cross, centred, rtol=1e-9, atol=1e-11)


def test_sums_are_in_float64_whatever_the_network_s_type():
    network = nn.Sequential(nn.Identity(), nn.Linear(2, 2, bias=False), nn.Linear(2, 1)).half()
    network[1].weight.data = torch.eye(2).half()
    x = torch.tensor([[200.0, 0.1]]).half().repeat(5000, 1)
    group = channel_graph(network, x[:1]).groups[0]
    moments = reader_moments(network, group.readers, x.split(100))[group.readers[0].tensor]
    small = float(x[0, 1].double())
    assert_allclose(moments.second, [[4e4, 200 * small], [200 * small, small**2]], rtol=1e-12)


def test_readers_of_one_tensor_are_looked_at_once():
    network, batches = example("two readers")
    groups = channel_graph(network, batches[0][:1]).groups
    assert len(reader_moments(network, groups[0].readers, batches)) == 1
    assert len(reader_moments(network, groups[0].readers, batches, by_weight=True)) == 2


def test_the_network_stays_as_it_was():
    network, batches = example("mlp, batch norm")
    network.train()
    network[3].eval()
    before = snapshot(network)
    group = channel_graph(network, batches[0][:1]).groups[0]
    reader_moments(network, group.readers, batches)
    assert_same(before, snapshot(network))


def test_modes_come_back_after_an_error():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    network[1].train()

    modes = []
    with contextlib.suppress(KeyboardInterrupt), eval_mode(network):
        modes = [module.training for module in network.modules()]
        raise KeyboardInterrupt
    assert modes == [False, False, False]
    assert [module.training for module in network.modules()] == [False, False, True]


def test_no_sample():
    network, batches = example("mlp")
    group = channel_graph(network, batches[0][:1]).groups[0]
    with pytest.raises(DomainError, match="at least one calibration batch, got none"):
        reader_moments(network, group.readers, [])


def test_what_is_not_finite_names_its_reader():
    network, (x, *_) = example("mlp")
    readers = group_readers(channel_graph(network, x[:1]).groups)
    network[2].weight.data[0, 0] = torch.nan
    with pytest.raises(DomainError, match=r"prune: .*is not finite|prune: 4: .* not finite"):
        reader_moments(network, readers[1:], [x])
    x[3, 0] = torch.inf
    with pytest.raises(DomainError, match=r"prune: 2: .*not finite"):
        reader_moments(network, readers, [x])


@pytest.mark.parametrize("batch", [[], (), "x", 3, None, {"x": 1}])
def test_inputs_that_are_no_tensor(batch):
    with pytest.raises(ShapeError, match="expected batches of tensors"):
        inputs(nn.Linear(2, 2), batch)


def test_inputs():
    x = torch.ones(3, 2)
    assert inputs(nn.Linear(2, 2), (x, 5)) is x
    assert inputs(nn.ReLU(), [x]) is x
    image = torch.randn(2, 3, 4, 4)
    assert torch.equal(inputs(nn.Conv2d(3, 1, 1), image), image)


# Batch norms


def test_batch_norms_get_the_averages_over_the_batches():
    network, batches = example("mlp, batch norm")
    with torch.no_grad():
        first = [network[0](x) for x in batches]
    reestimate_batch_norm(network, batches)
    assert_allclose(
        network[1].running_mean, np.mean([x.mean(dim=0).numpy() for x in first], axis=0), rtol=1e-10
    )
    variances = [x.numpy().var(axis=0, ddof=1) for x in first]
    assert_allclose(network[1].running_var, np.mean(variances, axis=0), rtol=1e-10)


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
        if "running" in name or "num_batches" in name:
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


def test_a_failure_leaves_the_momentum():
    network, batches = example("mlp, batch norm")
    with pytest.raises(NetworkError):
        reestimate_batch_norm(network, [batches[0], batches[0][:, :2]])
    assert network[1].momentum == 0.1
