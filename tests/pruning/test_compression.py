import copy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mini_exp.errors import DomainError
from mini_exp.pruning.compression import Compression
from mini_exp.pruning.compression import compressed_network as checked_network
from mini_exp.pruning.moments import reader_moments
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.pruning.surgery import smaller_network
from tests.pruning.examples import assert_same, example, graph_of, outputs, snapshot
from tests.pruning.naive import naively_pruned


def compressed_network(*arguments):
    """The network alone, whose check has found what rounding leaves."""
    smaller, agreement = checked_network(*arguments)
    assert agreement < 1e-12  # float64: some thousand roundings
    return smaller


def selected(network, batches, share=0.5, seed=0):
    """Random channels, in random order."""
    rng = np.random.default_rng(seed)
    graph = graph_of(network, batches[0][:1])
    groups = []
    for group in graph.groups:
        path = GroupPath(group, rng.permutation(group.width), np.ones(group.width))
        groups.append(GroupSelection(path, max(int(share * group.width), 1)))
    moments = reader_moments(network, graph.readers, batches)
    return Selection(tuple(groups)), moments


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
    selection = Selection(
        tuple(
            kept if i == 2 else GroupSelection(kept.path, kept.group.width)
            for i, kept in enumerate(selection.groups)
        )
    )
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
    readers = [reader for kept in selection.groups for reader in kept.group.readers]
    compression = Compression(ridge=0.1)
    expected = compressed_network(network, selection, moments, batches, compression)
    moments = reader_moments(larger, readers, batches)
    smaller = compressed_network(larger, selection, moments, batches, compression)
    assert_close(outputs(smaller, batches), outputs(expected, batches), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"weights": "fold"}, "weights: expected 'reconstruct' or 'slice', got 'fold'"),
        ({"ridge": -1.0}, "ridge: expected a finite number ≥ 0 or 'auto', got -1.0"),
        ({"ridge": np.nan}, "ridge: expected a finite number"),
        ({"ridge": np.inf}, "ridge: expected a finite number"),
    ],
)
def test_settings_outside_the_domain(settings, match):
    with pytest.raises(DomainError, match=match):
        Compression(**settings)


def test_smaller_network_has_the_sizes():
    network, batches = example("pre-activation")
    selection, moments = selected(network, batches)
    pruned = compressed_network(network, selection, moments, batches, Compression())
    shapes = {name: tensor.shape for name, tensor in pruned.state_dict().items()}
    empty = smaller_network(network, selection)
    assert {name: tensor.shape for name, tensor in empty.state_dict().items()} == shapes
