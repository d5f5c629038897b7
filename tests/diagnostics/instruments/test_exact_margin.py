"""Exact margins: closed forms, enumeration of all patterns, and what approximations miss."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from mini_exp.diagnostics.instruments.exact_margin import Margin, linf_margin, mean_margin
from mini_exp.errors import DomainError, ShapeError
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from tests.diagnostics.instruments.networks import gaussian_samples, random_network, random_stack

SECONDS = 60  # far more than these take
GAP = 1e-5  # relative, of the solver: it allows 1e-6 per constraint


def enumerated_margin(network, x):
    """The smallest linear program over all patterns of a network with one hidden layer."""
    first, second = network.stacked_layers
    w, v = first.weight.detach().numpy(), second.weight.detach().numpy()[0]
    b = np.zeros(len(w)) if first.bias is None else first.bias.detach().numpy()
    c = 0.0 if second.bias is None else float(second.bias.detach()[0])
    sign = 1.0 if v @ np.maximum(w @ x + b, 0) + c > 0 else -1.0
    d, eye = len(x), np.eye(len(x))
    best = np.inf
    for on in np.array(list(product([0.0, 1.0], repeat=len(w)))):
        # (1 − 2 on) (w x' + b) ≤ 0;  sign (v · on (w x' + b) + c) ≤ 0;  |x' − x| ≤ γ
        flip = (1 - 2 * on)[:, None]
        matrix = np.vstack([flip * w, sign * (v * on) @ w[None][0], eye, -eye])
        gamma = np.r_[np.zeros(len(w) + 1), -np.ones(2 * d)][:, None]
        right = np.r_[-flip[:, 0] * b, -sign * ((v * on) @ b + c), x, -x]
        found = linprog(
            np.r_[np.zeros(d), 1.0],
            A_ub=np.hstack([matrix, gamma]),
            b_ub=right,
            bounds=[(None, None)] * d + [(0, None)],
        )
        best = min(best, found.fun if found.status == 0 else np.inf)
    return best


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_margin_is_the_smallest_over_all_patterns(seed, bias):
    network = random_network((3, 5, 1), bias, seed)
    x = gaussian_samples(1, 3, seed)[0][0]
    expected = enumerated_margin(network, x)
    margin = linf_margin(network, x, SECONDS)
    if np.isinf(expected):
        assert margin.high == np.inf
    else:
        assert margin.low == pytest.approx(expected, rel=GAP, abs=1e-6)
        assert margin.high == pytest.approx(expected, rel=GAP, abs=1e-6)


def test_a_linear_classifier_has_its_closed_form():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(1, 30)), rng.normal(size=30)
    network = MiniModel([StackedLinear(torch.from_numpy(weight))])
    expected = abs(weight[0] @ x) / np.abs(weight).sum()
    assert linf_margin(network, x, SECONDS).high == pytest.approx(expected, rel=1e-6)


def test_random_points_of_a_box_within_the_margin_never_cross():
    network = random_network((6, 8, 5, 1), True, 2)
    x = gaussian_samples(1, 6, 3)[0][0]
    margin = linf_margin(network, x, SECONDS)
    rng = np.random.default_rng(0)
    inside = x + 0.999 * margin.low * rng.uniform(-1, 1, (20_000, 6))
    with torch.no_grad():
        signs = np.sign(network(torch.from_numpy(np.vstack([x, inside])))[:, 0].numpy())
    assert margin.low > 0
    assert (signs == signs[0]).all()


def never_crossing():
    """Its logit is Σ relu(x) + relu(−x) + 1 > 0."""
    weight = torch.tensor([[1.0], [-1.0]]).double()
    return MiniModel(
        [
            StackedLinear(weight, torch.zeros(2).double()),
            StackedLinear(torch.ones(1, 2).double(), torch.ones(1).double()),
        ]
    )


def test_no_crossing_leaves_the_lower_bound_of_the_last_box():
    assert linf_margin(never_crossing(), np.array([0.3]), SECONDS) == Margin(64.0, np.inf)


def test_a_limit_is_never_averaged():
    """A classifier without a crossing has no mean margin, only a lower bound of one."""
    mean = mean_margin([Margin(0.1, 0.1), linf_margin(never_crossing(), np.zeros(1), SECONDS)])
    assert mean.low == pytest.approx(32.05)
    assert mean.high == np.inf


def test_what_was_proved_before_the_time_ran_out_is_kept():
    network = random_network((30, 40, 40, 1), seed=1)
    x = gaussian_samples(1, 30, 1)[0][0]
    margin = linf_margin(network, x, seconds=0.3, smallest=4.0)
    assert 0 <= margin.low <= margin.high


def test_the_lipschitz_margin_of_a_deep_network_is_many_times_too_small():
    """|logit| over the product of the layers' ∞-norms, against the exact margin."""
    ratios = []
    for seed in range(5):
        network, x = random_network((10, 8, 6, 1), seed=seed), gaussian_samples(1, 10, seed)[0][0]
        bound = np.prod(
            [np.abs(layer.weight.detach().numpy()).sum(1).max() for layer in network.stacked_layers]
        )
        logit = abs(float(network(torch.from_numpy(x)[None]).detach()))
        ratios.append(linf_margin(network, x, SECONDS).low / (logit / bound))
    assert min(ratios) > 1
    assert np.median(ratios) > 5


def test_a_stack_has_no_margin():
    with pytest.raises(ShapeError, match="one network and one sample"):
        linf_margin(random_stack(), np.zeros(5), 1)


def test_a_margin_needs_time():
    with pytest.raises(DomainError, match="seconds > 0"):
        linf_margin(random_network(), np.zeros(5), 0)
