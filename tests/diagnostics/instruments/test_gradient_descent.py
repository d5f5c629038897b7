"""Gradient descent: on a quadratic, on a strict saddle, and its rate."""

import numpy as np
import pytest

from mini_exp.diagnostics.instruments.gradient_descent import (
    descent,
    perturbed_descent,
    steps_to_a_critical_point,
    strict_saddle,
)
from mini_exp.errors import DomainError

EIGENVALUES = np.array([0.5, 2.0, 8.0])


def quadratic(theta):
    return EIGENVALUES * theta


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9, 0.999])
def test_a_step_below_two_over_beta_converges_on_a_quadratic(c):
    path = descent(quadratic, np.ones(3), c * 2 / 8, 20_000)
    assert np.linalg.norm(path[-1]) < 1e-6


@pytest.mark.parametrize("c", [1.001, 1.1, 2.0])
def test_a_step_above_two_over_beta_diverges_on_a_quadratic(c):
    path = descent(quadratic, np.ones(3), c * 2 / 8, 500)
    assert abs(path[-1, 2]) == pytest.approx(abs(1 - 2 * c) ** 500, rel=1e-8)
    assert abs(path[-1, 2]) > 2


def test_the_bound_holds_only_near_a_minimum():
    """cosh has β = 1 at its minimum; from 10, a step far below 2/β runs away."""
    with np.errstate(over="ignore", invalid="ignore"):
        path = descent(np.sinh, np.array([10.0]), 0.1 * 2 / 1, 3)
    assert not abs(path[-1, 0]) < 10
    assert abs(descent(np.sinh, np.array([0.1]), 0.9 * 2 / 1, 200)[-1, 0]) < 1e-6


@pytest.mark.parametrize("epsilon", [0.1, 0.01, 0.001])
def test_a_critical_point_comes_within_the_bound(epsilon):
    """f = 1 − cos θ has |f''| ≤ β = 1; from 3, f falls by less than 2."""
    path = descent(np.sin, np.array([3.0]), 1.0, 1000)
    assert steps_to_a_critical_point(path, np.sin, epsilon) <= 2 * 1 * 2 / epsilon**2


def test_a_path_may_have_no_critical_point():
    path = descent(np.ones_like, np.zeros(2), 0.1, 5)
    assert steps_to_a_critical_point(path, np.ones_like, 0.5) == np.inf


def test_plain_descent_ends_in_the_saddle_from_its_stable_line():
    path = descent(strict_saddle, np.array([1.0, 0.0]), 0.1, 2000)
    np.testing.assert_allclose(path[-1], 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_perturbed_descent_leaves_the_saddle_for_a_minimum(seed):
    rng = np.random.default_rng(seed)
    path = perturbed_descent(strict_saddle, np.array([1.0, 0.0]), 0.1, 2000, 1e-3, rng)
    assert abs(path[-1, 0]) < 2e-3  # the radius of the jumps, twice
    assert abs(abs(path[-1, 1]) - 1) < 2e-3


def test_plain_descent_from_a_random_point_leaves_the_saddle_too():
    """Its stable set has measure zero."""
    starts = np.random.default_rng(0).normal(size=(50, 2))
    ends = [descent(strict_saddle, start, 0.1, 2000)[-1] for start in starts]
    np.testing.assert_allclose(np.abs(ends), [[0, 1]] * 50, atol=1e-9)


def test_a_step_size_is_positive():
    with pytest.raises(DomainError, match="a step size > 0, got 0"):
        descent(quadratic, np.ones(3), 0.0, 1)


def test_a_jump_has_a_radius():
    with pytest.raises(DomainError, match="step size and radius > 0"):
        perturbed_descent(quadratic, np.ones(3), 0.1, 1, 0.0, np.random.default_rng(0))
