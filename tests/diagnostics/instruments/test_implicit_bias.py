"""Where descent goes: scikit-learn's machines and closed forms as oracles."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.svm import SVC

from mini_exp.diagnostics.instruments.gradient_descent import descent
from mini_exp.diagnostics.instruments.implicit_bias import (
    learning_times,
    least_squares_path,
    logistic_direction,
    random_feature_errors,
    ridge_path,
)


def separable(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(15, 3))
    w = rng.normal(size=3)
    y = np.where(x @ w > 0, 1.0, -1.0)
    return x + 0.5 * y[:, None] * w / np.linalg.norm(w), y


def max_margin(x, y):
    """A support vector machine through 0: every point with its mirror image."""
    machine = SVC(kernel="linear", C=1e8).fit(np.vstack([x, -x]), np.concatenate([y, -y]))
    return machine.coef_[0] / np.linalg.norm(machine.coef_[0])


@pytest.mark.parametrize("seed", range(4))
def test_logistic_regression_turns_to_the_largest_margin(seed):
    x, y = separable(seed)
    few, many = (logistic_direction(x, y, steps) @ max_margin(x, y) for steps in (10, 10_000))
    assert many > 0.9999
    assert many > few


def test_descent_from_zero_ends_in_the_smallest_solution():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 9)), rng.normal(size=4)
    rate = 1 / np.linalg.norm(x, 2) ** 2
    walked = descent(lambda w: x.T @ (x @ w - y), np.zeros(9), rate, 20_000)[-1]
    np.testing.assert_allclose(walked, np.linalg.pinv(x) @ y, atol=1e-8)
    flow = least_squares_path(x, y, np.array([np.inf]), np.zeros(9))[0]
    np.testing.assert_allclose(flow, np.linalg.pinv(x) @ y, atol=1e-10)


def test_descent_from_elsewhere_ends_in_a_larger_solution():
    rng = np.random.default_rng(1)
    x, y, start = rng.normal(size=(4, 9)), rng.normal(size=4), rng.normal(size=9)
    end = least_squares_path(x, y, np.array([np.inf]), start)[0]
    np.testing.assert_allclose(x @ end, y, atol=1e-10)
    assert np.linalg.norm(end) > np.linalg.norm(np.linalg.pinv(x) @ y) + 0.1


def test_the_flow_is_that_of_many_small_steps():
    rng = np.random.default_rng(2)
    x, y, start = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3)
    walked = descent(lambda w: x.T @ (x @ w - y), start, 1e-5, 20_000)[-1]
    np.testing.assert_allclose(
        least_squares_path(x, y, np.array([0.2]), start)[0], walked, atol=1e-4
    )


def test_the_ridge_path_is_scikit_learn_s():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(12, 5)), rng.normal(size=12)
    for level, ours in zip((0.1, 3.0), ridge_path(x, y, np.array([0.1, 3.0])), strict=True):
        expected = Ridge(alpha=level, fit_intercept=False).fit(x, y).coef_
        np.testing.assert_allclose(ours, expected, atol=1e-10)


def test_early_stopping_and_ridge_have_risks_within_the_theorem_s_factor():
    """Ali et al. (2019), theorem 1: by 1.69, for λ = 1/t and a prior on the weights."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(30, 10))
    times = np.geomspace(1e-3, 1e2, 30)
    risk = np.zeros((2, 30))
    for _ in range(300):
        truth = rng.normal(size=10)
        y = x @ truth + 2 * rng.normal(size=30)
        for k, path in enumerate(
            (least_squares_path(x, y, times, np.zeros(10)), ridge_path(x, y, 1 / times))
        ):
            risk[k] += np.square(path - truth).sum(1)
    ratio = risk[0] / risk[1]
    assert ratio.max() < 1.69
    assert ratio.min() > 1 / 1.69


def test_singular_values_are_learned_at_the_times_of_the_closed_form():
    strengths = np.array([4.0, 2.0, 1.0])
    times = learning_times(strengths, 1e-4, 1e-3, 8000)
    expected = np.log(strengths / 1e-4 - 1) / (2 * strengths * 1e-3)
    np.testing.assert_allclose(times, expected, rtol=0.01)  # of the step's size
    assert (np.diff(times) > 0).all()


def test_what_is_not_half_learned_has_no_time():
    assert learning_times(np.array([1.0]), 1e-6, 1e-3, 10)[0] == np.inf


def test_random_features_are_worst_where_they_are_as_many_as_samples():
    rng = np.random.default_rng(5)
    errors = {}
    for features in (10, 40, 400):
        drawn = []
        for _ in range(20):
            x, tested = rng.normal(size=(40, 5)), rng.normal(size=(200, 5))
            w = rng.normal(size=5)
            y = x @ w + 0.5 * rng.normal(size=40)
            drawn.append(random_feature_errors(x, y, tested, tested @ w, features, rng))
        errors[features] = np.median(drawn)
    assert errors[40] > 3 * errors[10]
    assert errors[40] > 3 * errors[400]
    assert errors[400] < errors[10]
