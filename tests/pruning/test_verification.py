"""The check of every result sees whatever differs, and nothing that does not."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from mini_exp import prune
from mini_exp.errors import NetworkError
from mini_exp.pruning.calibration import Example
from mini_exp.pruning.verification import agreement
from tests.pruning.examples import assert_same, mlp, randomised, snapshot, written
from tests.pruning.pruned import images, vectors
from tests.pruning.zeroed import assert_pruned_right


def other(network, change):
    changed = copy.deepcopy(network)
    change(changed)
    return changed


def example(dtype=torch.float64):
    return Example((vectors(8).to(dtype),), {})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_network_agrees_with_itself(dtype):
    network = mlp().to(dtype)
    assert agreement(network, copy.deepcopy(network), example(dtype)) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_weight_that_differs_by_more_than_half_of_the_digits_is_seen(dtype):
    network = mlp().to(dtype)
    step = torch.finfo(dtype).eps ** 0.5
    large = other(network, lambda net: net[4].bias.data.add_(1000 * step))
    with pytest.raises(NetworkError, match="4: gives something else"):
        agreement(large, network, example(dtype))
    small = other(network, lambda net: net[4].bias.data.add_(step / 1000))
    assert 0 < agreement(small, network, example(dtype)) < step


def test_the_first_module_that_differs_is_named():
    network = mlp()
    changed = other(network, lambda net: net[0].bias.data.add_(1))
    with pytest.raises(NetworkError, match=r"^0: gives something else"):
        agreement(changed, network, example(torch.float32))


SEEN = {
    "a mapping": lambda y: {"y": y},
    "a nested list": lambda y: [[None, (y,)]],
    "whole numbers": lambda y: y.argsort(1),
    "yes and no": lambda y: y > 0,
    "complex numbers": lambda y: torch.complex(y, -y),
    "beside infinity": lambda y: torch.cat([y, torch.full_like(y, -torch.inf)], 1),
    "beside what is no number": lambda y: torch.cat([y, torch.full_like(y, torch.nan)], 1),
    "infinite or not": lambda y: torch.where(y > 0, torch.inf, torch.zeros_like(y)),
    "a number or not": lambda y: torch.where(y > 0, torch.nan, torch.zeros_like(y)),
}


@pytest.mark.parametrize("function", SEEN.values(), ids=SEEN)
def test_outputs_of_every_kind_are_compared(function):
    torch.manual_seed(0)
    network = written(lambda net, x: function(net.b(x)), b=nn.Linear(6, 4).double())
    assert agreement(network, copy.deepcopy(network), example()) == 0
    changed = other(network, lambda net: net.b.weight.data.neg_())
    with pytest.raises(NetworkError, match="gives something else"):
        agreement(changed, network, example())


def test_another_shape_is_another_output():
    network = mlp()
    narrower = other(network, lambda net: net.__setitem__(4, nn.Linear(7, 2)))
    with pytest.raises(NetworkError, match="Sequential: gives something else"):
        agreement(narrower, network, example(torch.float32))


def test_a_network_that_no_longer_runs_says_why():
    network = mlp()
    broken = other(network, lambda net: net.__setitem__(2, nn.Linear(5, 7)))
    with pytest.raises(NetworkError, match="Sequential does not run with fewer channels: mat1"):
        agreement(broken, network, example(torch.float32))


def branches(scale):
    """A residual branch that counts its channels, and counts for little itself."""

    def forward(net, x):
        h = torch.relu(net.a(x))
        return net.out(x + scale * net.b(h / h.shape[1]))

    return randomised(
        written(forward, a=nn.Linear(6, 8), b=nn.Linear(8, 6, bias=False), out=nn.Linear(6, 3))
    )


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-12, 0.0])
def test_what_hardly_shows_in_the_output_is_seen_inside(scale):
    with pytest.raises(NetworkError, match="prune: a: with fewer channels"):
        prune(branches(scale), [vectors().double()], keep=0.5)


def saturated(net, x):
    h = torch.relu(net.a(x))
    return torch.sigmoid(100 + net.out(h / h.shape[1]).abs())


def test_what_an_output_that_never_changes_hides_is_seen_inside():
    network = randomised(written(saturated, a=nn.Linear(6, 8), out=nn.Linear(8, 3)))
    with pytest.raises(NetworkError, match="prune: a: with fewer channels"):
        prune(network, [vectors().double()], keep=0.5)


def test_rounding_that_a_norm_makes_large_is_no_difference():
    """All channels of the norm's input are the same but for the last digits."""
    network = written(
        lambda net, x: net.out(net.norm(net.b(torch.relu(net.a(x))))),
        a=nn.Linear(6, 64),
        b=nn.Linear(64, 16),
        norm=nn.LayerNorm(16, eps=1e-14),
        out=nn.Linear(16, 3),
    )
    network.b.weight.data = network.b.weight.data[:1].repeat(16, 1) + 1
    network.b.bias.data.zero_()
    network.norm.weight.data.fill_(1e-3)
    smaller, _ = prune(network, [vectors(100)], widths={"a": 32}, weights="slice")
    assert smaller.b.weight.shape == (16, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_that_large_weights_make_large_is_no_difference(dtype):
    """What two channels say is told apart by the last digits of their sum."""
    network = written(
        lambda net, x: net.out(net.b(torch.relu(net.a(x)))),
        a=nn.Linear(6, 32),
        b=nn.Linear(32, 8, bias=False),
        out=nn.Linear(8, 3),
    ).to(dtype)
    with torch.no_grad():
        network.b.weight += 1
        network.out.weight.copy_(network.out.weight - network.out.weight.mean(1, keepdim=True))
        network.out.weight *= 1e4
        network.b.weight.copy_(1 + 1e-6 * network.b.weight)
    smaller, _ = prune(network, [vectors(100).to(dtype)], widths={"a": 16}, weights="slice")
    assert smaller.b.weight.shape == (8, 16)


def test_a_true_difference_is_one_in_every_type():
    for dtype in (torch.float32, torch.bfloat16):
        with pytest.raises(NetworkError, match="prune: a: with fewer channels"):
            prune(branches(1.0).to(dtype), [vectors().to(dtype)], keep=0.5)


def noisy(net, x):
    h = torch.relu(net.a(x))
    return net.out(h + 0.1 * torch.randn_like(h) if net.training else h)


def sampled(net, x):
    h = torch.relu(net.a(x))
    return net.out(net.mean(h) + torch.exp(net.scale(h)) * torch.randn_like(net.scale(h)))


@pytest.mark.parametrize("forward", [noisy, sampled])
def test_noise_for_every_channel_is_no_difference(forward):
    layers = {name: nn.Linear(8, 8) for name in ("mean", "scale")}
    network = written(forward, a=nn.Linear(6, 8), **layers, out=nn.Linear(8, 3)).double()
    smaller, selection = prune(network, [vectors().double()], keep=0.5)
    assert set(selection.widths.values()) == {4}
    assert smaller(vectors().double()).shape == (40, 3)


class DropPath(nn.Module):
    """Stochastic depth: the branch of some samples is left out in training."""

    def forward(self, x):
        if not self.training:
            return x
        kept = x.new_empty((len(x),) + (1,) * (x.ndim - 1)).bernoulli_(0.5)
        return x * kept / 0.5


def test_chance_in_training_is_the_same_for_both(tmp_path):
    def forward(net, x):
        x = net.stem(x)
        return net.out((x + net.drop(net.b(torch.relu(net.a(x))))).mean((2, 3)))

    network = written(
        forward,
        stem=nn.Conv2d(2, 4, 3),
        a=nn.Conv2d(4, 6, 1),
        b=nn.Conv2d(6, 4, 1),
        drop=DropPath(),
        out=nn.Linear(4, 3),
    )
    _, selection = assert_pruned_right(randomised(network), [images().double()], tmp_path)
    assert selection.widths == {"stem": 2, "a": 3}


def test_the_check_leaves_networks_and_chance_as_they_were():
    network = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)).train()
    network[1].eval()
    before, state = snapshot(network), torch.get_rng_state()
    agreement(network, copy.deepcopy(network), example(torch.float32))
    assert_same(before, snapshot(network))
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_of_attention_is_off():
    def forward(net, x):
        y = functional.scaled_dot_product_attention(x, x, x, None, 0.5)
        return net.out(torch.relu(net.a(y)))

    network = written(forward, a=nn.Linear(6, 8), out=nn.Linear(8, 3)).double()
    assert (
        agreement(network, copy.deepcopy(network), Example((images(3, (5, 6)).double(),), {})) == 0
    )
