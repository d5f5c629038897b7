"""Gradients, integrated gradients and LIME beside autograd, captum and scikit-learn."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from mini_exp.diagnostics.instruments import attribution
from mini_exp.diagnostics.instruments.attribution import integrated_gradients, lime_coefficients
from mini_exp.diagnostics.instruments.gradients import input_gradients
from tests.diagnostics.examples import random_network

R, N, D = 3, 7, 6


@pytest.fixture(params=[False, True], ids=["without biases", "with biases"])
def networks(request):
    return random_network(np.random.default_rng(0), (D, 5, 4, 1), R, request.param)


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((R, N, D))


def logits(networks, x):
    return networks(torch.as_tensor(x))[..., 0]


def test_gradients_are_those_of_autograd(networks, x):
    inputs = torch.from_numpy(x).requires_grad_()
    logits(networks, inputs).sum().backward()
    assert_allclose(input_gradients(networks, x), inputs.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_one_sample_for_all_networks(networks, x):
    shared = input_gradients(networks, x[:1])
    assert_allclose(shared, input_gradients(networks, np.tile(x[:1], (R, 1, 1))), rtol=1e-14)


def test_attributions_sum_to_the_difference_of_the_logits(networks, x, monkeypatch):
    monkeypatch.setattr(attribution, "STEPS", 2000)
    baseline = np.full(D, 0.3)
    total = integrated_gradients(networks, x, baseline).sum(axis=-1)
    with torch.no_grad():
        difference = logits(networks, x) - logits(networks, np.tile(baseline, (R, 1, 1)))
    # Some ten kinks on the way, each at most a jump of the slope / 2000.
    assert_allclose(total, difference.numpy(), atol=2e-2 * np.abs(difference.numpy()).max())


def test_attributions_are_captum_s(networks, x):
    captum = pytest.importorskip("captum.attr")
    own = integrated_gradients(networks, x, np.zeros(D))
    for r in range(R):
        one = networks.replicate(r)
        peer = captum.IntegratedGradients(one)
        expected = peer.attribute(
            torch.from_numpy(x[r]), target=0, n_steps=attribution.STEPS, method="riemann_middle"
        )
        assert_allclose(own[r], expected.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_lime_is_a_weighted_ridge_regression(networks, x):
    rng = np.random.default_rng(2)
    spread, z = rng.uniform(0.5, 2, D), rng.standard_normal((60, D))
    found = lime_coefficients(networks, x, spread, z)
    distance = np.sqrt(np.square(z).sum(axis=1))
    near = np.exp(-((distance / (0.75 * np.sqrt(D))) ** 2))
    for r in range(R):
        one = networks.replicate(r)
        for i in range(N):
            with torch.no_grad():
                target = logits(one, x[r, i] + spread * z).numpy()
            fitted = Ridge(alpha=1.0).fit(z, target, sample_weight=near)
            assert_allclose(found[r, i], fitted.coef_, rtol=1e-8, atol=1e-10)


def test_lime_of_a_kink_depends_on_the_side():
    bent = random_network(np.random.default_rng(0), (1, 1, 1), 1)
    weight = abs(bent.stacked_layers[0].weight.item())
    with torch.no_grad():
        bent.stacked_layers[0].weight.fill_(weight)
    z = np.random.default_rng(3).standard_normal((200, 1))
    far = np.array([[[-50.0], [50.0]]])
    off, on = lime_coefficients(bent, far, np.ones(1), z, 0.0)[0, :, 0]
    assert off == 0
    assert_allclose(on, weight * bent.stacked_layers[1].weight.item(), rtol=1e-9)
