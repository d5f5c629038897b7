from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError
from mini_exp.spectral.exhaustive import MAX_ENUMERATED_WIDTH, exhaustive_optimum
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.losses import index_set_losses
from mini_exp.spectral.output_weight import output_aware_weight, scaled_output_matrix
from tests import oracles
from tests.spectral.problems import (
    BADLY_SCALED,
    SCOPES,
    THETAS,
    WORSE_SCALED,
    greedy,
    layer,
    problems,
    property_test,
    second_moments,
)


@property_test(25)
@given(
    sigma=second_moments(6),
    seed=st.integers(0, 10**6),
    scope=st.sampled_from(SCOPES),
    theta=st.sampled_from(THETAS),
)
@example(sigma=BADLY_SCALED, seed=0, scope="complement", theta=1.0)
@example(sigma=WORSE_SCALED, seed=0, scope="complement", theta=1.0)
def test_exhaustive_search_matches_all_combinations(sigma, seed, scope, theta):
    m = len(sigma)
    z, _ = scaled_output_matrix(np.random.default_rng(seed).standard_normal((3, m)))
    best = exhaustive_optimum(sigma, z, theta, scope)
    naive = {"information": [], "A": [], "B": [], "theta": []}
    weight = theta * np.eye(m) + (1 - theta) * z.T @ z if scope == "full" else None
    for size in range(1, m + 1):
        left = {j: oracles.residual(sigma, j) for j in combinations(range(m), size)}
        a = {j: np.linalg.norm(e, 2) for j, e in left.items()}
        b = {j: np.linalg.norm(z @ e @ z.T, 2) for j, e in left.items()}
        naive["information"].append(
            max(oracles.information_ratio(sigma, j, weight, scope) for j in left)
        )
        naive["A"].append(min(a.values()))
        naive["B"].append(min(b.values()))
        naive["theta"].append(min(theta * a[j] + (1 - theta) * b[j] for j in left))
    assert_allclose(best["information"], naive["information"], atol=1e-9)
    scale = np.trace(sigma) or 1.0
    for name in ("A", "B", "theta"):
        assert best[name].shape == (m,)
        assert_allclose(best[name], naive[name], atol=1e-9 * scale * m)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("theta", [0.0, 0.5, 1.0])
def test_exhaustive_search_of_a_relu_layer(scope, theta):
    sigma, next_weight = layer(6, 1, m=7)
    z, _ = scaled_output_matrix(next_weight)
    best = exhaustive_optimum(sigma[0], z[0], theta, scope)
    naive = oracles.exhaustive_optimum(sigma[0], z[0], theta, scope)
    for name, expected in naive.items():
        assert_allclose(best[name], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scope", SCOPES)
def test_many_blocks_are_searched(scope):
    """C(12, 6) = 924 sets of one size are several blocks."""
    sigma, next_weight = layer(7, 1, m=12, n=8)
    z, _ = scaled_output_matrix(next_weight)
    best = exhaustive_optimum(sigma[0], z[0], 0.5, scope)
    sets = list(combinations(range(12), 6))
    losses = [np.linalg.norm(oracles.residual(sigma[0], j), 2) for j in sets]
    assert best["A"][5] == pytest.approx(min(losses), rel=1e-8)


@property_test(60)
@given(problem=problems(7), seed=st.integers(0, 10**6))
def test_greedy_never_beats_exhaustive(problem, seed):
    sigma, _, scope = problem
    m = len(sigma)
    z, scale = scaled_output_matrix(np.random.default_rng(seed).standard_normal((3, m)))
    weight = output_aware_weight(z, 0.5) if scope == "full" else None
    path, ratio = greedy(sigma, weight, scope)
    losses = index_set_losses(sigma, z, scale, path, 0.5)
    best = exhaustive_optimum(sigma, z, 0.5, scope)
    assert (ratio <= best["information"] + 1e-9).all()
    size = np.trace(sigma) * m
    for name in ("A", "B", "theta"):
        assert (losses[name] >= best[name] - 1e-9 * size).all()


def test_greedy_is_not_always_optimal():
    phi = np.array([[0.0, 0.0, 1.0, 2.0], [-2.0, 2.0, 0.0, -1.0], [1.0, 0.0, -1.0, -1.0]])
    sigma = phi.T @ phi
    _, ratio = greedy_path(sigma)
    best = exhaustive_optimum(sigma, np.eye(4), 1.0, "full")
    assert_allclose(ratio[:2], [9 / 17, 16 / 17], rtol=1e-12)
    assert best["information"][1] > ratio[1] + 0.02


def test_exhaustive_search_of_one_unit():
    best = exhaustive_optimum(np.array([[2.0]]), np.array([[3.0]]), 0.5, "full")
    assert_array_equal(best["information"], [1.0])
    for name in ("A", "B", "theta"):
        assert_allclose(best[name], [0.0], atol=1e-14)


def test_too_wide_to_enumerate():
    m = MAX_ENUMERATED_WIDTH + 1
    with pytest.raises(DomainError, match="expected m ≤ 16, got 17"):
        exhaustive_optimum(np.eye(m), np.eye(m), 0.5, "full")


def test_a_stack_is_searched_per_item():
    sigma, next_weight = layer(9, 3, m=5)
    z, _ = scaled_output_matrix(next_weight)
    best = exhaustive_optimum(sigma, z, 0.5, "full")
    for r in range(3):
        for name, column in exhaustive_optimum(sigma[r], z[r], 0.5, "full").items():
            assert_array_equal(best[name][r], column)
