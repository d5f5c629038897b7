import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError
from mini_exp.spectral.output_weight import output_aware_weight, scaled_output_matrix
from tests import oracles
from tests.spectral.problems import THETAS, layer


@pytest.mark.parametrize("factor", [1e-100, 1e-3, 1.0, 1e3, 1e100])
def test_scaled_output_has_trace_m(factor):
    _, next_weight = layer()
    z, scale = scaled_output_matrix(factor * next_weight)
    for r in range(3):
        assert_allclose(z[r], oracles.scaled_output(next_weight[r]), rtol=1e-12)
        assert np.trace(z[r].T @ z[r]) == pytest.approx(6, rel=1e-12)
        assert_allclose(np.sqrt(scale[r]) * factor * next_weight[r], z[r], rtol=1e-12)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_scaled_output_does_not_overflow(factor):
    _, next_weight = layer()
    z, scale = scaled_output_matrix(factor * next_weight)
    for r in range(3):
        assert_allclose(z[r], oracles.scaled_output(next_weight[r]), rtol=1e-12)
    assert not np.isnan(scale).any()


def test_zero_weights_stay_zero():
    _, next_weight = layer()
    next_weight[1] = 0.0
    z, scale = scaled_output_matrix(next_weight)
    assert_array_equal(z[1], np.zeros((4, 6)))
    assert scale[1] == 0.0
    assert (scale[[0, 2]] > 0).all()


@pytest.mark.parametrize("theta", THETAS)
def test_output_aware_weight(theta):
    _, next_weight = layer()
    weight = output_aware_weight(next_weight, theta)
    for r in range(3):
        w = next_weight[r]
        for i in range(6):
            for j in range(6):
                expected = (1 - theta) * sum(w[k, i] * w[k, j] for k in range(4))
                assert weight[r, i, j] == pytest.approx(expected + theta * (i == j), abs=1e-14)


@pytest.mark.parametrize("theta", [-0.01, 1.01, np.nan])
def test_theta_outside_the_domain(theta):
    with pytest.raises(DomainError, match=r"expected θ in \[0, 1\], got"):
        output_aware_weight(np.ones((1, 2, 3)), theta)
