"""Whatever a forward does with its layers: control flow, several inputs, outputs and calls."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from mini_exp import prune
from tests.pruning.examples import randomised, written
from tests.pruning.pruned import images, vectors
from tests.pruning.zeroed import assert_pruned_right


def layers(**more):
    return {"a": nn.Linear(6, 8), "b": nn.Linear(6, 8), "out": nn.Linear(8, 3), **more}


def by_sign(net, x):
    return net.out(net.a(x)) if x.sum() > 0 else net.out(-net.a(x))


def as_often_as_there_are(net, x):
    x = torch.relu(net.a(x))
    for layer in net.inner:
        if layer is not None and len(x):
            x = x + torch.relu(layer(x))
    return net.out(x)


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor | None = None


FORWARDS = {
    "control flow": (by_sign, layers(), {"a": 8}),
    "a loop": (
        as_often_as_there_are,
        layers(inner=nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])),
        {"a": 8},
    ),
    "len": (lambda net, x: net.out(net.a(x).view(len(x), -1)), layers(), {"a": 8}),
    "a number of features that is computed": (
        lambda net, x: net.out(net.a(x).view(len(x), net.a(x).shape[1])),
        layers(),
        {"a": 8},
    ),
    "a concatenation": (
        lambda net, x: net.out(torch.cat([net.a(x), net.b(x)], 1)),
        layers(out=nn.Linear(16, 3)),
        {"a": 8, "b": 8},
    ),
    "a concatenation with the input": (
        lambda net, x: net.out(torch.cat([net.a(x), x], 1)),
        layers(out=nn.Linear(14, 3)),
        {"a": 8},
    ),
    "a concatenation with itself": (
        lambda net, x: net.out(torch.cat([net.a(x), net.a(x).relu()], 1)),
        layers(out=nn.Linear(16, 3)),
        {"a": 8},
    ),
    "a product": (lambda net, x: net.out(net.a(x) * net.b(x)), layers(), {"a": 8}),
    "a quotient": (
        lambda net, x: net.out(net.a(x) / (1 + net.b(x).exp())),
        layers(),
        {"a": 8},
    ),
    "a parameter of its own": (
        lambda net, x: net.out(net.a(x) * net.scale),
        layers(scale=nn.Parameter(torch.ones(8))),
        {"a": 8},
    ),
    "chunks": (
        lambda net, x: net.out(torch.sigmoid(net.a(x).chunk(2, 1)[0]) * net.a(x).chunk(2, 1)[1]),
        layers(out=nn.Linear(4, 3)),
        {"a": 4},
    ),
    "a gated linear unit": (
        lambda net, x: net.out(functional.glu(net.a(x))),
        layers(out=nn.Linear(4, 3)),
        {"a": 4},
    ),
    "split": (
        lambda net, x: net.out(net.a(x).split(net.a(x).shape[1] // 2, 1)[1]),
        layers(out=nn.Linear(4, 3)),
        {"a": 4},
    ),
    "one layer twice": (
        lambda net, x: net.out(torch.relu(net.c(torch.relu(net.c(net.a(x)))))),
        layers(c=nn.Linear(8, 8)),
        {"a": 8},
    ),
    "one layer for two inputs": (
        lambda net, x: net.out(torch.relu(net.a(x)) + torch.tanh(net.a(-x))),
        layers(),
        {"a": 8},
    ),
    "two readers of two tensors": (
        lambda net, x: net.out(torch.relu(net.a(x))) + net.out(torch.tanh(net.a(-x))),
        layers(),
        {"a": 8},
    ),
    "functional layers": (
        lambda net, x: functional.linear(
            functional.relu(functional.linear(x, net.first)), net.second, net.shift
        ),
        {
            "first": nn.Parameter(torch.randn(8, 6)),
            "second": nn.Parameter(torch.randn(3, 8)),
            "shift": nn.Parameter(torch.randn(3)),
        },
        {"first": 8},
    ),
    "products of matrices": (
        lambda net, x: torch.relu(x @ net.first) @ net.second + net.shift,
        {
            "first": nn.Parameter(torch.randn(6, 8)),
            "second": nn.Parameter(torch.randn(8, 3)),
            "shift": nn.Parameter(torch.randn(3)),
        },
        {"first": 8},
    ),
    "a transposed weight": (
        lambda net, x: net.out(torch.relu(x @ net.a.weight.T + net.a.bias)),
        layers(),
        {"a": 8},
    ),
    "a weight that ties two layers": (
        lambda net, x: torch.relu(net.a(x)) @ net.a.weight,
        layers(),
        {"a": 8},
    ),
    "in place": (lambda net, x: net.out(net.a(x).mul_(2).add_(1).relu_()), layers(), {"a": 8}),
    "two outputs": (lambda net, x: (net.out(net.a(x)), x), layers(), {"a": 8}),
    "a list of outputs": (
        lambda net, x: [net.out(net.a(x)), [net.out(net.b(x))]],
        layers(),
        {"a": 8},
    ),
    "a mapping of outputs": (lambda net, x: {"y": net.out(net.a(x))}, layers(), {"a": 8}),
    "outputs in a dataclass": (lambda net, x: Output(net.out(net.a(x))), layers(), {"a": 8}),
    "a hidden output": (
        lambda net, x: Output(net.out(net.a(x)), net.b(x)),
        layers(),
        {"a": 8},
    ),
    "any number of inputs": (lambda net, *x: net.out(net.a(x[0])), layers(), {"a": 8}),
    "a constant of ones": (
        lambda net, x: net.out(net.a(x) * torch.ones_like(net.a(x))),
        layers(),
        {"a": 8},
    ),
    "the largest of two": (
        lambda net, x: net.out(torch.maximum(net.a(x), net.b(x))),
        layers(),
        {"a": 8},
    ),
    "where": (
        lambda net, x: net.out(torch.where(net.a(x) > 0, net.b(x), 0.1 * net.a(x))),
        layers(),
        {"a": 8},
    ),
    "clamped": (lambda net, x: net.out(net.a(x).clamp(0, 6)), layers(), {"a": 8}),
    "an inner product": (
        lambda net, x: net.out(net.a(x)) * (net.b(x) * net.c(x)).sum(1, keepdim=True),
        layers(c=nn.Linear(6, 8)),
        {"a": 8},
    ),
}


@pytest.mark.parametrize(("forward", "modules", "widths"), FORWARDS.values(), ids=FORWARDS)
def test_a_forward_is_pruned_as_it_computes(forward, modules, widths, tmp_path):
    network = randomised(written(forward, **modules))
    _, selection = assert_pruned_right(network, [vectors().double()], tmp_path)
    assert {kept.group.name: kept.group.width for kept in selection.groups} == widths


OF_IMAGES = {
    "channels last": (
        lambda net, x: net.out(net.a(x).permute(0, 2, 3, 1).flatten(1)),
        {"a": nn.Conv2d(2, 4, 3), "out": nn.Linear(144, 3)},
        {"a": 4},
    ),
    "a sum with one channel": (
        lambda net, x: net.out((net.a(x) + net.b(x)).flatten(1)),
        {"a": nn.Conv2d(2, 4, 3), "b": nn.Conv2d(2, 1, 3), "out": nn.Linear(144, 3)},
        {"a": 4},
    ),
    "a strided shortcut": (
        lambda net, x: net.out((net.b(net.a(x)) + net.a(x)[:, :, ::2, ::2]).mean((2, 3))),
        {
            "a": nn.Conv2d(2, 4, 3),
            "b": nn.Conv2d(4, 4, 3, 2, 1),
            "out": nn.Linear(4, 3),
        },
        {"a": 4},
    ),
    "a flattened image and pixels of its own": (
        lambda net, x: net.out(torch.relu(net.a(x)).flatten(1) + net.b(x.flatten(1))),
        {
            "a": nn.Conv2d(2, 4, 3, stride=4, padding=1),
            "b": nn.Linear(128, 16),
            "out": nn.Linear(16, 3),
        },
        {"a": 4},
    ),
    "rolled and flipped positions": (
        lambda net, x: net.out(net.a(x).roll(1, 2).flip(3).flatten(1)),
        {"a": nn.Conv2d(2, 4, 3), "out": nn.Linear(144, 3)},
        {"a": 4},
    ),
    "cut edges": (
        lambda net, x: net.out(net.a(x)[..., 1:-1, 1:-1].flatten(1)),
        {"a": nn.Conv2d(2, 4, 3), "out": nn.Linear(64, 3)},
        {"a": 4},
    ),
    "a stack of two": (
        lambda net, x: net.out(torch.stack([net.a(x), net.b(x)], 2).amax(2).flatten(1)),
        {"a": nn.Conv2d(2, 4, 3), "b": nn.Conv2d(2, 4, 3), "out": nn.Linear(144, 3)},
        {"a": 4},
    ),
    "an image without an axis of samples": (
        lambda net, x: torch.stack([net.b(torch.relu(net.a(one))) for one in x]),
        {"a": nn.Conv2d(2, 4, 3), "b": nn.Conv2d(4, 3, 3)},
        {"a": 4},
    ),
}


@pytest.mark.parametrize(("forward", "modules", "widths"), OF_IMAGES.values(), ids=OF_IMAGES)
def test_a_forward_of_images_is_pruned_as_it_computes(forward, modules, widths, tmp_path):
    network = randomised(written(forward, **modules))
    _, selection = assert_pruned_right(network, [images().double()], tmp_path)
    assert {kept.group.name: kept.group.width for kept in selection.groups} == widths


def test_several_inputs_are_given_by_name(tmp_path):
    network = randomised(written(lambda net, x, y: net.out(net.a(x) + net.b(y)), **layers()))
    x = vectors(80).double()
    _, selection = assert_pruned_right(network, [{"x": x[:40], "y": x[40:]}], tmp_path)
    assert selection.widths == {"a": 4}


def test_several_inputs_are_given_by_a_function():
    network = randomised(written(lambda net, x, y=None: net.out(net.a(x) + net.b(y)), **layers()))
    x = vectors(80).double()
    batches = [{"x": x[:40], "y": x[40:]}]
    _, expected = assert_pruned_right(network, batches)
    _, selection = prune(network, lambda net: net(x[:40], x[40:]), keep=0.5, weights="slice")
    assert selection.index_sets == expected.index_sets
