"""What is not covered stays whole, is named with the reason, and the rest is pruned right."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from mini_exp import prune
from mini_exp.errors import NetworkError
from tests.pruning.examples import randomised, written
from tests.pruning.pruned import images, vectors
from tests.pruning.zeroed import assert_pruned_right


def between(function, width=8, **more):
    """Two layers of which the first stays because of what is done to its channels."""
    return lambda: written(
        lambda net, x: net.out(torch.relu(net.b(function(net, net.a(x))))),
        **{"a": nn.Linear(6, 8), "b": nn.Linear(width, 5), "out": nn.Linear(5, 3), **more},
    )


def of_image(function, channels=4, **more):
    return lambda: written(
        lambda net, x: net.out(torch.relu(net.b(function(net, net.a(x)))).mean((2, 3))),
        **{"a": nn.Conv2d(2, 4, 3), "b": nn.Conv2d(channels, 5, 1), "out": nn.Linear(5, 3), **more},
    )


class CountsFeatures(nn.Module):
    def forward(self, x):
        return x.reshape(-1, 8)


VECTORS = {
    "layer norm": (
        between(lambda net, x: net.norm(x), norm=nn.LayerNorm(8)),
        "norm: layer_norm over channels",
    ),
    "rms norm": (
        between(lambda net, x: net.norm(x), norm=nn.RMSNorm(8)),
        "norm: rms_norm over channels",
    ),
    "softmax": (
        between(lambda net, x: net.soft(x), soft=nn.Softmax(1)),
        "soft: softmax over channels",
    ),
    "functional softmax": (
        between(lambda net, x: torch.log_softmax(x, 1)),
        "the network: log_softmax over channels",
    ),
    "mean over channels": (
        between(lambda net, x: x.mean(1, True).expand(-1, 8)),
        "the network: mean over channels",
    ),
    "cumulative sum": (
        between(lambda net, x: x.cumsum(1)),
        "the network: cumsum over channels",
    ),
    "sorted": (between(lambda net, x: x.sort(1)[0]), "the network: sort over channels"),
    "normalised": (
        between(lambda net, x: functional.normalize(x)),
        "the network: normalize over channels",
    ),
    "roll": (between(lambda net, x: x.roll(1, 1)), "the network: roll of channels"),
    "a channel by its number": (
        between(lambda net, x: x + x[:, 3:4]),
        "the network: a slice of channels",
    ),
    "channels by number": (
        between(lambda net, x: x[:, [1, 0, 2, 3, 4, 5, 6, 7]]),
        "the network: channels picked by their numbers",
    ),
    "a permutation": (
        between(
            lambda net, x: x.index_select(1, net.order),
            order=nn.Buffer(torch.arange(8).flip(0)),
        ),
        "the network: channels picked by their numbers",
    ),
    "unequal parts": (
        between(lambda net, x: torch.cat(x.split([3, 5], 1)[::-1], 1)),
        "the network: parts of unequal sizes",
    ),
    "a number of features": (
        between(lambda net, x: net.count(x), count=CountsFeatures()),
        r"b: its code fixes their number \(mat1 and mat2 shapes cannot be multiplied",
    ),
    "written into": (between(lambda net, x: write(x)), "the network: assignment to a part"),
    "a constant of other values": (
        between(lambda net, x: x * torch.arange(8.0).double()),
        "the network: mul with a tensor that has no channels",
    ),
    "a function without a rule": (
        between(lambda net, x: torch.special.bessel_j0(x)),
        "the network: special_bessel_j0 is not covered",
    ),
    "bilinear": (
        between(lambda net, x: net.mix(x, x), 7, mix=nn.Bilinear(8, 8, 7)),
        "mix: bilinear is not covered",
    ),
}


def write(x):
    y = x.clone()
    y[:, 0] = 1
    return y


@pytest.mark.parametrize(("make", "reason"), VECTORS.values(), ids=VECTORS)
def test_what_is_not_covered_stays_and_says_why(make, reason, tmp_path):
    _check(make, vectors().double(), reason, tmp_path)


IMAGES = {
    "group norm": (
        of_image(lambda net, x: net.norm(x), norm=nn.GroupNorm(2, 4)),
        "norm: group_norm over channels",
    ),
    "local response norm": (
        of_image(lambda net, x: net.norm(x), norm=nn.LocalResponseNorm(2)),
        "norm: local_response_norm over channels",
    ),
    "softmax": (
        of_image(lambda net, x: net.soft(x), soft=nn.Softmax2d()),
        "soft: softmax over channels",
    ),
    "pooled channels": (
        of_image(lambda net, x: functional.max_pool3d(x, (2, 1, 1)), 2),
        "the network: max_pool3d over channels",
    ),
    "a fixed view": (
        of_image(lambda net, x: x.view(-1, 4, 36).view(-1, 4, 6, 6)),
        "its code fixes their number",
    ),
    "layer norm of images": (
        of_image(lambda net, x: net.norm(x), norm=nn.LayerNorm((4, 6, 6))),
        "norm: layer_norm over channels",
    ),
}


@pytest.mark.parametrize(("make", "reason"), IMAGES.values(), ids=IMAGES)
def test_what_is_not_covered_in_images_stays_and_says_why(make, reason, tmp_path):
    _check(make, images().double(), reason, tmp_path)


def test_a_weight_that_is_computed_is_pruned_where_it_writes_only(tmp_path):
    network = randomised(
        written(
            lambda net, x: net.out(functional.linear(net.a(x), torch.softmax(net.mix, 1))),
            a=nn.Linear(6, 8),
            mix=nn.Parameter(torch.randn(7, 8)),
            out=nn.Linear(7, 3),
        )
    )
    _, selection = assert_pruned_right(network, [vectors().double()], tmp_path)
    assert selection.widths == {"mix": 4}
    assert [one.reason for one in selection.frozen] == ["the network: softmax over channels"]


def _check(make, x, reason, tmp_path):
    network = randomised(make())
    _, selection = assert_pruned_right(network, [x], tmp_path)
    assert selection.widths == {"b": 3}
    (frozen,) = (one for one in selection.frozen if one.name == "a")
    assert frozen.width == len(network.a.weight)
    assert re.search(reason, frozen.reason), frozen.reason
    with pytest.raises(NetworkError, match=f"prune: strict: a has to stay whole: .*{reason}"):
        prune(network, [x], keep=0.5, strict=True)
