"""How many channels are picked: as many as a rule needs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp import load_pruned, prune, save_pruned
from mini_exp.pruning.recipe import greedy_paths, prunable_graph, second_moments
from mini_exp.pruning.selection import first_channels
from tests.pruning.examples import example

RULES = [{"keep": 0.4}, {"widths": {"2": 3}}, {"parameters": 0.5}, {"flops": 0.7}]


def whole_paths(network, batches):
    graph = prunable_graph(network, batches)
    _, sigma = second_moments(network, graph, batches)
    return greedy_paths(network, graph, sigma, 0.5)


@pytest.mark.parametrize("rule", RULES)
def test_no_more_are_picked_than_are_kept(rule):
    network, batches = example("mlp")
    _, selection = prune(network, batches, **rule)
    for kept, whole in zip(selection.groups, whole_paths(network, batches), strict=True):
        assert_array_equal(kept.path.index_path, whole.index_path[: kept.width])
        assert_allclose(
            kept.path.information_ratio, whole.information_ratio[: kept.width], rtol=1e-12
        )


@pytest.mark.parametrize("information", [0.5, 0.95, 1])
def test_picking_ends_where_the_information_is_reached(information):
    network, batches = example("mlp")
    _, selection = prune(network, batches, information=information)
    for kept, whole in zip(selection.groups, whole_paths(network, batches), strict=True):
        enough = int(np.argmax(whole.information_ratio >= information - 1e-12)) + 1
        assert kept.width == enough
        assert_array_equal(kept.index_path, whole.index_path[:enough])


def test_a_width_that_is_rounded_up_has_its_picks():
    network, batches = example("mlp")
    _, selection = prune(network, batches, information=0.6, round_to=4)
    for kept, whole in zip(selection.groups, whole_paths(network, batches), strict=True):
        assert kept.width % 4 == 0
        assert_array_equal(kept.index_path, whole.index_path[: kept.width])


def test_a_whole_path_is_saved(tmp_path):
    network, batches = example("mlp")
    paths = whole_paths(network, batches)
    smaller, pruned = prune(network, batches, keep=0.5)
    save_pruned(smaller, first_channels(paths, list(pruned.widths.values())), tmp_path)
    _, selection = load_pruned(example("mlp")[0], tmp_path)
    for kept, whole in zip(selection.groups, paths, strict=True):
        assert_array_equal(kept.path.index_path, whole.index_path)
        assert kept.width < len(whole.index_path)
