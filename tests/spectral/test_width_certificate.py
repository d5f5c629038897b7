import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom_derivative
from mini_exp.spectral.width import exact_lambdas
from tests import oracles

REGULARIZERS = ["square", "abs"]
HIDDEN, PARAMETERS = (0.0, 0.0), (30.0, 1.0)
BOUNDARIES = [HIDDEN, PARAMETERS]

FLAT = np.ones(10)
DECAYING = 10.0 ** -np.arange(6)
SINGULAR = np.array([3.0, 1.0, 1.0, 0.5, 0.0, 0.0])
NEAR_MINI = [np.array([40.0, 6.0, 3.0, 1.5, 0.8, 0.3, 0.1]), np.array([25.0, 2.0, 0.6, 0.1])]


def objective_at(spectra, lambdas, rho, regularizer, boundary):
    return oracles.width_objective(spectra, list(lambdas), rho, regularizer, boundary)


def dof_derivatives(mu, q, t):
    """dN/dt and d²N/dt² for p = q(eᵗ − 1): a complex step, and differences of complex steps."""

    def slope(at):
        p = q * (np.exp(at + 1e-30j) - 1)
        return sum(x / (x + p**2) for x in mu).imag / 1e-30

    return slope(t), (slope(t + 1e-4) - slope(t - 1e-4)) / 2e-4


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    mu=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6),
    fraction=st.floats(1e-6, 1.0),
    t=st.floats(1e-3, 40.0),
)
def test_lemma_on_the_degrees_of_freedom(mu, fraction, t):
    q = fraction * np.sqrt(min(mu))
    p = q * np.expm1(t)
    dof = oracles.degrees_of_freedom_of(mu, p**2)
    first, second = dof_derivatives(mu, q, t)
    expected = degrees_of_freedom_derivative(mu, p**2) * 2 * p * (p + q)
    assert_allclose(first, expected, rtol=1e-9)
    assert abs(first) <= 3 * dof * (1 + 1e-9)
    assert abs(second) <= 15 * dof * (1 + 1e-6)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(q=st.floats(1e-3, 1e3), t=st.floats(1e-3, 20.0), power=st.sampled_from([1, 2]))
def test_lemma_on_the_regulariser(q, t, power):
    def value(at):
        return (q * np.expm1(at)) ** power

    h = 1e-3
    second = (value(t + h) - 2 * value(t) + value(t - h)) / h**2
    assert abs(second) <= 7 * (value(t) + q**power) * (1 + 1e-4)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_nearest_grid_point_costs_at_most_the_certificate(regularizer):
    """8h²(f + ρ Σ R(q)), for the grids that the solver starts from."""
    spectra, rho, power = NEAR_MINI, 0.4, 2 if regularizer == "square" else 1
    best = oracles.smallest_width_objective(spectra, rho, regularizer, PARAMETERS)
    p = np.sqrt(exact_lambdas(spectra, rho, regularizer, PARAMETERS))
    q = np.array([np.sqrt(min(mu)) for mu in spectra])
    for h in (0.05, 0.02, 0.005):
        t = np.log1p(p / q)
        for shift in np.ndindex(3, 3):
            moved = q * np.expm1(np.maximum(t + (np.array(shift) - 1) * h / 2, 0))
            cost = objective_at(spectra, moved**2, rho, regularizer, PARAMETERS) - best
            assert cost <= 8 * h**2 * (best + rho * (q**power).sum()) + 1e-6 * best
