import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from mini_exp import prune
from tests.pruning.examples import example, outputs, written
from tests.pruning.pruned import assert_as_naive, images, vectors

FLATTENINGS = {
    "torch.flatten": lambda x: torch.flatten(x, 1),
    "flatten": lambda x: x.flatten(1),
    "flatten start_dim": lambda x: x.flatten(start_dim=1),
    "view size": lambda x: x.view(x.size(0), -1),
    "view shape": lambda x: x.view(x.shape[0], -1),
    "view tuple": lambda x: x.view((x.size(0), -1)),
    "contiguous view": lambda x: x.contiguous().view(x.size(0), -1),
    "reshape": lambda x: x.reshape(x.shape[0], -1),
    "torch.reshape": lambda x: torch.reshape(x, (x.shape[0], -1)),
}
MEANS = {
    "mean": lambda x: x.mean((2, 3)),
    "mean dim": lambda x: x.mean(dim=[-2, -1]),
    "mean keepdim": lambda x: x.mean((2, 3), keepdim=True).flatten(1),
    "torch.mean": lambda x: torch.mean(x, dim=(2, 3)),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1),
    "adaptive max": lambda x: functional.adaptive_max_pool2d(x, (1, 1)).flatten(1),
    "avg_pool2d": lambda x: functional.avg_pool2d(x, x.size()[2:]).flatten(1),
}


@pytest.mark.parametrize("flat", FLATTENINGS.values(), ids=FLATTENINGS)
def test_flattenings(flat):
    network = written(
        lambda net, x: net.out(torch.relu(net.hidden(flat(torch.relu(net.conv(x)))))),
        conv=nn.Conv2d(2, 5, 3, stride=2),
        hidden=nn.Linear(45, 6),
        out=nn.Linear(6, 3),
    )
    selection = assert_as_naive(network, images())
    assert [reader.positions for reader in selection.groups[0].group.readers] == [9]


@pytest.mark.parametrize("mean", MEANS.values(), ids=MEANS)
def test_means_over_positions(mean):
    network = written(
        lambda net, x: net.out(mean(torch.relu(net.conv(x)))),
        conv=nn.Conv2d(2, 5, 3),
        out=nn.Linear(5, 3),
    )
    selection = assert_as_naive(network, images())
    assert [reader.positions for reader in selection.groups[0].group.readers] == [1]


KEYWORDS = {
    "a layer": lambda net, x: net.out(input=torch.relu(net.a(x))),
    "relu": lambda net, x: net.out(functional.relu(input=net.a(x))),
    "flatten": lambda net, x: net.out(torch.flatten(input=net.a(x), start_dim=1)),
    "reshape": lambda net, x: net.out(net.a(x).reshape(shape=(x.shape[0], -1))),
    "add": lambda net, x: net.out(torch.add(input=net.a(x), other=net.b(x))),
    "other": lambda net, x: net.out(torch.add(net.a(x), other=net.b(x), alpha=2)),
}


@pytest.mark.parametrize("forward", KEYWORDS.values(), ids=KEYWORDS)
def test_arguments_by_keyword(forward):
    layers = {"a": nn.Linear(6, 8), "b": nn.Linear(6, 8), "out": nn.Linear(8, 3)}
    network = written(forward, **layers)
    assert_as_naive(network, vectors())


@pytest.mark.parametrize(
    "scaling", [lambda x: x * 0.5, lambda x: 0.5 * x, lambda x: x + 1, lambda x: 1 + x]
)
def test_a_scalar_on_either_side(scaling):
    network = written(
        lambda net, x: net.out(scaling(torch.relu(net.a(x)))),
        a=nn.Linear(6, 8),
        out=nn.Linear(8, 3),
    )
    assert_as_naive(network, vectors())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["mlp", "cnn", "post-activation"])
def test_other_types(name, dtype):
    network, batches = example(name)
    expected, selection = prune(network, batches, keep=0.5)
    lower = copy.deepcopy(network).to(dtype)
    smaller, found = prune(lower, [x.to(dtype) for x in batches], widths=selection.widths)
    assert {p.dtype for p in smaller.parameters()} == {dtype}
    y = outputs(smaller, [x.to(dtype) for x in batches]).double()
    assert torch.isfinite(y).all()
    if dtype == torch.float32:
        assert found.index_sets == selection.index_sets
        assert_close(y, outputs(expected, batches), rtol=1e-3, atol=1e-4)
