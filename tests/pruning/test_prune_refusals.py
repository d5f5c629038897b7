import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils import prune as torch_prune
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import DomainError, MiniExpError
from tests.pruning.examples import (
    assert_same,
    example,
    mlp,
    outputs,
    randomised,
    snapshot,
    written,
)
from tests.pruning.pruned import assert_as_naive, assert_refused, vectors


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


def layers():
    return {"a": nn.Linear(6, 8), "b": nn.Linear(6, 8), "out": nn.Linear(8, 3)}


def changed(change):
    network = mlp()
    change(network)
    return network


def keep_activation(network):
    network.seen = torch.ones(3, requires_grad=True) * 2


def deprecated_weight_norm(network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(network[2])


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


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        return torch.jit.script(mlp())


NOTHING = "expected a layer between input and output to prune, got none"
PLAIN = "expected plain parameters, got parametrised ones; remove the parametrisation first"
REFUSED = {
    "weight norm": (
        lambda: changed(lambda net: parametrizations.weight_norm(net[2])),
        f"2: {PLAIN}",
    ),
    "spectral norm": (
        lambda: changed(lambda net: parametrizations.spectral_norm(net.eval()[0])),
        f"0: {PLAIN}",
    ),
    "parametrised bias": (
        lambda: changed(
            lambda net: parametrize.register_parametrization(net[2], "bias", Doubled())
        ),
        f"2: {PLAIN}",
    ),
    "parametrised batch norm": (
        lambda: changed(
            lambda net: parametrize.register_parametrization(
                net.insert(1, nn.BatchNorm1d(8))[1], "weight", Doubled()
            )
        ),
        f"1: {PLAIN}",
    ),
    "deprecated weight norm": (lambda: changed(deprecated_weight_norm), f"2: {PLAIN}"),
    "masked weight": (
        lambda: changed(lambda net: torch_prune.l1_unstructured(net[2], "weight", 0.5)),
        f"2: {PLAIN}",
    ),
    "activation kept": (lambda: changed(keep_activation), "prune: Sequential cannot be copied"),
    "lock": (
        lambda: changed(lambda net: setattr(net, "lock", threading.Lock())),
        "prune: Sequential cannot be copied: .*lock",
    ),
    "data parallel": (
        lambda: nn.DataParallel(mlp()),
        "DataParallel wraps the network; prune network.module",
    ),
    "averaged": (
        lambda: torch.optim.swa_utils.AveragedModel(mlp()),
        "AveragedModel wraps the network; prune network.module",
    ),
    "wrapped inside": (
        lambda: nn.Sequential(nn.Linear(6, 6), nn.DataParallel(mlp())),
        "1: DataParallel wraps the network",
    ),
    "scripted": (scripted, "RecursiveScriptModule: is scripted; prune the network before"),
    "two inputs": (
        lambda: written(lambda net, x, y: net.out(net.a(x) + net.a(y)), **layers()),
        r"Written does not take a batch \(40, 6\) of torch.float32: .*argument: 'y'",
    ),
    "no output": (lambda: written(lambda net, x: None, **layers()), NOTHING),
    "one linear layer": (
        lambda: nn.Sequential(nn.Linear(6, 3)),
        NOTHING,
    ),
    "bare linear layer": (lambda: nn.Linear(6, 3), NOTHING),
    "no layer": (lambda: nn.Sequential(nn.ReLU()), NOTHING),
    "all tied to the output": (
        lambda: written(lambda net, x: net.a(x) + net.b(x), **layers()),
        NOTHING,
    ),
    "a function": (lambda: lambda x: x, r"prune: expected a network \(nn.Module\), got function"),
}


@pytest.mark.parametrize(("make", "match"), REFUSED.values(), ids=REFUSED)
def test_networks_that_are_refused_stay_as_they_were(make, match, capfd):
    network = make()
    before = snapshot(network) if isinstance(network, nn.Module) else None
    assert_refused(lambda: prune(network, [vectors()], keep=0.5), MiniExpError, match, capfd)
    if before is not None:
        assert_same(before, snapshot(network))


def quantised():
    return torch.ao.quantization.quantize_dynamic(mlp(), {nn.Linear})


WITHOUT_VALUES = {
    "compiled": (
        lambda: torch.compile(mlp()),
        "OptimizedModule wraps the network; prune network._orig_mod",
    ),
    "lazy": (
        lambda: nn.Sequential(nn.LazyLinear(6), nn.Linear(6, 3)),
        "0: its weight is lazy; run the network once first",
    ),
    "without values": (
        lambda: mlp().to("meta"),
        r"0: its weight has no values \(device meta\)",
    ),
    "quantised": (quantised, "0: is quantised; prune the network before that"),
}


@pytest.mark.parametrize(("make", "match"), WITHOUT_VALUES.values(), ids=WITHOUT_VALUES)
def test_networks_whose_weights_are_no_plain_values_are_refused(make, match, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch itself calls some of these deprecated
        network = make()
    assert_refused(lambda: prune(network, [vectors()], keep=0.5), MiniExpError, match, capfd)


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
