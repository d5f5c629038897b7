"""Gradient descent: on a quadratic, on a strict saddle, and its rate."""

import functools

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


FAMILY = [(2, 1.0), (2, 0.05), (10, 0.3), (50, 0.1), (50, 2.0)]


@pytest.mark.parametrize(("dimension", "ratio"), FAMILY)
def test_descent_leaves_a_saddle_at_the_rate_of_the_linearised_system(dimension, ratio):
    """x is multiplied by 1 − η, y by 1 + ηρ; the cubic slows y by less than y² / 2 in all."""
    start = np.append(np.ones(dimension - 1), 1e-6)
    path = descent(functools.partial(strict_saddle, ratio=ratio), start, 0.1, 2000)
    near = path[np.abs(path[:, -1]) < 1e-3]
    k = np.arange(len(near))[:, None]
    assert len(near) > 30
    np.testing.assert_allclose(near[:, :-1], 0.9**k * start[:-1], rtol=1e-12)
    np.testing.assert_allclose(near[:, -1:], 1e-6 * (1 + 0.1 * ratio) ** k, rtol=1e-6)


@pytest.mark.parametrize(("dimension", "ratio"), FAMILY)
def test_a_jump_leaves_a_saddle_in_as_many_steps_as_the_rate_says(dimension, ratio):
    """Up to y = ½ the factor lies between 1 + ηρ (1 − ¼) and 1 + ηρ."""
    gradient = functools.partial(strict_saddle, ratio=ratio)
    start, rng = np.append(np.ones(dimension - 1), 0.0), np.random.default_rng(1)
    y = np.abs(perturbed_descent(gradient, start, 0.1, 20_000, 1e-3, rng)[:, -1])
    jump, out = np.flatnonzero(y > 0)[0], np.flatnonzero(y >= 0.5)[0]
    fewest, most = (
        np.log(0.5 / y[jump]) / np.log(1 + 0.1 * ratio * slowed) for slowed in (1, 0.75)
    )
    assert fewest <= out - jump <= most + 1


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
