import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.losses import index_set_losses
from mini_exp.spectral.output_weight import scaled_output_matrix
from tests import oracles
from tests.spectral.problems import THETAS, layer, property_test, second_moments


@pytest.mark.parametrize("all_units", [True, False])
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("rank_deficient", [True, False])
def test_losses_match_both_definitions_of_f(all_units, theta, rank_deficient):
    sigma, next_weight = layer(1, n=4 if rank_deficient else 20)
    z, scale = scaled_output_matrix(next_weight)
    path, _ = greedy_path(sigma)
    losses = index_set_losses(sigma, z, scale, path, theta)
    for r in range(3):
        for k in range(6):
            j = path[r, : k + 1].tolist()
            a, b, both = oracles.index_set_losses(sigma[r], z[r], j, theta, all_units)
            _, b_raw, both_raw = oracles.index_set_losses(
                sigma[r], next_weight[r], j, theta, all_units
            )
            found = [losses[name][r, k] for name in ("A", "B", "theta", "B_raw", "theta_raw")]
            assert_allclose(found, [a, b, both, b_raw, both_raw], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("theta", THETAS)
def test_raw_information(theta):
    sigma, next_weight = layer(2)
    z, scale = scaled_output_matrix(next_weight)
    path, _ = greedy_path(sigma)
    raw = index_set_losses(sigma, z, scale, path, theta)["information_raw"]
    for r in range(3):
        weight = theta * np.eye(6) + (1 - theta) * next_weight[r].T @ next_weight[r]
        for k in range(6):
            j = path[r, : k + 1].tolist()
            expected = oracles.information_ratio(sigma[r], j, weight)
            assert raw[r, k] == pytest.approx(expected, abs=1e-10)


def test_raw_information_of_theta_1_is_the_path_s():
    sigma, next_weight = layer(3)
    path, ratio = greedy_path(sigma)
    losses = index_set_losses(sigma, *scaled_output_matrix(next_weight), path, 1.0)
    assert_allclose(losses["information_raw"], ratio, atol=1e-12)
    assert_array_equal(losses["theta"], losses["A"])


@property_test(40)
@given(sigma=second_moments(6), seed=st.integers(0, 10**6))
def test_losses_of_singular_and_badly_scaled_units(sigma, seed):
    m = len(sigma)
    next_weight = np.random.default_rng(seed).standard_normal((3, m))
    path = np.random.default_rng(seed + 1).permutation(m)
    z, scale = scaled_output_matrix(next_weight)
    losses = index_set_losses(sigma, z, scale, path, 0.5)
    size = np.trace(sigma) or 1.0
    for k in range(m):
        left = oracles.residual(sigma, path[: k + 1].tolist())
        a = np.linalg.norm(left, 2)
        b = np.linalg.norm(z @ left @ z.T, 2)
        assert losses["A"][k] == pytest.approx(a, abs=1e-9 * size)
        assert losses["B"][k] == pytest.approx(b, abs=1e-9 * size * m)
    assert (np.diff(losses["A"]) <= 1e-9 * size).all()


def test_losses_of_a_stack_are_per_item():
    sigma, next_weight = layer(4)
    sigma[1] *= 1e-14
    next_weight[2] *= 1e-3
    z, scale = scaled_output_matrix(next_weight)
    path, _ = greedy_path(sigma)
    stack = index_set_losses(sigma, z, scale, path, 0.5)
    for r in range(3):
        one = slice(r, r + 1)
        alone = index_set_losses(sigma[one], z[one], scale[one], path[one], 0.5)
        for name, column in alone.items():
            assert_allclose(stack[name][r], column[0], rtol=1e-9, atol=1e-9 * sigma[r].max())


def test_losses_of_zero_weights():
    sigma, next_weight = layer(5)
    z, scale = scaled_output_matrix(0 * next_weight)
    path, _ = greedy_path(sigma)
    losses = index_set_losses(sigma, z, scale, path, 0.0)
    for name in ("B", "B_raw", "theta"):
        assert_array_equal(losses[name], np.zeros((3, 6)))
    assert_array_equal(losses["information_raw"], np.ones((3, 6)))


def test_a_tall_output_matrix_gives_the_same_losses_as_its_triangular_factor():
    sigma, _ = layer(8)
    next_weight = np.random.default_rng(8).standard_normal((3, 40, 6))
    path, _ = greedy_path(sigma)
    losses = index_set_losses(sigma, *scaled_output_matrix(next_weight), path, 0.5)
    z, _ = scaled_output_matrix(next_weight)
    for r in range(3):
        for k in range(6):
            _, b, _ = oracles.index_set_losses(sigma[r], z[r], path[r, : k + 1].tolist(), 0.5, True)
            assert losses["B"][r, k] == pytest.approx(b, rel=1e-7, abs=1e-10)
