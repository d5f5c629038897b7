"""The residual stream: norms over fewer channels, and what their readers get."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mini_exp import load_pruned, prune, save_pruned
from mini_exp.errors import DomainError
from mini_exp.pruning.recovery import Recovery
from tests.pruning.examples import assert_same, snapshot, written
from tests.pruning.streams import (
    KEPT,
    LENGTH,
    WIDTH,
    Bert,
    FunctionalNorm,
    OwnNorm,
    Vit,
    blocks,
    encoder,
    images,
    randomised,
    sequences,
    tokens,
)

STREAM_OF_BERT = "layer.self_attn.out_proj"  # an embedding is no layer that writes
FORMS = {
    "pre-norm encoder": (lambda: encoder(True), sequences, "0"),
    "post-norm encoder": (lambda: encoder(False), sequences, "0"),
    "LayerNorm": (lambda: blocks(nn.LayerNorm), sequences, "0"),
    "RMSNorm": (lambda: blocks(nn.RMSNorm), sequences, "0"),
    "a norm of one's own": (lambda: blocks(FunctionalNorm), sequences, "0"),
    "vision transformer": (Vit, images, "patches"),
    "BERT": (Bert, tokens, STREAM_OF_BERT),
}
every_form = pytest.mark.parametrize("form", FORMS)


def pruned(form, keep=KEPT / WIDTH, **options):
    make, inputs, name = FORMS[form]
    network = randomised(make())
    return network, *prune(network, [inputs()], keep={name: keep}, residual=True, **options)


def stream_widths(network):
    """Sizes of the norms, by what they keep and by their weights."""
    norms = [m for m in network.modules() if isinstance(m, nn.LayerNorm | nn.RMSNorm)]
    return {tuple(m.normalized_shape) for m in norms} | {tuple(m.weight.shape) for m in norms}


def inputs_of(network, module, batch):
    """What a module is given, a row per position: NumPy."""
    seen = []
    handle = module.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    with torch.no_grad():
        network(batch)
    handle.remove()
    return seen[0].flatten(0, -2).numpy()


def normalised(x, centred=True):
    """By hand, before weight and bias; 1e-5 is the ε of LayerNorm."""
    x = x - x.mean(-1, keepdims=True) if centred else x
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5 * centred)


def fit_of(x, kept, centred=True):
    """c and 1 − R² by least squares."""
    n, narrow = normalised(x, centred)[:, kept].ravel(), normalised(x[:, kept], centred).ravel()
    (c,), (rest,), *_ = np.linalg.lstsq(narrow[:, None], n, rcond=None)
    return c, rest / (n @ n)


@every_form
def test_the_stream_becomes_narrow_and_the_check_passes(form):
    _, smaller, selection = pruned(form)
    assert selection.widths[FORMS[form][2]] == KEPT
    assert stream_widths(smaller) <= {(KEPT,)}
    assert selection.agreement < 1e-12  # rounding of float64


@every_form
def test_the_network_that_is_given_is_not_changed(form):
    make, inputs, name = FORMS[form]
    network = randomised(make())
    before = snapshot(network)
    prune(network, [inputs()], keep={name: 0.5}, residual=True)
    assert_same(before, snapshot(network))


@every_form
def test_it_is_saved_and_loaded(form, tmp_path):
    network, smaller, selection = pruned(form)
    save_pruned(smaller, selection, tmp_path)
    loaded, found = load_pruned(network, tmp_path)
    expected, got = snapshot(smaller), snapshot(loaded)
    assert_same(*({key: one[key] for key in ("state", "settings")} for one in (expected, got)))
    assert found.norms == selection.norms
    assert [one.group for one in found.groups] == [one.group for one in selection.groups]


@every_form
def test_kept_whole_nothing_changes(form):
    network, smaller, selection = pruned(form, keep=1.0)
    assert_same({"state": network.state_dict()}, {"state": smaller.state_dict()})
    assert selection.norms == ()


@every_form
def test_without_the_option_the_stream_stays_whole(form):
    make, inputs, name = FORMS[form]
    network = randomised(make())
    smaller, selection = prune(network, [inputs()], keep=0.5)
    assert name not in selection.widths
    assert stream_widths(smaller) <= {(WIDTH,)}
    reasons = {one.name: one.reason for one in selection.frozen}
    assert reasons[name].endswith("_norm over channels")
    assert selection.norms == ()


@pytest.mark.parametrize(("form", "centred"), [("LayerNorm", True), ("RMSNorm", False)])
def test_c_and_its_error_are_those_of_least_squares(form, centred):
    network, _, selection = pruned(form)
    kept = selection.index_sets["0"]
    norms = {"1.norm.weight": network[1].norm, "2.norm.weight": network[2].norm}
    norms["3.weight"] = network[3]
    assert [fit.weight for fit in selection.norms] == list(norms)
    for fit in selection.norms:
        x = inputs_of(network, norms[fit.weight], sequences())
        # PyTorch adds ε of float64 to the mean square of RMSNorm
        np.testing.assert_allclose((fit.scale, fit.error), fit_of(x, kept, centred), rtol=1e-9)


def test_positions_that_a_mask_leaves_out_do_not_count_for_c():
    network, batch = randomised(Bert()), tokens()
    batch["attention_mask"][::2, 3:] = 0
    _, selection = prune(network, [batch], keep={STREAM_OF_BERT: 0.5}, residual=True)
    kept = selection.index_sets[STREAM_OF_BERT]
    x = network.words(batch["input_ids"]) + network.places.weight
    x = x[batch["attention_mask"].bool()].detach().numpy()
    fit = next(fit for fit in selection.norms if fit.weight == "norm.weight")
    np.testing.assert_allclose((fit.scale, fit.error), fit_of(x, kept), rtol=1e-9)


def test_sliced_weights_are_the_old_ones_and_those_of_norms_times_c():
    network, smaller, selection = pruned("LayerNorm", weights="slice")
    kept = selection.index_sets["0"]
    scale = {fit.weight: fit.scale for fit in selection.norms}
    np.testing.assert_allclose(
        smaller[1].norm.weight.detach(),
        scale["1.norm.weight"] * network[1].norm.weight[kept].detach(),
    )
    assert torch.equal(smaller[1].norm.bias, network[1].norm.bias[kept])
    assert torch.equal(smaller[1].inner.weight, network[1].inner.weight[:, kept])
    assert torch.equal(smaller[1].outer.weight, network[1].outer.weight[kept])


def test_readers_are_estimated_from_what_the_narrow_norms_give():
    network, smaller, selection = pruned("LayerNorm", ridge=0.0)
    kept = selection.index_sets["0"]
    for i in (1, 2):
        x = inputs_of(network, network[i].norm, sequences())
        weight, bias = (
            network[i].norm.weight.detach().numpy(),
            network[i].norm.bias.detach().numpy(),
        )
        whole = normalised(x) * weight + bias
        narrow = fit_of(x, kept)[0] * normalised(x[:, kept]) * weight[kept] + bias[kept]
        a = np.linalg.lstsq(narrow, whole, rcond=None)[0].T
        expected = network[i].inner.weight.detach().numpy() @ a
        np.testing.assert_allclose(smaller[i].inner.weight.detach(), expected, rtol=1e-6)


def test_a_reader_without_a_norm_is_estimated_from_the_stream_as_it_is():
    network = randomised(blocks(nn.LayerNorm))
    network[3] = nn.Identity()
    smaller, selection = prune(
        network, [sequences()], keep={"0": KEPT / WIDTH}, residual=True, ridge=0.0
    )
    x = inputs_of(network, network[4], sequences())
    a = np.linalg.lstsq(x[:, selection.index_sets["0"]], x, rcond=None)[0].T
    expected = network[4].weight.detach().numpy() @ a
    np.testing.assert_allclose(smaller[4].weight.detach(), expected, rtol=1e-6)


def test_norms_that_share_their_weights_keep_the_stream_whole():
    network = randomised(blocks(nn.LayerNorm))
    network[2].norm.weight = network[1].norm.weight
    _, selection = prune(network, [sequences()], keep=0.5, residual=True)
    reasons = {one.name: one.reason for one in selection.frozen}
    assert reasons["0"] == "2.norm: layer_norm over channels"


def test_a_norm_that_is_called_twice_is_fitted_to_both():
    network = randomised(blocks(nn.LayerNorm))
    network[2].norm = network[1].norm
    smaller, selection = prune(network, [sequences()], keep={"0": 0.5}, residual=True)
    x = np.concatenate([inputs_of(network, network[i], sequences()) for i in (1, 2)])
    fit = selection.norms[0]
    expected = fit_of(x, selection.index_sets["0"])
    np.testing.assert_allclose((fit.scale, fit.error), expected, rtol=1e-9)
    assert smaller[2].norm is smaller[1].norm


@every_form
@pytest.mark.parametrize("options", [{"sequential": True}, {"refit": True}, {"theta": "auto"}])
def test_other_options_go_with_it(form, options):
    _, smaller, selection = pruned(form, **options)
    assert stream_widths(smaller) <= {(KEPT,)}
    assert len(selection.norms) > 0


@pytest.mark.parametrize("form", ["pre-norm encoder", "post-norm encoder"])
@pytest.mark.parametrize("option", ["heads", "entries"])
def test_attention_is_pruned_beside_it(form, option):
    network = randomised(FORMS[form][0]())
    smaller, selection = prune(network, [sequences()], keep=0.5, residual=True, **{option: True})
    attention = smaller[1].layers[0].self_attn
    assert attention.in_proj_weight.shape == (3 * WIDTH // 2, WIDTH // 2)
    assert attention.out_proj.weight.shape == (WIDTH // 2, WIDTH // 2)
    assert selection.agreement < 1e-12  # rounding of float64


def test_a_budget_counts_the_stream():
    network = randomised(encoder(True))
    smaller, selection = prune(network, [sequences()], parameters=0.5, residual=True)
    total = sum(x.numel() for x in network.parameters())
    assert sum(x.numel() for x in smaller.parameters()) <= total / 2
    assert selection.widths["0"] < WIDTH


@pytest.mark.parametrize("form", ["pre-norm encoder", "post-norm encoder"])
def test_it_is_repaired_by_recovery(form):
    _, smaller, selection = pruned(form, recover=Recovery(steps=40))
    assert stream_widths(smaller) == {(KEPT,)}
    assert selection.recovered.after < selection.recovered.before


def test_the_smaller_network_is_pruned_again():
    _, smaller, _ = pruned("LayerNorm")
    again, selection = prune(smaller, [sequences()], widths={"0": 5}, residual=True)
    assert stream_widths(again) == {(5,)}
    assert len(selection.norms) == 3


def test_the_table_says_what_the_norms_lose():
    *_, selection = pruned("LayerNorm")
    worst = max(selection.norms, key=lambda fit: fit.error)
    last = str(selection).splitlines()[-1]
    assert last.startswith(f"norms over fewer channels: up to {worst.error:.3g} of the mean square")
    assert last.endswith(f"({worst.weight})")


def with_norm(forward):
    """A stream of two layers whose norm has another forward."""

    class Norm(nn.LayerNorm):
        def forward(self, x):
            return forward(super(), x)

    return blocks(Norm)


WHOLE = {
    "own": (lambda: blocks(OwnNorm), "mean over channels"),
    "without weights": (
        lambda: blocks(lambda width: nn.LayerNorm(width, elementwise_affine=False)),
        "layer_norm over channels",
    ),
    "by its width": (
        lambda: with_norm(lambda norm, x: norm.forward(x) * x.shape[-1]),
        "gives something else with fewer channels",
    ),
    "of a fixed shape": (
        lambda: with_norm(lambda norm, x: norm.forward(x.reshape(-1, LENGTH, WIDTH))),
        "its code fixes their number",
    ),
    "group norm": (
        lambda: with_norm(lambda norm, x: functional.group_norm(x.mT, 3).mT),
        "group_norm over channels",
    ),
}


@pytest.mark.parametrize(("make", "reason"), WHOLE.values(), ids=WHOLE)
def test_other_norms_keep_the_stream_whole_and_it_is_said_why(make, reason):
    network = randomised(make())
    smaller, selection = prune(network, [sequences()], keep=0.5, residual=True)
    assert smaller[0].out_features == WIDTH
    assert reason in next(one.reason for one in selection.frozen if one.name == "0")


def test_a_norm_of_images_along_another_axis_is_narrowed():
    class ImageNorm(nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    def forward(net, x):
        x = net.stem(x)
        x = x + net.outer(net.inner(net.norm(x)).relu())
        return net.head(x.mean((2, 3)))

    parts = {
        "stem": nn.Conv2d(1, WIDTH, 2, 2),
        "norm": ImageNorm(WIDTH),
        "inner": nn.Conv2d(WIDTH, 7, 1),
    }
    parts |= {"outer": nn.Conv2d(7, WIDTH, 1), "head": nn.Linear(WIDTH, 3)}
    network = randomised(written(forward, **parts))
    smaller, selection = prune(network, [images()], keep=0.5, residual=True)
    assert stream_widths(smaller) == {(WIDTH // 2,)}
    assert selection.agreement < 1e-12  # rounding of float64


def test_a_norm_that_is_excluded_keeps_the_stream_whole():
    network = randomised(blocks(nn.LayerNorm))
    smaller, selection = prune(network, [sequences()], keep=0.5, residual=True, exclude=["3"])
    assert stream_widths(smaller) == {(WIDTH,)}
    assert {one.name: one.reason for one in selection.frozen}["0"] == "3 is excluded"


@pytest.mark.parametrize("value", [1, "yes", None])
def test_the_flag_is_checked(value):
    with pytest.raises(DomainError, match="prune: residual: expected True or False, got"):
        prune(blocks(nn.LayerNorm), [sequences().float()], keep=0.5, residual=value)
