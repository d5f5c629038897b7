"""What depends on the number of channels in a way of its own is found, and never returned."""

import pytest
import torch
from torch import nn

from mini_exp import prune
from mini_exp.errors import NetworkError
from tests.pruning.examples import assert_same, randomised, snapshot, written
from tests.pruning.pruned import assert_refused, vectors
from tests.pruning.zeroed import assert_pruned_right


def between(function, **more):
    """A hidden layer whose channels a function counts, and one behind it that nothing counts."""
    layers = {"a": nn.Linear(6, 8), "b": nn.Linear(8, 5), "out": nn.Linear(5, 3), **more}
    return written(
        lambda net, x: net.out(torch.relu(net.b(function(net, torch.relu(net.a(x)))))), **layers
    )


class Scaled(nn.Module):
    """A reader that divides by the root of what it reads."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)

    def forward(self, x):
        return self.linear(x) * x.shape[-1] ** -0.5


class EqualisedLinear(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.in_features**-0.5, self.bias)


def hooked(hook):
    network = between(lambda net, x: x)
    network.a.register_forward_hook(hook)
    return network


COUNTING = {
    "divided by their number": between(lambda net, h: h / h.shape[1]),
    "times a power of it": between(lambda net, h: h * net.a.out_features**-0.5),
    "only if there are eight": between(lambda net, h: 2 * h if net.a.out_features == 8 else h),
    "only if there are many": between(lambda net, h: h if h.shape[1] > 6 else -h),
    "the size of a weight": between(lambda net, h: h * net.b.weight.shape[1] / 8),
    "a number of elements": between(lambda net, h: h / h.numel() * len(h)),
    "a hook of the layer": hooked(lambda module, given, y: y / y.shape[1]),
    "a hook that knows the layer": hooked(lambda module, given, y: y * module.out_features),
    "in another module": between(lambda net, h: h, b=Scaled(8, 5)),
    "angles from their number": between(
        lambda net, h: h * torch.arange(h.shape[1]).double().cos().mean()
    ),
}


@pytest.mark.parametrize("network", COUNTING.values(), ids=COUNTING)
def test_channels_whose_number_counts_are_refused_by_name(network, capfd):
    network = randomised(network).train()
    before = snapshot(network)
    match = r"prune: a: with fewer channels .* something else .*exclude=\['a'\]"
    x = [vectors().double()]
    assert_refused(lambda: prune(network, x, keep=0.5), NetworkError, match, capfd)
    assert_same(before, snapshot(network))


@pytest.mark.parametrize("network", COUNTING.values(), ids=COUNTING)
def test_what_the_message_says_to_exclude_is_enough(network, tmp_path):
    network = randomised(network)
    _, selection = assert_pruned_right(network, [vectors().double()], tmp_path, exclude=["a"])
    assert list(selection.widths.values()) == [3]


MIXING = {
    "a weight that is scaled by their number": between(lambda net, h: h, b=EqualisedLinear(8, 5)),
    "a mean by hand": between(lambda net, h: h + h.sum(1, keepdim=True) / h.shape[1]),
    "a constant as wide as they are": between(
        lambda net, h: h + torch.linspace(0, 1, h.shape[1]).double()
    ),
    "the norm of a weight": between(lambda net, h: h / net.a.weight.norm()),
    "the mean of a weight": between(lambda net, h: h * net.a.weight.abs().mean()),
    "the largest of all": between(lambda net, h: h / h.amax()),
}


@pytest.mark.parametrize("network", MIXING.values(), ids=MIXING)
def test_channels_that_are_mixed_stay_whole(network, tmp_path):
    network = randomised(network)
    _, selection = assert_pruned_right(network, [vectors().double()], tmp_path)
    assert selection.widths == {"b": 3}
    assert [one.name for one in selection.frozen] == ["a"]


def test_a_number_that_counts_below_the_half_is_found_at_the_width_that_is_asked_for():
    network = randomised(between(lambda net, h: h if h.shape[1] > 2 else -h))
    x = [vectors().double()]
    assert_pruned_right(network, x, keep=0.5)
    with pytest.raises(NetworkError, match=r"prune: out: .* something else with fewer channels"):
        prune(network, x, keep=0.25)


def test_a_buffer_that_goes_with_the_channels_is_sliced(tmp_path):
    network = between(lambda net, h: h * net.gain + net.shift)
    network.register_buffer("gain", torch.randn(8))
    network.register_buffer("shift", torch.randn(8), persistent=False)
    smaller, selection = assert_pruned_right(randomised(network), [vectors().double()])
    kept = selection.index_sets["a"]
    assert torch.equal(smaller.gain, network.gain[kept])
    assert torch.equal(smaller.shift, network.shift[kept])


def test_a_mask_of_channels_is_sliced(tmp_path):
    network = between(lambda net, h: h.masked_fill(net.mask, 0.0))
    network.register_buffer("mask", torch.arange(8) % 3 == 0)
    smaller, selection = assert_pruned_right(randomised(network), [vectors().double()], tmp_path)
    assert torch.equal(smaller.mask, network.mask[selection.index_sets["a"]])


def test_a_plain_tensor_as_wide_as_the_channels_lets_them_stay():
    network = between(lambda net, h: h * net.gain)
    network.gain = torch.rand(8).double()
    _, selection = assert_pruned_right(randomised(network), [vectors().double()])
    assert selection.widths == {"b": 3}


def test_a_hook_that_does_not_count_is_called_with_what_is_left():
    shapes = []
    network = randomised(hooked(lambda module, given, y: shapes.append(tuple(y.shape))))
    smaller, _ = prune(network, [vectors().double()], keep=0.5)
    shapes.clear()
    smaller(vectors().double())
    assert shapes == [(40, 4)]
