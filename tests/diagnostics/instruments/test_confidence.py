"""One scale on the logits, entropy: closed forms, scipy and scikit-learn as oracles."""

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from mini_exp.diagnostics.instruments.confidence import (
    LARGEST_SCALE,
    best_scale,
    mean_loss,
    measure,
    prediction_entropy,
)
from mini_exp.tasks.mini.training import scores
from tests.diagnostics.examples import random_network, stages_of, values


@pytest.fixture
def guesses():
    """Logits of three predictors that are right more often than not, and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (3, 300)).astype(float)
    return (2 * labels - 1) + rng.standard_normal((3, 300)) * [[1.0], [3.0], [9.0]], labels


def test_the_best_scale_minimises_the_loss(guesses):
    logits, labels = guesses
    scales = best_scale(logits, labels)
    for own, y, scale in zip(logits, labels, scales, strict=True):
        oracle = minimize_scalar(
            lambda s, z=own, y=y: float(mean_loss(s * z, y)),
            bounds=(0, 50),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert mean_loss(scale * own, y) <= oracle.fun + 1e-12


def test_the_best_scale_is_a_logistic_regression_without_intercept(guesses):
    logits, labels = guesses
    for own, y, scale in zip(logits, labels, best_scale(logits, labels), strict=True):
        fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
        fitted.fit(own[:, None], y)
        assert_allclose(scale, fitted.coef_[0, 0], rtol=1e-5)  # the oracle's own tolerance


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_the_best_scale_undoes_a_scale(guesses, factor):
    logits, labels = guesses
    assert_allclose(
        factor * best_scale(factor * logits, labels), best_scale(logits, labels), rtol=1e-9
    )


def test_logits_that_are_wrong_on_average_get_scale_0(guesses):
    logits, labels = guesses
    scale = best_scale(-logits, labels)
    assert (scale == 0).all()
    assert_allclose(mean_loss(scale[:, None] * logits, labels), np.log(2), rtol=1e-15)


def test_logits_that_separate_the_classes_get_a_scale_without_loss():
    logits, labels = np.array([3.0, -1.0]), np.array([1.0, 0.0])
    assert mean_loss(best_scale(logits, labels) * logits, labels) < 1e-300


def test_no_scale_is_beyond_the_largest():
    assert best_scale(np.array([3e-9, -1e-9]), np.array([1.0, 0.0])) == LARGEST_SCALE


def test_the_loss_is_torch_s():
    rng = np.random.default_rng(1)
    logits, labels = rng.standard_normal((2, 9)) * 50, rng.integers(0, 2, (2, 9)).astype(float)
    for own, y, loss in zip(logits, labels, mean_loss(logits, labels), strict=True):
        expected = torch.nn.BCEWithLogitsLoss()(torch.from_numpy(own), torch.from_numpy(y))
        assert_allclose(loss, expected.item(), rtol=1e-13)


def test_the_entropy_is_scipy_s():
    logits = np.array([-700.0, -3.0, 0.0, 0.5, 40.0])
    p = 1 / (1 + np.exp(-logits))
    expected = np.mean([scipy.stats.entropy([one, 1 - one]) for one in p])
    assert_allclose(prediction_entropy(logits), expected, rtol=1e-12)


def test_the_loss_is_split_in_two():
    stages = stages_of(random_network(np.random.default_rng(2), (30, 5, 1)))
    rows = measure(stages)
    loss, accuracy = scores(stages.networks["original"], *stages.data["population"])
    assert_allclose(values(rows, "original", "loss"), loss, rtol=1e-12)
    assert_allclose(values(rows, "original", "accuracy"), accuracy, rtol=1e-12)
    parts = (
        values(rows, "original", "loss at best scale"),
        values(rows, "original", "overconfidence"),
    )
    assert_allclose(sum(parts), loss, rtol=1e-12)
    assert (parts[0] <= np.log(2) + 1e-15).all()
    assert (parts[1] >= -1e-12).all()  # rounding of a difference
