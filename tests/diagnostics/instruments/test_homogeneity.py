"""Euler's identity, signs along rays, and the ceiling beside fresh draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

from mini_exp.diagnostics.instruments.homogeneity import (
    chance_of_one,
    homogeneous_ceiling,
    log_density_of_mini,
    measure,
)
from mini_exp.tasks.mini.data import mini_sample
from tests.diagnostics.examples import network, random_network, stages_of, values

N = 1500


def test_without_biases_the_identity_holds_and_signs_stay():
    rows = measure(stages_of(random_network(np.random.default_rng(0), (30, 8, 5, 1))))
    assert (values(rows, "original", "euler residual") < 1e-13).all()
    assert (values(rows, "original", "sign kept") == 1).all()


def test_a_bias_breaks_both():
    one = [np.full((1, 1, 30), -1 / 30), np.ones((1, 1, 1))]
    rows = measure(stages_of(network(*one, biases=[[[0.0]], [[-0.5]]])))
    assert_allclose(values(rows, "original", "euler residual") > 0.1, True)
    assert (values(rows, "original", "sign kept") < 1).all()


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_the_density_integrates_to_1(epsilon):
    whole, _ = quad(lambda x: float(np.exp(log_density_of_mini(np.array([x]), epsilon))), -40, 5)
    assert_allclose(whole, 1, rtol=1e-5)  # twelve nodes for what the coordinates share


def test_the_density_of_two_coordinates_integrates_to_1():
    axis = np.linspace(-18, 3, 600)  # the rest has probability 1e-8
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    density = np.exp(log_density_of_mini(grid, 0.1))
    assert_allclose(np.trapezoid(np.trapezoid(density, axis), axis), 1, rtol=1e-4)


@pytest.fixture(scope="module")
def drawn():
    x, y = mini_sample(np.random.default_rng(5), N)
    return x, y, chance_of_one(x, 0.1)


def test_the_chance_along_a_ray_is_that_of_an_integral(drawn):
    x, _, chance = drawn
    for own, expected in zip(x[:5], chance[:5], strict=True):
        length = np.linalg.norm(own)
        scale = np.exp(log_density_of_mini(own, 0.1)) * length**29

        def density(r, direction=own / length, scale=scale):
            return r**29 * np.exp(log_density_of_mini(r * direction, 0.1)) / scale

        end = min(-0.6 * length / own.mean(), 25.0) if own.mean() < 0 else 25.0
        ones, _ = quad(density, 0, end, points=[min(length, end / 2)])
        zeros, _ = quad(density, end, 25)
        assert_allclose(expected, ones / (ones + zeros), atol=1e-6)


def test_the_chance_depends_on_the_direction_alone(drawn):
    x, _, chance = drawn
    assert_allclose(chance_of_one(2 * x[:50], 0.1), chance[:50], rtol=1e-9)


def test_the_chance_is_calibrated_on_fresh_draws(drawn):
    _, y, chance = drawn
    for low in (0.0, 0.25, 0.5, 0.75):
        among = (chance >= low) & (chance < low + 0.25)
        error = np.sqrt((chance * (1 - chance))[among].sum()) / among.sum()
        assert abs(y[among].mean() - chance[among].mean()) < 4 * error


def test_the_best_classifier_of_directions_reaches_the_ceiling(drawn):
    _, y, chance = drawn
    ceiling, error = homogeneous_ceiling(0.1, 0, 500)
    accuracy = ((chance > 0.5) == (y > 0.5)).mean()
    assert abs(accuracy - ceiling) < 4 * np.hypot(error, np.sqrt(accuracy * (1 - accuracy) / N))
