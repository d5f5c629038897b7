import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.pruning.folding import output_matrix
from mini_exp.pruning.moments import group_second_moment, reader_moments
from mini_exp.pruning.paths import greedy_group_path
from mini_exp.pruning.selection import first_channels
from tests import oracles
from tests.pruning.examples import NETWORKS, example, graph_of


def prepared(name):
    network, batches = example(name)
    graph = graph_of(network, batches[0][:1])
    moments = reader_moments(network, graph.readers, batches)
    sigma = {group.name: group_second_moment(group, moments) for group in graph.groups}
    return network, batches, graph.groups, sigma


def second_moment_of(network, group, batches):
    return group_second_moment(group, reader_moments(network, group.readers, batches))


def naive_output_matrix(network, group):
    """A row per output and position: what the reader makes of one channel there."""
    rows = []
    for reader in group.readers:
        weight = network.get_submodule(reader.module).weight.detach().numpy()
        each = weight[0].size // group.width
        for output in weight.reshape(len(weight), -1):
            rows += [[output[c * each + q] for c in range(group.width)] for q in range(each)]
    return np.array(rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_matrix_has_a_row_per_output_and_position(name):
    network, _, groups, _ = prepared(name)
    for group in groups:
        expected = naive_output_matrix(network, group)
        assert_array_equal(output_matrix(network, group), expected)


@pytest.mark.parametrize("theta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["mlp", "cnn", "residual mlp", "two readers", "read twice"])
def test_the_path_is_greedy(name, theta):
    network, _, groups, sigmas = prepared(name)
    for group in groups:
        sigma = sigmas[group.name]
        z = oracles.scaled_output(naive_output_matrix(network, group))
        weight = theta * np.eye(group.width) + (1 - theta) * z.T @ z
        expected, ratios, clear = oracles.greedy_path(sigma, weight)
        path = greedy_group_path(network, group, sigmas[group.name], theta)
        assert clear
        assert path.index_path.tolist() == list(expected)
        assert_allclose(path.information_ratio, ratios, atol=1e-9)


@pytest.mark.parametrize("theta", [0.0, 0.5, 1.0])
def test_a_path_holds_every_channel_and_dead_ones_last(theta):
    network, _ = example("cnn")
    dead = [1, 3]
    network[0].weight.data[dead] = 0
    network[0].bias.data[dead] = -1
    _, batches = example("cnn")
    groups = graph_of(network, batches[0][:1]).groups
    sigma = second_moment_of(network, groups[0], batches)
    path = greedy_group_path(network, groups[0], sigma, theta)
    assert sorted(path.index_path) == list(range(6))
    assert path.index_path[-2:].tolist() == dead
    assert path.information_ratio[3:].tolist() == pytest.approx([1.0] * 3)
    assert (np.diff(path.information_ratio) >= 0).all()


def test_a_group_that_is_dead():
    network, batches, groups, _ = prepared("mlp")
    network[0].weight.data.zero_()
    network[0].bias.data.zero_()
    sigma = second_moment_of(network, groups[0], batches)
    path = greedy_group_path(network, groups[0], sigma, 0.5)
    assert path.index_path.tolist() == list(range(8))
    assert path.information_ratio.tolist() == [1.0] * 8


def test_readers_whose_weights_are_zero():
    network, _, groups, sigmas = prepared("mlp")
    network[2].weight.data.zero_()
    path = greedy_group_path(network, groups[0], sigmas[groups[0].name], 0.0)
    assert sorted(path.index_path) == list(range(8))


def test_the_rank_is_exhausted_by_the_rank_of_the_rows():
    network, (x, *_) = example("mlp")
    groups = graph_of(network, x[:1]).groups
    sigma = second_moment_of(network, groups[0], [x[:3]])
    path = greedy_group_path(network, groups[0], sigma, 1.0)
    assert path.information_ratio[2] == pytest.approx(1.0)
    assert sorted(path.index_path) == list(range(8))


def test_first_channels():
    network, _, groups, sigmas = prepared("mlp")
    paths = [greedy_group_path(network, group, sigmas[group.name], 0.5) for group in groups]
    selection = first_channels(paths, np.array([3, 7]))
    assert selection.widths == {"0": 3, "2": 7}
    assert selection.index_sets["0"] == sorted(paths[0].index_path[:3].tolist())
    assert_array_equal(selection.groups[0].information_ratio, paths[0].information_ratio[:3])
    assert all(type(index) is int for index in selection.index_sets["0"])
    with pytest.raises(ValueError, match="zip"):
        first_channels(paths, np.array([3]))


def test_weights_are_read_in_full_precision():
    network, _, groups, _ = prepared("cnn")
    assert output_matrix(network.to(torch.bfloat16), groups[1]).dtype == np.float64
