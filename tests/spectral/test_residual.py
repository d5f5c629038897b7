"""The greedy path over several blocks of picks, and where the rank is low."""

import numpy as np
import pytest
from hypothesis import assume, given
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.spectral import residual
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.output_weight import output_aware_weight
from tests import oracles
from tests.spectral.problems import problems, property_test, second_moments


def wide_layer(m, n, seed=0):
    """Σ of n samples of m correlated units, and M."""
    rng = np.random.default_rng(seed)
    phi = np.maximum(rng.standard_normal((n, m // 2)) @ rng.standard_normal((m // 2, m)) + 0.3, 0)
    return phi.T @ phi / n, output_aware_weight(rng.standard_normal((m // 4, m)), 0.5)


@property_test(150)
@given(problem=problems())
def test_blocks_of_two_picks_are_those_of_the_naive_rule(problem):
    sigma, weight, scope = problem
    assume(scope == "full")
    naive_path, naive_ratio, clear = oracles.greedy_path(sigma, weight)
    assume(clear)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual, "BLOCK", 2)
        path, ratio = greedy_path(sigma, weight)
    assert path.tolist() == naive_path
    assert_allclose(ratio, naive_ratio, atol=1e-9)


@pytest.mark.parametrize("k", [0, 63, 64, 65, 128])
def test_every_pick_of_a_wide_layer_is_the_best(k):
    sigma, weight = wide_layer(140, 300)
    path, ratio = greedy_path(sigma, weight, n_picks=k + 1)
    candidates = oracles.greedy_candidates(sigma, path[:k].tolist(), weight)
    assert path[k] == np.argmax(candidates)
    assert ratio[k] == pytest.approx(max(candidates), rel=1e-10)


def test_a_stack_of_wide_layers_is_per_item():
    layers = [wide_layer(140, 300, seed) for seed in range(2)]
    path, ratio = greedy_path(*map(np.stack, zip(*layers, strict=True)))
    for r, (sigma, weight) in enumerate(layers):
        one_path, one_ratio = greedy_path(sigma, weight)
        assert_array_equal(path[r], one_path)
        assert_allclose(ratio[r], one_ratio, rtol=1e-12)  # other products round in another order


@property_test(150)
@given(sigma=second_moments(12))
def test_a_thin_factor_makes_the_second_moment(sigma):
    factor = residual.thin_factor(sigma)
    rank = np.linalg.matrix_rank(correlation(sigma))
    if factor is None:
        assert 4 * rank >= len(sigma)
        return
    assert factor.shape == (len(sigma), rank)
    scale = np.sqrt(np.outer(np.diag(sigma), np.diag(sigma)))
    # Rounding of a double, relative to what each pair of units could have.
    assert (np.abs(factor @ factor.T - sigma) <= 1e-13 * scale).all()


def correlation(sigma):
    scale = np.sqrt(np.diag(sigma))
    scale = np.where(scale > 0, scale, 1.0)
    return sigma / np.outer(scale, scale)


def test_low_rank_makes_no_difference():
    sigma, weight = wide_layer(140, 30)
    path, ratio = greedy_path(sigma, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual, "thin_factor", lambda sigma: None)
        whole_path, whole_ratio = greedy_path(sigma, weight)
    assert_array_equal(path, whole_path)
    assert_allclose(ratio, whole_ratio, rtol=1e-12)


def test_what_the_picks_determine_comes_in_order_and_dead_units_last():
    phi = np.random.default_rng(1).standard_normal((30, 140))
    phi[:, [2, 70]] = 0.0
    path, ratio = greedy_path(phi.T @ phi)
    picked = path[:30].tolist()
    rest = [j for j in range(140) if j not in [2, 70, *picked]]
    assert path[30:].tolist() == [*rest, 2, 70]
    assert_allclose(ratio[29:], 1, atol=1e-12)


@pytest.mark.parametrize("information", [0.3, 0.9, 0.99])
def test_stops_when_enough_is_explained(information):
    sigma, weight = wide_layer(140, 300)
    path, ratio = greedy_path(sigma, weight)
    fewer_path, fewer_ratio = greedy_path(sigma, weight, information=information)
    enough = int(np.argmax(ratio >= information)) + 1
    assert_array_equal(fewer_path, path[:enough])
    assert_array_equal(fewer_ratio, ratio[:enough])


def test_a_stack_stops_when_enough_of_every_item_is_explained():
    sigma = np.stack([np.diag([4.0, 1.0, 1.0]), np.diag([1.0, 1.0, 1.0])])
    path, ratio = greedy_path(sigma, information=0.6)
    assert_array_equal(path, [[0, 1], [0, 1]])
    assert_allclose(ratio, [[4 / 6, 5 / 6], [1 / 3, 2 / 3]], rtol=1e-15)


def test_goes_on_to_the_end_where_never_enough_is_explained():
    path, _ = greedy_path(np.eye(3), information=2.0)
    assert path.tolist() == [0, 1, 2]
