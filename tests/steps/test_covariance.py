"""Step covariance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests import oracles
from tests.steps.examples import (
    WIDTHS,
    layer_outputs,
    moments_of,
    samples,
    settings,
    sigma_of,
    state,
)


@pytest.mark.parametrize("scale", ["mean", "sum"])
@pytest.mark.parametrize("bias", [True, False])
def test_covariance_of_every_hidden_layer(scale, bias):
    parameters, data = state(bias), samples()
    config = settings(model={"widths": WIDTHS, "bias": bias}, covariance={"scale": scale})
    moments = moments_of(config, parameters, data)
    assert moments.n_samples == 40
    assert list(moments.groups.sigma) == ["layers.0", "layers.1", "layers.2"]
    hidden = layer_outputs(parameters, data["train"][0])[:-1]
    for sigma, values, phi in zip(
        sigma_of(moments), moments.groups.eigenvalues.values(), hidden, strict=True
    ):
        expected = oracles.second_moment(phi) * (40 if scale == "sum" else 1)
        assert_allclose(sigma, expected, rtol=1e-12, atol=1e-14)
        assert_allclose(values, np.linalg.eigvalsh(expected)[::-1], atol=1e-10)


def test_covariance_takes_a_batch_at_a_time():
    parameters, data = state(bias=False), samples()
    whole = moments_of(settings(), parameters, data)
    parts = moments_of(settings(covariance={"batch_size": 7}), parameters, data)
    assert parts.n_samples == 40
    for one, other in zip(sigma_of(whole), sigma_of(parts), strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_covariance_over_the_first_samples():
    parameters, data = state(bias=False), samples()
    some = moments_of(settings(covariance={"n_samples": 9}), parameters, data)
    x, y = data["train"]
    expected = moments_of(settings(), parameters, {**data, "train": (x[:9], y[:9])})
    assert some.n_samples == 9
    for one, other in zip(sigma_of(some), sigma_of(expected), strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_covariance_of_a_single_precision_network_is_summed_in_double():
    double, data = state(bias=False), samples()
    single = {name: tensor.float() for name, tensor in double.items()}
    moments, expected = (moments_of(settings(), one, data) for one in (single, double))
    for one, other in zip(sigma_of(moments), sigma_of(expected), strict=True):
        assert one.dtype == np.float64
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)
