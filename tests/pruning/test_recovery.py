"""The repair of a smaller network by the original's outputs."""

import pytest
import torch
from torch import nn

from mini_exp import load_pruned, prune, save_pruned
from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.recovery import Recovery
from tests.pruning.examples import assert_same, snapshot


def regressor():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 2)
    )


def same_weights(a, b):
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


X = torch.randn(400, 5, generator=torch.Generator().manual_seed(1))
OPTIONS = [{}, {"over": "readers"}, {"loss": "kl"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_held_out_samples_gain(options):
    recovery = Recovery(steps=60, **options)
    _, selection = prune(regressor(), X, keep=0.5, recover=recovery)
    assert selection.recovered.after < selection.recovered.before
    assert selection.recovered.n == 40


def test_the_outputs_are_nearer_on_other_samples():
    network, fresh = regressor().eval(), torch.randn(500, 5)
    errors = []
    for recover in (False, True):
        smaller, _ = prune(network, X, keep=0.5, recover=recover)
        with torch.no_grad():
            errors.append(float((smaller(fresh) - network(fresh)).square().mean()))
    assert errors[1] < errors[0] / 2


def test_nothing_gets_worse_where_nothing_is_removed():
    network = regressor()
    smaller, selection = prune(network, X, keep=1.0, recover=Recovery(steps=20))
    assert selection.recovered.after == selection.recovered.before == 0
    assert same_weights(network, smaller)


def test_only_readers_move_where_only_they_may():
    network = regressor()
    plain, _ = prune(network, X, widths={"3": 6})
    smaller, _ = prune(network, X, widths={"3": 6}, recover=Recovery(steps=20, over="readers"))
    moved = [
        name
        for name, x in smaller.state_dict().items()
        if not torch.equal(x, plain.state_dict()[name])
    ]
    assert moved == ["5.weight", "5.bias"]


def test_the_same_seed_gives_the_same_network():
    networks = [prune(regressor(), X, keep=0.5, recover=Recovery(steps=20))[0] for _ in range(2)]
    assert same_weights(*networks)


def test_what_requires_a_gradient_and_the_mode_stay():
    network = regressor().train()
    network[0].weight.requires_grad_(False)
    before = snapshot(network)
    smaller, _ = prune(network, X, keep=0.5, recover=Recovery(steps=20))
    assert [x.requires_grad for x in smaller.parameters()] == [False] + [True] * 5
    assert all(x.grad is None for x in smaller.parameters())
    assert smaller.training
    assert_same(before, snapshot(network))


def test_inside_inference_mode_it_recovers_as_well():
    with torch.inference_mode():
        _, selection = prune(regressor(), X.clone(), keep=0.5, recover=Recovery(steps=20))
    assert selection.recovered.after < selection.recovered.before


def test_a_saved_selection_tells_what_was_recovered(tmp_path):
    network = regressor()
    smaller, selection = prune(network, X, keep=0.5, recover=Recovery(steps=20))
    save_pruned(smaller, selection, tmp_path / "pruned")
    _, again = load_pruned(network, tmp_path / "pruned")
    assert again.recovered == selection.recovered
    assert "recovered: squared error of the original's outputs" in str(again)


def test_an_output_without_a_gradient_is_refused():
    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = regressor()

        def forward(self, x):
            return self.inner(x).detach()

    with pytest.raises(NetworkError, match="recover: expected outputs with a gradient"):
        prune(Detached(), X, keep=0.5, recover=True)


def test_a_handful_of_samples_is_refused():
    with pytest.raises(DomainError, match="recover: expected samples to learn from and others"):
        prune(regressor(), X[:6], widths=[3, 3], recover=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"steps": -1}, "steps: expected a whole number"),
        ({"steps": 2.5}, "steps: expected a whole number"),
        ({"seed": True}, "seed: expected a whole number"),
        ({"over": "some"}, "over: expected one of all, readers"),
        ({"loss": "mse"}, "loss: expected one of auto, kl, squared error"),
    ],
    ids=str,
)
def test_settings_that_are_none_are_refused(options, expected):
    with pytest.raises(DomainError, match=expected):
        Recovery(**options)


@pytest.mark.parametrize("recover", ["yes", 1, None, {}])
def test_recover_is_a_flag_or_settings(recover):
    with pytest.raises(DomainError, match="recover: expected True, False or a Recovery"):
        prune(regressor(), X, keep=0.5, recover=recover)


def test_theta_is_the_one_whose_outputs_are_nearer():
    network, errors = regressor().eval(), {}
    for theta in (0.5, 1.0, "auto"):
        smaller, _ = prune(network, X, keep=0.3, theta=theta)
        with torch.no_grad():
            errors[theta] = float((smaller(X[360:]) - network(X[360:])).square().mean())
    assert errors["auto"] == min(errors[0.5], errors[1.0])
