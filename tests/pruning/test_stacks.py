"""A stack of networks is pruned as each of them alone."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.recipe import greedy_paths, group_moments, prunable_graph
from mini_exp.pruning.selection import first_channels
from mini_exp.tasks.mini.network import initial_stack

WIDTHS = (6, 8, 7)
KEPT = (5, 3)


def stack(bias=True, n_outputs=2, n_networks=3):
    generators = [np.random.default_rng(r) for r in range(n_networks)]
    networks = initial_stack((*WIDTHS, n_outputs), bias, generators)
    for layer in networks.stacked_layers:
        if layer.bias is not None:
            layer.bias.data.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(4))
    x = np.stack([rng.standard_normal((40, WIDTHS[0])) for rng in generators])
    return networks, torch.from_numpy(x)


def pruned(networks, x, scope, compression):
    graph = prunable_graph(networks, [x])
    moments = group_moments(networks, graph, [x])
    paths = greedy_paths(networks, graph, moments.sigma, 0.5, scope)
    selection = first_channels(paths, KEPT)
    smaller, _ = compressed_network(networks, selection, moments.tensors, [x], compression)
    return selection, smaller


@pytest.mark.parametrize("scope", ["full", "complement"])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "options",
    [{}, {"weights": "slice"}, {"intercept": True}, {"sequential": True}, {"refit": True}],
    ids=str,
)
def test_as_each_alone(scope, bias, n_outputs, options):
    networks, x = stack(bias, n_outputs)
    selection, smaller = pruned(networks, x, scope, Compression(**options))
    assert smaller.widths == (6, *KEPT, n_outputs)
    for r in range(3):
        alone, one = pruned(networks.replicate(r), x[r], scope, Compression(**options))
        for both, single in zip(selection.groups, alone.groups, strict=True):
            assert_array_equal(both.path.index_path[r], single.path.index_path)
            assert_allclose(both.information_ratio[r], single.information_ratio, rtol=1e-12)
        with torch.no_grad():
            assert_allclose(smaller(x)[r], one(x[r]), rtol=1e-9, atol=1e-12)


def test_a_stack_of_one_is_pruned_as_the_network_alone():
    networks, x = stack(n_outputs=1, n_networks=1)
    selection, smaller = pruned(networks, x, "full", Compression())
    alone, one = pruned(networks.replicate(0), x[0], "full", Compression())
    assert [kept.index_path[0].tolist() for kept in selection.groups] == [
        kept.index_path.tolist() for kept in alone.groups
    ]
    with torch.no_grad():
        assert_allclose(smaller(x)[0], one(x[0]), rtol=1e-9, atol=1e-12)


def test_the_stack_is_not_changed():
    networks, x = stack()
    before = {name: tensor.clone() for name, tensor in networks.state_dict().items()}
    pruned(networks, x, "full", Compression())
    for name, tensor in networks.state_dict().items():
        assert torch.equal(tensor, before[name])
