import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils import prune as torch_prune
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import DomainError, MiniExpError, NetworkError
from tests.pruning.examples import IMAGE, example, mlp, outputs, randomised, written
from tests.pruning.pruned import assert_as_naive, assert_refused, images, vectors


def control_flow(net, x):
    return net.out(net.a(x)) if x.sum() > 0 else net.out(-net.a(x))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.out = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x, y):
        return self.out(self.a(x) + self.a(y))


class StarInputs(TwoInputs):
    def forward(self, *x):
        return self.out(self.a(x[0]))


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


def layers():
    return {"a": nn.Linear(6, 8), "b": nn.Linear(6, 8), "out": nn.Linear(8, 3)}


def around(module, width=8):
    return nn.Sequential(nn.Linear(6, 8), module, nn.Linear(width, 3))


def around_image(module, features):
    return nn.Sequential(nn.Conv2d(2, 4, 3), module, nn.Flatten(), nn.Linear(features, 3))


def changed(change):
    network = mlp()
    change(network)
    return network


def shared(network):
    network[0] = nn.Linear(6, 6)
    network[2] = nn.Linear(6, 6)
    network[2].weight = network[0].weight
    network[4] = nn.Linear(6, 3)


def same_twice():
    layer = nn.Linear(6, 6)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(6, 3))


def keep_activation(network):
    network.seen = torch.ones(3, requires_grad=True) * 2


def deprecated_weight_norm(network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(network[2])


def attention(net, x):
    x = net.embed(x)
    return net.out(net.attend(x, x, x)[0].flatten(1))


@pytest.mark.parametrize(
    "end", [nn.Softmax(1), nn.LogSoftmax(1), nn.LayerNorm(3), nn.Unflatten(1, (3, 1))], ids=str
)
def test_whatever_makes_the_output_is_left_alone(end):
    network = randomised(mlp())
    x = [vectors().double()]
    expected, selection = prune(network, x, keep=0.5)
    smaller, found = prune(nn.Sequential(*network, end.double()), x, keep=0.5)
    assert found.index_sets == selection.index_sets
    assert_close(outputs(smaller, x), end(outputs(expected, x)))


NOT_COVERED = {
    "control flow": (
        lambda: written(control_flow, **layers()),
        "Written cannot be .*traced by torch.fx",
    ),
    "len": (
        lambda: written(lambda net, x: net.out(net.a(x).view(len(x), -1)), **layers()),
        "Written cannot be .*traced by torch.fx",
    ),
    "groups": (
        lambda: around_image(nn.Conv2d(4, 4, 3, groups=2), 64),
        "1: expected a Conv2d with groups 1, got 2",
    ),
    "transposed": (lambda: around_image(nn.ConvTranspose2d(4, 4, 3), 256), "1: a ConvTranspose2d"),
    "layer norm": (lambda: around(nn.LayerNorm(8)), "1: a LayerNorm is not covered"),
    "group norm": (lambda: around_image(nn.GroupNorm(2, 4), 144), "1: a GroupNorm is not"),
    "instance norm": (lambda: around_image(nn.InstanceNorm2d(4), 144), "1: a InstanceNorm2d"),
    "softmax": (lambda: around(nn.Softmax(1)), "1: a Softmax is not covered"),
    "prelu": (lambda: around(nn.PReLU(8)), "1: a PReLU is not covered"),
    "functional softmax": (
        lambda: written(lambda net, x: net.out(torch.softmax(net.a(x), 1)), **layers()),
        "softmax.*is not covered",
    ),
    "cat": (
        lambda: written(
            lambda net, x: net.out(torch.cat([net.a(x), net.b(x)], 1)[:, :8]), **layers()
        ),
        "cat",
    ),
    "product": (
        lambda: written(lambda net, x: net.out(net.a(x) * net.b(x)), **layers()),
        "mul.*is not covered",
    ),
    "own parameter": (
        lambda: written(
            lambda net, x: net.out(net.a(x) * net.scale),
            **layers(),
            scale=nn.Parameter(torch.ones(8)),
        ),
        "scale: .*parameter or buffer of its own",
    ),
    "slice": (
        lambda: written(lambda net, x: net.out(net.a(x)[:, :8]), **layers()),
        "out: expected an activation",
    ),
    "mean over channels": (
        lambda: written(lambda net, x: net.out(net.a(x).mean(1, True).expand(-1, 8)), **layers()),
        "mean.*over dim",
    ),
    "weight norm": (
        lambda: changed(lambda net: parametrizations.weight_norm(net[2])),
        "2: .*parametri[sz]",
    ),
    "spectral norm": (
        lambda: changed(lambda net: parametrizations.spectral_norm(net[0])),
        "0: .*parametri[sz]",
    ),
    "parametrised bias": (
        lambda: changed(
            lambda net: parametrize.register_parametrization(net[2], "bias", Doubled())
        ),
        "2: .*parametri[sz]",
    ),
    "parametrised batch norm": (
        lambda: changed(
            lambda net: parametrize.register_parametrization(
                net.insert(1, nn.BatchNorm1d(8))[1], "weight", Doubled()
            )
        ),
        "1: .*parametri[sz]",
    ),
    "deprecated weight norm": (lambda: changed(deprecated_weight_norm), "prune: "),
    "masked weight": (
        lambda: changed(lambda net: torch_prune.l1_unstructured(net[2], "weight", 0.5)),
        "prune: ",
    ),
    "activation kept": (lambda: changed(keep_activation), "prune: "),
    "lock": (lambda: changed(lambda net: setattr(net, "lock", threading.Lock())), "prune: "),
    "shared weight": (lambda: changed(shared), "0 and 2 share a parameter"),
    "layer twice": (same_twice, "0: is called more than once"),
    "layer called twice": (
        lambda: written(
            lambda net, x: net.out(net.a(net.a(x))), a=nn.Linear(6, 6), out=nn.Linear(6, 3)
        ),
        "a: is called more than once",
    ),
    "two inputs": (TwoInputs, "one input"),
    "star": (StarInputs, "prune: "),
    "two outputs": (
        lambda: written(lambda net, x: (net.out(net.a(x)), x), **layers()),
        "returns one tensor",
    ),
    "mapping of outputs": (
        lambda: written(lambda net, x: {"y": net.out(net.a(x))}, **layers()),
        "returns one tensor",
    ),
    "no output": (lambda: written(lambda net, x: None, **layers()), "returns one tensor"),
    "one linear layer": (
        lambda: nn.Sequential(nn.Linear(6, 3)),
        "expected a layer between input and output to prune",
    ),
    "bare linear layer": (lambda: nn.Linear(6, 3), "prune: weight: "),
    "no layer": (lambda: nn.Sequential(nn.ReLU()), "expected a layer between input and output"),
    "all tied to the output": (
        lambda: written(lambda net, x: net.a(x) + net.b(x), **layers()),
        "expected a layer between input and output to prune",
    ),
    "a function": (lambda: lambda x: x, "prune: "),
}


@pytest.mark.parametrize(("make", "match"), NOT_COVERED.values(), ids=NOT_COVERED)
def test_networks_that_are_not_covered(make, match, capfd):
    network = make()
    image = isinstance(network, nn.Sequential) and isinstance(network[0], nn.Conv2d)
    batches = [images() if image else vectors()]
    assert_refused(lambda: prune(network, batches, keep=0.5), MiniExpError, match, capfd)


OTHER_INPUTS = {
    "conv1d": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(24, 3)),
        torch.ones(3, 2, 8),
        "0: a Conv1d is not covered",
    ),
    "conv3d": (
        lambda: nn.Sequential(nn.Conv3d(2, 4, 3), nn.Flatten(), nn.Linear(32, 3)),
        torch.ones(3, 2, 4, 4, 4),
        "0: a Conv3d is not covered",
    ),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 5), nn.Linear(5, 2)),
        torch.ones(3, 3, dtype=torch.int64),
        "0: a Embedding is not covered",
    ),
    "embedding of one": (
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 5), nn.Linear(5, 2)),
        torch.ones(3, dtype=torch.int64),
        "prune: ",
    ),
    "attention": (
        lambda: written(
            attention,
            embed=nn.Identity(),
            attend=nn.MultiheadAttention(4, 2, batch_first=True),
            out=nn.Linear(12, 2),
        ),
        torch.ones(5, 3, 4),
        "attend: a MultiheadAttention is not covered",
    ),
    "lstm": (
        lambda: written(
            lambda net, x: net.out(net.a(x)[0].flatten(1)),
            a=nn.LSTM(4, 4, batch_first=True),
            out=nn.Linear(12, 2),
        ),
        torch.ones(5, 3, 4),
        "a: a LSTM is not covered",
    ),
    "sequences": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3)),
        torch.ones(5, 4, 6),
        r"0: expected a Linear that reads \(n, features\)",
    ),
    "channels first": (
        lambda: written(
            lambda net, x: net.out(net.a(x).permute(0, 2, 3, 1).flatten(1)),
            a=nn.Conv2d(2, 4, 3),
            out=nn.Linear(144, 3),
        ),
        torch.ones(3, *IMAGE),
        "permute",
    ),
    "fixed features": (
        lambda: written(
            lambda net, x: net.out(net.a(x).reshape(-1, 144)),
            a=nn.Conv2d(2, 4, 3),
            out=nn.Linear(144, 3),
        ),
        torch.ones(3, *IMAGE),
        "reshape.*fixes the number of features",
    ),
    "batch norm of pixels": (
        lambda: nn.Sequential(
            *(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.BatchNorm1d(144), nn.Linear(144, 3))
        ),
        torch.ones(3, *IMAGE),
        "2: normalises flattened channels",
    ),
    "summands of two shapes": (
        lambda: written(
            lambda net, x: net.out((net.a(x) + net.b(x)).flatten(1)),
            a=nn.Conv2d(2, 4, 3),
            b=nn.Conv2d(2, 1, 3),
            out=nn.Linear(144, 3),
        ),
        torch.ones(3, *IMAGE),
        "add.*summands of one shape",
    ),
}


@pytest.mark.parametrize(("make", "x", "match"), OTHER_INPUTS.values(), ids=OTHER_INPUTS)
def test_inputs_of_other_kinds_are_not_covered(make, x, match, capfd):
    assert_refused(lambda: prune(make(), [x], keep=0.5), MiniExpError, match, capfd)


def test_a_sum_of_channels_and_pixels_is_refused():
    network = written(
        lambda net, x: net.out(torch.relu(net.conv(x)).flatten(1) + net.linear(x.flatten(1))),
        conv=nn.Conv2d(2, 4, 3, stride=4, padding=1),
        linear=nn.Linear(128, 16),
        out=nn.Linear(16, 3),
    )
    with pytest.raises(NetworkError, match="add"):
        prune(network, [images()], keep=0.5)


def tied_to_the_output(net, x):
    x = net.a(x)
    return x + net.c(torch.relu(net.b(x)))


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda net, x: net.out(x + net.c(torch.relu(net.b(x)))), ["b"]),
        (lambda net, x: x + net.c(torch.relu(net.b(x))), ["b"]),
        (tied_to_the_output, ["b"]),
    ],
)
def test_what_is_tied_to_input_or_output_is_left_alone(forward, expected):
    network = written(
        forward, a=nn.Linear(6, 6), b=nn.Linear(6, 8), c=nn.Linear(8, 6), out=nn.Linear(6, 3)
    )
    selection = assert_as_naive(network, vectors())
    assert list(selection.widths) == expected


@pytest.mark.parametrize("name", ["0.weight", "2.weight", "4.weight", "4.bias"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite(name, value):
    network, batches = example("mlp")
    network.get_parameter(name).data.view(-1)[0] = value
    with pytest.raises(DomainError, match=r"prune: \d: .*not finite"):
        prune(network, batches, keep=0.5)
