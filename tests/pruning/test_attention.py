"""PyTorch's attention: run in functions with rules it is the same, and it is pruned with them."""

import itertools
import re

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import NetworkError
from mini_exp.pruning.operations.attention import multi_head_attention
from tests.pruning.examples import randomised, written
from tests.pruning.zeroed import assert_pruned_right

LENGTH, N, WIDTH, HEADS = 5, 3, 8, 2


def generator():
    return torch.Generator().manual_seed(0)


def sequence(length=LENGTH, width=WIDTH):
    return torch.randn(length, N, width, generator=generator()).double()


def causal(length):
    return torch.ones(length, length).triu(1).bool()


def padding(length):
    return torch.arange(length) >= torch.tensor([[length], [2], [3]])


MASKS = {
    "none": {},
    "causal": {"attn_mask": causal(LENGTH)},
    "added": {"attn_mask": torch.randn(LENGTH, LENGTH, generator=generator()).double()},
    "by head": {"attn_mask": torch.rand(N * HEADS, LENGTH, LENGTH, generator=generator()) < 0.2},
    "padding": {"key_padding_mask": padding(LENGTH)},
    "both": {"attn_mask": causal(LENGTH), "key_padding_mask": padding(LENGTH)},
    "added padding": {"key_padding_mask": -1.0 * padding(LENGTH).double()},
}
SETTINGS = {
    "plain": {},
    "without bias": {"bias": False},
    "biases of keys": {"add_bias_kv": True},
    "zero attention": {"add_zero_attn": True},
    "other widths": {"kdim": 6, "vdim": 4},
}


def heads_by_head(masks):
    """The mask of every head attends to itself, so that no softmax is over nothing."""
    if masks.get("attn_mask") is not None and masks["attn_mask"].ndim == 3:
        keep = ~torch.eye(LENGTH).bool()
        return {"attn_mask": masks["attn_mask"] & keep}
    return masks


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_in_functions_with_rules_it_is_what_torch_computes(settings, masks, need_weights):
    layer = nn.MultiheadAttention(WIDTH, HEADS, **settings).double()
    randomise(layer)
    query = sequence()
    given = (query, query, query)
    if "kdim" in settings:
        given = (query, sequence(width=settings["kdim"]), sequence(width=settings["vdim"]))
    arguments = {**heads_by_head(masks), "need_weights": need_weights}
    with torch.no_grad():
        expected = layer(*given, **arguments)
        found = multi_head_attention(
            *given,
            *(WIDTH, HEADS, layer.in_proj_weight, layer.in_proj_bias, layer.bias_k, layer.bias_v),
            *(layer.add_zero_attn, 0.0, layer.out_proj.weight, layer.out_proj.bias),
            training=False,
            use_separate_proj_weight=layer.in_proj_weight is None,
            q_proj_weight=layer.q_proj_weight,
            k_proj_weight=layer.k_proj_weight,
            v_proj_weight=layer.v_proj_weight,
            **arguments,
        )
    for ours, theirs in itertools.zip_longest(found, expected):
        if theirs is None:
            assert ours is None
        else:
            assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def randomise(layer):
    torch.manual_seed(0)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, 0, 0.5)


def around(forward, **more):
    return written(
        forward,
        **{
            "first": nn.Linear(6, WIDTH),
            "attend": nn.MultiheadAttention(WIDTH, HEADS),
            "inner": nn.Linear(WIDTH, 7),
            "out": nn.Linear(7, 3),
            **more,
        },
    )


def to_itself(net, x, **arguments):
    x = torch.relu(net.first(x))
    y, _ = net.attend(x, x, x, need_weights=False, **arguments)
    return net.out(torch.relu(net.inner(y)))


def to_another(net, query, key, value):
    y, _ = net.attend(query, key, value, need_weights=False)
    return net.out(net.inner(y))


FORWARDS = {
    "to itself": (to_itself, {}, {"first": 8, "attend.out_proj": 8, "inner": 7}),
    "causal": (
        lambda net, x: to_itself(net, x, attn_mask=causal(len(x)), is_causal=True),
        {},
        {"first": 8, "attend.out_proj": 8, "inner": 7},
    ),
    "to another sequence": (
        lambda net, x: to_another(net, net.first(x), net.second(x), net.second(x)),
        {"second": nn.Linear(6, WIDTH)},
        {"first": 8, "attend.out_proj": 8, "inner": 7},
    ),
    "keys of another width": (
        lambda net, x: to_another(net, net.first(x), net.second(x), x),
        {
            "second": nn.Linear(6, 5),
            "attend": nn.MultiheadAttention(WIDTH, HEADS, kdim=5, vdim=6, bias=False),
        },
        {"first": 8, "second": 5, "attend.out_proj": 8, "inner": 7},
    ),
}


@pytest.mark.parametrize("option", [{}, {"heads": True}, {"entries": True}], ids=str)
@pytest.mark.parametrize(("forward", "more", "widths"), FORWARDS.values(), ids=FORWARDS)
def test_what_it_reads_and_what_reads_it_is_pruned(forward, more, widths, option, tmp_path):
    network = randomised(around(forward, **more))
    randomise(network)
    x = torch.randn(LENGTH, 9, 6, generator=generator()).double()
    _, selection = assert_pruned_right(network, [x], tmp_path, **option)
    found = {kept.group.name: kept.group.width for kept in selection.groups}
    within = {"heads": {"attend": HEADS}, "entries": {"attend": WIDTH // HEADS}}
    assert found == widths | within.get(next(iter(option), ""), {})


def by_hand(net, x):
    n, length, _ = x.shape
    q, k, v = (
        y.view(n, length, HEADS, -1).transpose(1, 2)
        for y in (net.first(x), net.second(x), net.third(x))
    )
    y = functional.scaled_dot_product_attention(q, k, v, scale=0.5)
    return net.out(y.transpose(1, 2).flatten(2))


def attended(net, x):
    x = net.first(x)
    y, shares = net.attend(x, x, x)
    return net.out(net.inner(torch.cat([y, shares.transpose(0, 1)], -1)))


@pytest.mark.parametrize("option", [{}, {"heads": True}, {"entries": True}], ids=str)
def test_heads_whose_shares_are_averaged_stay(option, tmp_path):
    network = randomised(around(attended, inner=nn.Linear(WIDTH + LENGTH, 7)))
    randomise(network)
    x = torch.randn(LENGTH, 9, 6, generator=generator()).double()
    _, selection = assert_pruned_right(network, [x], tmp_path, **option)
    assert ("attend" in selection.widths) == ("entries" in option)
    assert selection.widths.keys() >= {"first", "attend.out_proj", "inner"}


def three_layers():
    layers = {name: nn.Linear(6, WIDTH) for name in ("first", "second", "third")}
    network = randomised(written(by_hand, **layers, out=nn.Linear(WIDTH, 3)))
    return network, torch.randn(9, LENGTH, 6, generator=generator()).double()


def test_a_scale_that_is_given_is_no_number_of_entries():
    network, x = three_layers()
    _, selection = assert_pruned_right(network, [x], entries=True)
    assert selection.widths == {"first": 2}


def test_a_number_of_heads_that_the_code_has_is_found():
    network, x = three_layers()
    with pytest.raises(NetworkError, match=r"prune: first: with fewer channels .* something else"):
        prune(network, [x], keep=0.5, heads=True)


def pooled(net, x):
    """CLIP's attention pooling calls the function itself."""
    x = torch.relu(net.first(x))
    y, _ = functional.multi_head_attention_forward(
        *(x[:1], x, x, x.shape[-1], HEADS, None),
        torch.cat([net.q.bias, net.k.bias, net.v.bias]),
        *(None, None, False, 0.0, net.c.weight, net.c.bias),
        use_separate_proj_weight=True,
        q_proj_weight=net.q.weight,
        k_proj_weight=net.k.weight,
        v_proj_weight=net.v.weight,
        training=False,
        need_weights=False,
    )
    return net.out(torch.relu(net.inner(y[0])))


def test_a_function_of_attention_that_fixes_its_width_lets_it_stay(tmp_path):
    projections = {name: nn.Linear(WIDTH, WIDTH) for name in "qkvc"}
    network = randomised(around(pooled, **projections, attend=nn.Identity()))
    x = torch.randn(LENGTH, 9, 6, generator=generator()).double()
    _, selection = assert_pruned_right(network, [x], tmp_path)
    assert selection.widths == {"c": 4, "inner": 4}
    (frozen,) = (one for one in selection.frozen if one.name == "first")
    assert re.search("its code fixes their number .*expecting query weights", frozen.reason)
    with pytest.raises(NetworkError, match="prune: first, q: with fewer channels"):
        prune(network, [x], keep=0.5, heads=True)
