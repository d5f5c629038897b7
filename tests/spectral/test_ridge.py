"""The ridge by cross-validation, against hat matrices and samples that were left out."""

import numpy as np
import pytest

from mini_exp.errors import DomainError
from mini_exp.spectral.ridge import RIDGES, cross_validated_ridge


def samples(n, m, seed=0):
    """Units that follow from fewer, with noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 3))
    return hidden @ rng.normal(size=(3, m)) + 0.5 * rng.normal(size=(n, m)) + 1.0


def scores(phi, psi, n_free=0):
    """Generalised cross-validation of every ridge by explicit hat matrices."""
    n, errors = len(phi), []
    for ridge in RIDGES:
        w = ridge * np.square(phi).mean(axis=0).mean()
        kept = phi[:, :4]
        hat = kept @ np.linalg.pinv(kept.T @ kept / n + w * np.eye(4)) @ kept.T / n
        error = np.square(psi - hat @ psi).sum() / n
        errors.append(error / (1 - (np.trace(hat) + n_free) / n) ** 2)
    return np.array(errors)


@pytest.mark.parametrize("n", [6, 12, 50, 1000])
def test_it_is_the_minimum_by_hat_matrices(n):
    phi = samples(n, 7)
    ridge = cross_validated_ridge(phi.T @ phi / n, np.arange(4), n)
    expected = scores(phi, phi)
    assert expected[ridge == RIDGES][0] == pytest.approx(expected.min(), rel=1e-9)


def test_it_is_that_of_other_units_where_these_are_restored():
    n = 12
    phi, psi = samples(n, 7), samples(n, 7, seed=1)
    ridge = cross_validated_ridge(
        phi.T @ phi / n, np.arange(4), n, psi.T @ phi / n, np.square(psi).sum() / n
    )
    expected = scores(phi, psi)
    assert expected[ridge == RIDGES][0] == pytest.approx(expected.min(), rel=1e-9)


def test_an_intercept_counts_as_a_degree_of_freedom():
    n = 9
    phi = samples(n, 7) - samples(n, 7).mean(axis=0)
    ridge = cross_validated_ridge(phi.T @ phi / n, np.arange(4), n, n_free=1)
    expected = scores(phi, phi, n_free=1)
    assert expected[ridge == RIDGES][0] == pytest.approx(expected.min(), rel=1e-9)


def test_a_stack_gets_one_ridge_by_the_sum_of_its_errors():
    n = 12
    several = [samples(n, 7, seed) for seed in range(3)]
    sigma = np.stack([phi.T @ phi / n for phi in several])
    ridge = cross_validated_ridge(sigma, np.tile(np.arange(4), (3, 1)), n)
    expected = sum(scores(phi, phi) for phi in several)
    assert expected[ridge == RIDGES][0] == pytest.approx(expected.min(), rel=1e-9)


def test_fewer_samples_are_shrunk_more():
    ridges = [
        cross_validated_ridge(phi.T @ phi / len(phi), np.arange(4), len(phi))
        for phi in (samples(6, 7), samples(10_000, 7))
    ]
    assert ridges[0] > ridges[1]


def test_fewer_samples_than_units_are_not_interpolated():
    phi = samples(3, 7)
    assert cross_validated_ridge(phi.T @ phi / 3, np.arange(4), 3) > 0


def test_no_sample_is_refused():
    with pytest.raises(DomainError, match="ridge: expected at least one sample, got 0"):
        cross_validated_ridge(np.eye(2), np.array([0]), 0)
