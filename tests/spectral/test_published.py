import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError
from mini_exp.spectral.published import (
    STARTING_P,
    absolute_spectrum,
    published_gradient,
    published_lambdas,
)
from mini_exp.spectral.width import estimated_width, width_objective
from tests import oracles

REGULARIZERS = ["square", "abs"]
SPECTRA = [np.array([3.0, 1.0, 0.2]), np.array([2.0, 0.7]), np.array([5.0, 0.5, 0.1, 0.01])]
STUCK = [np.ones(3)] * 3  # with ρ = 10: found by trying a grid of ρ
STUCK_RHO = 10.0


def true_gradient(spectra, p, rho, regularizer):
    def objective(at):
        return oracles.width_objective(spectra, at**2, rho, regularizer, (0.0, 0.0))

    h = 1e-5
    return np.array(
        [(objective(p + h * e) - objective(p - h * e)) / (2 * h) for e in np.eye(len(p))]
    )


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n_layers=st.integers(1, 4),
    rho=st.floats(1e-3, 1e3),
    regularizer=st.sampled_from(REGULARIZERS),
)
def test_gradient_is_the_documented_one(seed, n_layers, rho, regularizer):
    rng = np.random.default_rng(seed)
    spectra = [rng.exponential(size=rng.integers(1, 6)) for _ in range(n_layers)]
    p = rng.standard_normal(n_layers)
    assert_allclose(
        published_gradient(spectra, p, rho, regularizer),
        oracles.published_gradient(spectra, p, rho, regularizer),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_gradient_is_not_the_true_one(regularizer):
    p = np.array([0.5, 0.8, 1.1])
    theirs = published_gradient(SPECTRA, p, 0.3, regularizer)
    true = true_gradient(SPECTRA, p, 0.3, regularizer)
    assert (np.abs(theirs - true) > 0.05).all()


def test_first_mistake_alone():
    """Same spectrum in every layer, |p|: the neighbour's spectrum is the layer's own."""
    spectra = [SPECTRA[0]] * 3
    p = np.array([0.5, 0.8, 1.1])
    right = true_gradient(spectra, p, 0.3, "abs")
    assert_allclose(published_gradient(spectra, p, 0.3, "abs"), right, rtol=1e-7)
    # And with Σ p² the rest of the difference is the scalar derivative.
    theirs = published_gradient(spectra, p, 0.3, "square")
    difference = theirs - true_gradient(spectra, p, 0.3, "square")
    assert_allclose(difference, 0.3 * 2 * (p.sum() - p), rtol=1e-6)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_gradient_is_right_for_one_layer(regularizer):
    p = np.array([-0.7])
    assert_allclose(
        published_gradient(SPECTRA[:1], p, 0.3, regularizer),
        true_gradient(SPECTRA[:1], p, 0.3, regularizer),
        rtol=1e-8,
    )


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("rho", [0.01, 0.1, 1.0, 30.0])
def test_objective_belongs_to_the_lambdas(rho, regularizer):
    lambdas, objective, _ = published_lambdas(SPECTRA, rho, regularizer)
    assert lambdas.shape == (3,)
    assert (lambdas >= 0).all()
    expected = oracles.width_objective(SPECTRA, lambdas, rho, regularizer, (0.0, 0.0))
    assert objective == pytest.approx(expected, rel=1e-12)
    assert objective == pytest.approx(float(width_objective(SPECTRA, lambdas, rho, regularizer)))


def test_never_ends_above_its_start():
    start = [STARTING_P**2] * 3
    for rho in np.geomspace(1e-3, 1e3, 13):
        _, objective, _ = published_lambdas(SPECTRA, rho, "square")
        assert objective <= oracles.width_objective(SPECTRA, start, rho, "square", (0, 0)) + 1e-12


def test_returns_its_start_where_the_line_search_fails():
    lambdas, objective, converged = published_lambdas(STUCK, STUCK_RHO, "square")
    assert_array_equal(lambdas, [STARTING_P**2] * 3)
    assert converged is False
    assert objective == pytest.approx(2 * (3 / 1.01) ** 2 + STUCK_RHO * 0.03, rel=1e-12)
    # Every width is the full one: the jump of figure 1.
    assert_array_equal(estimated_width([oracles.degrees_of_freedom_of(STUCK[0], 0.01)]), [3])


def test_the_start_is_not_a_minimum_where_the_line_search_fails():
    true = true_gradient(STUCK, np.full(3, STARTING_P), STUCK_RHO, "square")
    assert (np.abs(true) > 0.1).all()


def test_some_rho_converge():
    converged = [published_lambdas(SPECTRA, rho, "abs")[2] for rho in (0.3, 1.0, 3.0, 10.0, 30.0)]
    assert any(converged)


def test_absolute_spectrum():
    assert_array_equal(absolute_spectrum([2.0, -1e-17, 0.0]), [2.0, 1e-17, 0.0])


def test_negative_eigenvalues_are_taken_in_absolute_value():
    noisy = [np.append(mu, -1e-3) for mu in SPECTRA]
    positive = [np.append(mu, 1e-3) for mu in SPECTRA]
    ours, theirs = (published_lambdas(s, 0.1, "square")[0] for s in (noisy, positive))
    assert_array_equal(ours, theirs)


def test_does_not_change_its_arguments():
    before = [mu.copy() for mu in SPECTRA]
    published_lambdas(SPECTRA, 0.1, "square")
    for mu, copy in zip(SPECTRA, before, strict=True):
        assert_array_equal(mu, copy)


@pytest.mark.parametrize("rho", [0.0, -0.1, np.nan, np.inf])
def test_rho_outside_the_domain(rho):
    with pytest.raises(DomainError, match="expected a finite ρ > 0, got"):
        published_lambdas(SPECTRA, rho, "square")
