"""Networks of the forms that people use are pruned right."""

import pytest
import torch

from mini_exp import prune
from mini_exp.errors import NetworkError
from tests.pruning.examples import randomised
from tests.pruning.forms import convolutional, sequential
from tests.pruning.pruned import images, n_parameters
from tests.pruning.zeroed import all_outputs, assert_pruned_right

FORMS = {
    **{
        name: (make, lambda: images().double(), widths)
        for name, (make, widths) in convolutional.FORMS.items()
    },
    **sequential.FORMS,
}


def full_widths(selection):
    return {kept.group.name: kept.group.width for kept in selection.groups}


@pytest.mark.parametrize(("make", "inputs", "widths"), FORMS.values(), ids=FORMS)
def test_equals_the_original_with_removed_channels_at_zero(make, inputs, widths, tmp_path):
    network = randomised(make())
    _, selection = assert_pruned_right(network, [inputs()], tmp_path)
    assert full_widths(selection) == widths


@pytest.mark.parametrize("keep", [0.25, 0.8])
@pytest.mark.parametrize("name", ["shuffle units", "a U-Net", "gated MLPs", "einsum"])
def test_other_shares_are_kept_as_well(name, keep):
    make, inputs, _ = FORMS[name]
    assert_pruned_right(randomised(make()), [inputs()], keep=keep)


@pytest.mark.parametrize(("make", "inputs", "widths"), FORMS.values(), ids=FORMS)
def test_everything_kept_changes_no_bit(make, inputs, widths):
    network, batches = randomised(make()), [inputs()]
    smaller, _ = prune(network, batches, keep=1.0)
    for expected, got in zip(
        all_outputs(network, batches), all_outputs(smaller, batches), strict=True
    ):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("share", [0.8, 0.95])
@pytest.mark.parametrize(("make", "inputs", "widths"), FORMS.values(), ids=FORMS)
def test_a_budget_of_parameters_is_kept(make, inputs, widths, share):
    network = randomised(make())
    smaller, _ = prune(network, [inputs()], parameters=share)
    assert n_parameters(smaller, None) <= share * n_parameters(network, None)


OPTIONS = [{}, {"sequential": True}, {"theta": 1.0}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("make", "inputs", "widths"), FORMS.values(), ids=FORMS)
def test_pruned_twice_in_a_row(make, inputs, widths, options):
    network, batches = randomised(make()), [inputs()]
    smaller, _ = prune(network, batches, keep=0.7, **options)
    smallest, selection = prune(smaller, batches, keep=0.7, **options)
    assert set(selection.widths) == {name for name, width in widths.items() if width > 2}
    assert all(torch.isfinite(y).all() for y in all_outputs(smallest, batches))


WITHOUT_BIAS = {
    "a U-Net": "up2: expected a layer that makes the same of a constant at every place",
    "a cell in a loop": "cell.weight_ih: expected the weight of a layer with a bias",
    "an LSTM cell in a loop": "cell.weight_ih: expected the weight of a layer with a bias",
    **dict.fromkeys(
        [name for name in FORMS if name.startswith(("LSTM", "GRU", "RNN"))],
        "cell.weight_ih_l0: expected the weight of a layer with a bias",
    ),
    "einsum": "up: expected the weight of a layer with a bias",
}


@pytest.mark.parametrize("name", [name for name in FORMS if name not in WITHOUT_BIAS])
def test_an_intercept_goes_into_the_readers_biases(name):
    make, inputs, _ = FORMS[name]
    network, batches = randomised(make()), [inputs()]
    smaller, _ = prune(network, batches, keep=0.7, intercept=True)
    assert all(torch.isfinite(y).all() for y in all_outputs(smaller, batches))


@pytest.mark.parametrize(("name", "message"), WITHOUT_BIAS.items(), ids=WITHOUT_BIAS)
def test_an_intercept_that_has_no_place_is_refused_by_name(name, message):
    make, inputs, _ = FORMS[name]
    with pytest.raises(NetworkError, match=f"prune: intercept: {message}"):
        prune(randomised(make()), [inputs()], keep=0.7, intercept=True)


TORCH = ["encoder.layers.0.self_attn", "encoder.layers.1.self_attn"]
TORCH += ["decoder.self_attn", "decoder.multihead_attn"]
HEADS = {
    "a vision transformer": ["blocks.0.attention.qkv", "blocks.1.attention.qkv"],
    "a vision transformer by hand": ["blocks.0.attention.qkv", "blocks.1.attention.qkv"],
    "gated MLPs": ["layers.0.attention.q_proj", "layers.1.attention.q_proj"],
    "weights by columns": ["blocks.0.c_attn", "blocks.1.c_attn"],
    "torch's transformer": TORCH,
    "torch's transformer, norms first": TORCH,
    "torch's transformer, positions first": TORCH,
}
N_HEADS, SIZE = 2, 4


@pytest.mark.parametrize(("name", "attention"), HEADS.items(), ids=HEADS)
def test_heads_are_removed_as_a_whole(name, attention, tmp_path):
    make, inputs, widths = sequential.FORMS[name]
    _, selection = assert_pruned_right(randomised(make()), [inputs()], tmp_path, heads=True)
    assert full_widths(selection) == widths | dict.fromkeys(attention, N_HEADS)


ENTRIES = [name for name in HEADS if "torch" in name] + ["a vision transformer"]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_same_entries_of_all_heads_are_removed(name, tmp_path):
    make, inputs, widths = sequential.FORMS[name]
    _, selection = assert_pruned_right(randomised(make()), [inputs()], tmp_path, entries=True)
    assert full_widths(selection) == widths | dict.fromkeys(HEADS[name], SIZE)


@pytest.mark.parametrize("name", [name for name in HEADS if name not in ENTRIES])
def test_entries_that_the_code_counts_by_itself_stay(name, tmp_path):
    """It divides by the root of a number that it keeps, or turns fixed pairs of entries."""
    make, inputs, widths = sequential.FORMS[name]
    _, selection = assert_pruned_right(randomised(make()), [inputs()], tmp_path, entries=True)
    assert full_widths(selection) == widths
    assert {one.name for one in selection.frozen} >= set(HEADS[name])
