"""A kind of layer is a file and a line: a tiny one is registered and pruned like any other."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.pruning.layers import KINDS, kind_of
from mini_exp.pruning.layers.kind import replace_parameter
from mini_exp.pruning.layers.stacked_linear import StackedLinear
from tests.pruning.examples import outputs
from tests.pruning.pruned import vectors


class Transposed(nn.Module):
    """A linear layer whose weight is (in, out)."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_in, n_out).double())
        self.bias = nn.Parameter(torch.randn(n_out).double())

    def forward(self, x):
        return x @ self.weight + self.bias


class TransposedKind:
    def check(self, name, module, reads, writes):
        pass

    def width(self, module):
        return module.weight.shape[1]

    def output_places(self, writes):
        return 1

    def blocks(self, module, channels):
        return module.weight.detach().T.unflatten(1, (channels, -1))

    def write_blocks(self, module, blocks):
        replace_parameter(module, "weight", blocks.flatten(-2).T)

    def rows(self, x, channels):
        return x.double()

    def patches(self, name, module, x, channels):
        return x.double()


@pytest.mark.parametrize("options", [{}, {"weights": "slice"}, {"intercept": True}], ids=str)
def test_a_kind_registered_by_one_line_is_pruned(options, monkeypatch):
    monkeypatch.setitem(KINDS, Transposed, TransposedKind())
    torch.manual_seed(0)
    network = nn.Sequential(
        Transposed(6, 8), nn.ReLU(), Transposed(8, 7), nn.ReLU(), Transposed(7, 2)
    )
    usual = nn.Sequential(
        nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 2)
    ).double()
    for i in (0, 2, 4):
        usual[i].weight.data, usual[i].bias.data = network[i].weight.data.T, network[i].bias.data
    x = vectors().double()
    smaller, selection = prune(network, [x], keep=0.5, **options)
    expected, other = prune(usual, [x], keep=0.5, **options)
    assert selection.index_sets == other.index_sets
    assert_close(outputs(smaller, [x]), outputs(expected, [x]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("module", "channels", "shape"),
    [
        (nn.Linear(12, 5), 4, (5, 4, 3)),
        (nn.Conv2d(4, 5, (2, 3)), 4, (5, 4, 6)),
        (StackedLinear(torch.randn(2, 5, 4)), 4, (2, 5, 4, 1)),
    ],
    ids=["linear", "convolution", "stacked"],
)
def test_blocks_there_and_back(module, channels, shape):
    kind = kind_of(module)
    weight = copy.deepcopy(module.weight.detach())
    blocks = kind.blocks(module, channels)
    assert blocks.shape == shape
    kind.write_blocks(module, blocks)
    assert torch.equal(module.weight, weight)


@pytest.mark.parametrize(
    ("module", "x", "channels"),
    [
        (nn.Linear(12, 5), torch.randn(7, 12), 4),
        (nn.Conv2d(4, 5, 1), torch.randn(7, 4, 3, 2), 4),
        (StackedLinear(torch.randn(2, 5, 4)), torch.randn(2, 7, 4), 4),
    ],
    ids=["linear", "convolution", "stacked"],
)
def test_rows_hold_every_sample_and_place(module, x, channels):
    rows = np.asarray(kind_of(module).rows(x, channels))
    by_channel = x.reshape(*x.shape[:-1], channels, -1) if x.ndim == 2 else x
    if x.ndim == 4:
        expected = by_channel.flatten(2).transpose(1, 2).reshape(-1, channels)
    elif x.ndim == 3:
        expected = x
    else:
        expected = by_channel.transpose(1, 2).reshape(-1, channels)
    np.testing.assert_array_equal(rows, expected.double().numpy())
