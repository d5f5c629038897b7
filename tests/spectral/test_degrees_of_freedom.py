import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError
from mini_exp.spectral.degrees_of_freedom import (
    degrees_of_freedom,
    degrees_of_freedom_derivative,
    lambda_of_width,
    numerical_spectrum,
)
from tests import oracles

PROPERTY = settings(deadline=None, max_examples=100, derandomize=True)

# Zero, repeated and badly scaled.
EIGENVALUE = st.one_of(
    st.just(0.0),
    st.sampled_from([1.0, 2.0, 1e-12, 1e12]),
    st.floats(1e-30, 1e30),
)
SPECTRUM = st.lists(EIGENVALUE, min_size=1, max_size=8)
LAMBDA = st.one_of(st.just(0.0), st.floats(1e-40, 1e40))


@PROPERTY
@given(mu=SPECTRUM, lambda_=LAMBDA)
def test_matches_the_sum(mu, lambda_):
    assert_allclose(
        degrees_of_freedom(mu, lambda_), oracles.degrees_of_freedom_of(mu, lambda_), rtol=1e-14
    )


@PROPERTY
@given(
    seed=st.integers(0, 10**6),
    m=st.integers(1, 7),
    rank=st.integers(1, 7),
    lambda_=st.floats(1e-3, 1e3),
)
def test_matches_the_trace_formula(seed, m, rank, lambda_):
    factor = np.random.default_rng(seed).standard_normal((m, rank))
    sigma = factor @ factor.T
    mu = numerical_spectrum(np.linalg.eigvalsh(sigma))
    assert_allclose(
        degrees_of_freedom(mu, lambda_), oracles.degrees_of_freedom(sigma, lambda_), rtol=1e-9
    )


@PROPERTY
@given(mu=SPECTRUM, lambda_=LAMBDA)
def test_between_0_and_the_rank(mu, lambda_):
    dof = degrees_of_freedom(mu, lambda_)
    assert 0 <= dof <= np.count_nonzero(mu)


@PROPERTY
@given(mu=SPECTRUM)
def test_is_exactly_the_rank_at_0(mu):
    assert degrees_of_freedom(mu, 0.0) == np.count_nonzero(mu)


@PROPERTY
@given(mu=SPECTRUM, lambdas=st.lists(LAMBDA, min_size=2, max_size=6))
def test_does_not_increase(mu, lambdas):
    dof = degrees_of_freedom(np.array(mu), np.sort(lambdas))
    assert (np.diff(dof) <= 4e-16 * dof[:-1]).all()


@PROPERTY
@given(mu=SPECTRUM, lambda_=LAMBDA, seed=st.integers(0, 99))
def test_does_not_depend_on_the_order(mu, lambda_, seed):
    shuffled = np.random.default_rng(seed).permutation(mu)
    assert_allclose(
        degrees_of_freedom(shuffled, lambda_), degrees_of_freedom(mu, lambda_), rtol=1e-14
    )


@PROPERTY
@given(mu=SPECTRUM, lambda_=LAMBDA, scale=st.sampled_from([2.0**-40, 0.25, 2.0**50]))
def test_depends_on_the_ratio_only(mu, lambda_, scale):
    assert_allclose(
        degrees_of_freedom(np.multiply(mu, scale), lambda_ * scale),
        degrees_of_freedom(mu, lambda_),
        rtol=1e-14,
    )


@pytest.mark.parametrize("function", [degrees_of_freedom, degrees_of_freedom_derivative])
def test_stack_is_per_item(function):
    rng = np.random.default_rng(0)
    mu, lambda_ = rng.exponential(size=(3, 1, 5)), rng.exponential(size=(3, 4))
    mu[1, 0, 2:] = 0.0
    stack = function(mu, lambda_)
    assert stack.shape == (3, 4)
    for r in range(3):
        for k in range(4):
            assert stack[r, k] == function(mu[r, 0], lambda_[r, k])


@pytest.mark.parametrize("function", [degrees_of_freedom, degrees_of_freedom_derivative])
def test_zero_spectrum(function):
    assert_array_equal(function([0.0, 0.0], [0.0, 1.0]), [0.0, 0.0])
    assert_array_equal(function(np.empty(0), [0.0, 1.0]), [0.0, 0.0])


@PROPERTY
@given(mu=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6), lambda_=st.floats(1e-2, 1e2))
def test_derivative_against_finite_differences(mu, lambda_):
    h = 1e-4 * lambda_
    up, down = degrees_of_freedom(mu, lambda_ + h), degrees_of_freedom(mu, lambda_ - h)
    slope = degrees_of_freedom_derivative(mu, lambda_)
    assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6)
    assert slope < 0


@PROPERTY
@given(mu=SPECTRUM, lambda_=LAMBDA)
def test_derivative_matches_the_sum(mu, lambda_):
    expected = -sum(x / (x + lambda_) / (x + lambda_) for x in mu if x > 0)
    assert_allclose(degrees_of_freedom_derivative(mu, lambda_), expected, rtol=1e-13)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_nothing_overflows(scale):
    mu = np.array([3.0, 1.0, 0.0]) * scale
    assert degrees_of_freedom(mu, scale) == pytest.approx(1.25, rel=1e-14)
    assert degrees_of_freedom(mu, 0.0) == 2
    expected = -0.4375 / scale
    assert degrees_of_freedom_derivative(mu, scale) == pytest.approx(expected, rel=1e-14)
    assert_array_equal(numerical_spectrum(mu), mu)


def test_extremes_side_by_side():
    mu = [1e300, 1e-300]
    assert_allclose(degrees_of_freedom(mu, [1e-300, 1.0, 1e300]), [1.5, 1.0, 0.5], rtol=1e-14)
    assert_allclose(
        degrees_of_freedom_derivative(mu, [1e-300, 1.0, 1e300]),
        [-2.5e299, -2e-300, -2.5e-301],
        rtol=1e-14,
    )


@pytest.mark.parametrize("function", [degrees_of_freedom, degrees_of_freedom_derivative])
@pytest.mark.parametrize("bad", [-1e-300, np.nan, [0.0, -1.0]])
def test_lambda_outside_the_domain(function, bad):
    with pytest.raises(DomainError, match=r"expected λ ≥ 0, got (-|nan)"):
        function([1.0, 2.0], bad)


def test_rounding_below_the_tolerance_is_zero():
    values = numerical_spectrum([1.0, 1.1e-12, 0.9e-12, 0.0, -1e-16])
    assert_array_equal(values, [1.0, 1.1e-12, 0.0, 0.0, 0.0])


def test_tolerance_is_per_spectrum():
    stack = numerical_spectrum([[1e6, 1e-7], [1.0, 1e-7]])
    assert_array_equal(stack, [[1e6, 0.0], [1.0, 1e-7]])


def test_rank_is_found():
    factor = np.random.default_rng(1).standard_normal((10, 4))
    mu = numerical_spectrum(np.linalg.eigvalsh(factor @ factor.T))
    assert degrees_of_freedom(mu, 0.0) == 4


@pytest.mark.parametrize(
    "bad", [[1.0, -1e-3], [np.nan, 1.0], [np.inf, 1.0], [-1.0, -2.0], [-np.inf, 0.0]]
)
def test_not_a_spectrum(bad):
    with pytest.raises(DomainError, match="finite eigenvalues of a positive semi-definite matrix"):
        numerical_spectrum(bad)


# λ of a width


MODERATE = st.lists(
    st.one_of(st.just(0.0), st.sampled_from([1.0, 2.0]), st.floats(1e-9, 1e3)),
    min_size=1,
    max_size=8,
)


@PROPERTY
@given(mu=MODERATE)
def test_lambda_of_width_inverts_n(mu):
    mu = numerical_spectrum(mu)
    rank = np.count_nonzero(mu)
    lambdas = lambda_of_width(mu)
    assert lambdas.shape == (len(mu),)
    for k, lambda_ in enumerate(lambdas, start=1):
        if k >= rank:
            assert lambda_ == 0
        else:
            assert oracles.degrees_of_freedom_of(mu, lambda_) == pytest.approx(k, rel=1e-9)
    dof = degrees_of_freedom(mu, lambdas)
    # Another order of the same sum may move the last digit over a whole number.
    assert (np.ceil(dof * (1 - 1e-12)) <= np.arange(1, len(mu) + 1)).all()
    assert (np.diff(lambdas) <= 0).all()


@pytest.mark.parametrize("m", [2, 5, 50])
def test_lambda_of_width_of_equal_eigenvalues(m):
    """m μ / (μ + λ) = k at λ = μ (m/k − 1)."""
    k = np.arange(1, m + 1)
    assert_allclose(lambda_of_width(np.full(m, 3.0)), 3 * (m / k - 1), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-290, 1e-8, 1e8, 1e290])
def test_lambda_of_width_follows_the_scale(scale):
    mu = np.logspace(0, -12, 20)
    assert_allclose(lambda_of_width(scale * mu), scale * lambda_of_width(mu), rtol=1e-10)


def test_lambda_of_width_knows_no_order():
    mu = np.array([1.0, 5.0, 0.0, 3.0])
    assert_array_equal(lambda_of_width(mu), lambda_of_width(np.sort(mu)))


def test_lambda_of_width_0_where_nothing_is_lost():
    assert_array_equal(lambda_of_width([0.0, 0.0]), [0, 0])
    assert_array_equal(lambda_of_width([7.0, 0.0]), [0, 0])


@pytest.mark.parametrize("mu", [[1e308, 1e308, 1e307], [5e-324] * 3])
def test_lambda_of_width_at_the_ends_of_the_range(mu):
    # BUG C: overflow of the sum; log(0)
    lambdas = lambda_of_width(mu)
    assert np.isfinite(lambdas).all()
    assert (np.diff(lambdas) <= 0).all()


@pytest.mark.parametrize("mu", [1.0, [], [[]]])
def test_lambda_of_width_needs_a_row(mu):
    with pytest.raises(DomainError, match=r"expected eigenvalues \(\.\.\., m\), got"):
        lambda_of_width(mu)


def test_lambda_of_width_of_a_stack_is_per_row():
    mu = np.array([[[3.0, 1.0, 0.5], [1.0, 1.0, 0.0]]])
    lambdas = lambda_of_width(mu)
    for r in range(2):
        assert lambdas[0, r].tolist() == lambda_of_width(mu[0, r]).tolist()


@pytest.mark.parametrize("mu", [[np.nan, 1.0, 2.0], [-1.0, 2.0, 1.0], [np.inf, 1.0, 2.0]])
def test_lambda_of_width_of_no_spectrum(mu):
    # BUG C: no check, zeros or a warning instead ("Raises DomainError")
    with pytest.raises(DomainError, match="eigenvalue"):
        lambda_of_width(mu)
