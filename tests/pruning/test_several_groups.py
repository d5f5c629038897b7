"""A weight that reads several groups is solved for from everything that is kept, jointly."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.pruning.moments import group_second_moment, reader_moments
from tests.pruning.examples import graph_of, outputs, randomised, written
from tests.pruning.naive import least_squares
from tests.pruning.pruned import images, vectors


def side_by_side():
    return randomised(
        written(
            lambda net, x: net.out(torch.cat([torch.relu(net.a(x)), x, torch.tanh(net.b(x))], 1)),
            a=nn.Linear(6, 8),
            b=nn.Linear(6, 7),
            out=nn.Linear(21, 3),
        )
    )


def read(network, x):
    with torch.no_grad():
        return torch.cat([torch.relu(network.a(x)), x, torch.tanh(network.b(x))], 1).numpy()


def kept_columns(selection):
    sets = selection.index_sets
    return [*sets["a"], *range(8, 14), *(14 + i for i in sets["b"])]


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-2])
def test_one_least_squares_problem_over_what_is_kept_of_both(ridge):
    network, x = side_by_side(), vectors(100).double()
    smaller, selection = prune(network, [x], keep=0.5, ridge=ridge)
    phi, kept = read(network, x), kept_columns(selection)
    w = ridge * (phi**2).mean(axis=0).sum() / phi.shape[1]
    a = least_squares(phi[:, kept], phi, w)
    expected = network.out.weight.detach().numpy() @ a
    assert_close(smaller.out.weight.detach().numpy(), expected, rtol=1e-6, atol=1e-8)


def test_the_intercept_is_solved_for_with_both():
    network, x = side_by_side(), vectors(100).double()
    smaller, selection = prune(network, [x], keep=0.5, ridge=0.0, intercept=True)
    phi, kept = read(network, x), kept_columns(selection)
    rows = np.column_stack([phi[:, kept], np.ones(len(phi))])
    solution, *_ = np.linalg.lstsq(rows, phi @ network.out.weight.detach().numpy().T, rcond=None)
    assert_close(smaller.out.weight.detach().numpy(), solution[:-1].T, rtol=1e-6, atol=1e-8)
    bias = network.out.bias.detach().numpy() + solution[-1]
    assert_close(smaller.out.bias.detach().numpy(), bias, rtol=1e-6, atol=1e-8)


def test_a_group_that_copies_another_is_restored_from_it():
    """b writes what a writes: all of b may go, but for a channel, and nothing is lost."""
    network = written(
        lambda net, x: net.out(torch.relu(torch.cat([net.a(x), net.b(x)], 1))),
        a=nn.Linear(6, 8),
        b=nn.Linear(6, 8),
        out=nn.Linear(16, 3),
    )
    network, x = randomised(network), [vectors(100).double()]
    network.b.load_state_dict(network.a.state_dict())
    smaller, _ = prune(network, x, widths={"b": 1}, ridge=0.0)
    assert_close(outputs(smaller, x), outputs(network, x), rtol=1e-8, atol=1e-8)


def test_the_second_moment_of_a_group_is_its_block_of_what_is_read():
    network, x = side_by_side(), vectors(100).double()
    graph = graph_of(network, x)
    moments = reader_moments(network, graph.readers, [x])
    phi = read(network, x)
    whole = phi.T @ phi / len(phi)
    first, second = graph.groups
    assert_close(group_second_moment(first, moments), whole[:8, :8], rtol=1e-12, atol=1e-14)
    assert_close(group_second_moment(second, moments), whole[14:, 14:], rtol=1e-12, atol=1e-14)


GROUPED = {
    "convolution": lambda: nn.Conv2d(6, 4, 3, groups=2),
    "transposed": lambda: nn.ConvTranspose2d(6, 4, 3, groups=2),
}


@pytest.mark.parametrize("make", GROUPED.values(), ids=GROUPED)
def test_every_group_of_a_grouped_convolution_is_solved_for_by_itself(make):
    network = randomised(nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), make()))
    x = images(30).double()
    smaller, selection = prune(network, [x], widths={"0": 2}, ridge=0.0)
    kept = selection.index_sets["0"]
    full = randomised(nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), make()))
    full.load_state_dict(network.state_dict())
    with torch.no_grad():
        phi = network[1](network[0](x))
        rows = phi.transpose(0, 1).flatten(1).T.numpy()
        estimate = np.zeros_like(rows)
        for group in range(2):
            own = rows[:, 3 * group : 3 * group + 3]
            a, *_ = np.linalg.lstsq(own[:, kept], own, rcond=None)
            estimate[:, 3 * group : 3 * group + 3] = own[:, kept] @ a
        n, _, height, width = phi.shape
        image = torch.from_numpy(estimate.reshape(n, height, width, 6).transpose(0, 3, 1, 2))
        expected = network[2](image)
    assert_close(outputs(smaller, [x]), expected, rtol=1e-8, atol=1e-8)


def test_entries_of_a_channel_that_stand_apart_are_read_as_one_channel():
    """Flattened with the channels last: as flattened with the channels first."""

    def flattened(permuted):
        def forward(net, x):
            x = torch.relu(net.a(x))
            return net.out((x.permute(0, 2, 3, 1) if permuted else x).flatten(1))

        return randomised(written(forward, a=nn.Conv2d(2, 4, 3), out=nn.Linear(144, 3)))

    first, last, x = flattened(False), flattened(True), [images(40).double()]
    by_channel = first.out.weight.detach().unflatten(1, (4, 36))
    last.out.weight.data = by_channel.transpose(1, 2).flatten(1).clone()
    assert_close(outputs(last, x), outputs(first, x))
    smaller, selection = prune(first, x, keep=0.5)
    other, found = prune(last, x, keep=0.5)
    assert found.index_sets == selection.index_sets
    assert_close(outputs(other, x), outputs(smaller, x), rtol=1e-9, atol=1e-9)
