"""Confidence intervals against their definitions, closed forms and coverage."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.errors import DomainError
from mini_exp.report.intervals import (
    Interval,
    binomial_interval,
    bootstrap_interval,
    share_interval,
    t_interval,
)

ROOT_FINDER = 1e-11  # SciPy solves for the exact bounds to 2e-12; a tail's slope is at most n


def at_least(k: int, n: int, p: float) -> float:
    """P(X ≥ k) of a binomial X, term by term."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def test_an_interval_is_printed_with_three_digits():
    assert str(Interval(0.12345, -1.5, 2345.6)) == "0.123 [-1.5, 2.35e+03]"


def test_half_the_width_of_an_interval():
    assert Interval(0.0, -1.0, 2.0).half_width == 1.5


# Exact binomial


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 2), (3, 5), (29, 30), (60, 99), (500, 1000)])
def test_below_the_lower_bound_as_many_successes_are_too_rare(k, n, confidence):
    low = binomial_interval(k, n, confidence).low
    assert_allclose(at_least(k, n, low), (1 - confidence) / 2, rtol=0, atol=n * ROOT_FINDER)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 2), (3, 5), (29, 30), (60, 99), (500, 1000)])
def test_above_the_upper_bound_as_few_successes_are_too_rare(k, n, confidence):
    high = binomial_interval(k, n, confidence).high
    tail = at_least(n - k, n, 1 - high)
    assert_allclose(tail, (1 - confidence) / 2, rtol=0, atol=n * ROOT_FINDER)


@pytest.mark.parametrize("n", [1, 2, 99, 100_000])
def test_no_success_has_the_bound_of_the_closed_form(n):
    found = binomial_interval(0, n)
    assert (found.estimate, found.low) == (0, 0)
    assert_allclose(found.high, 1 - 0.025 ** (1 / n), rtol=0, atol=ROOT_FINDER)


@pytest.mark.parametrize("n", [1, 2, 99, 100_000])
def test_nothing_but_successes_has_the_bound_of_the_closed_form(n):
    found = binomial_interval(n, n)
    assert (found.estimate, found.high) == (1, 1)
    assert_allclose(found.low, 0.025 ** (1 / n), rtol=0, atol=ROOT_FINDER)


def test_exact_intervals_move_up_with_the_successes():
    found = [binomial_interval(k, 40) for k in range(41)]
    for below, above in itertools.pairwise(found):
        assert below.low < above.low
        assert below.high < above.high


@pytest.mark.parametrize(
    ("successes", "n", "confidence"),
    [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0), (1, 5, float("nan"))],
)
def test_a_binomial_interval_outside_its_domain_is_refused(successes, n, confidence):
    with pytest.raises(DomainError, match=r"binomial interval: expected 0 ≤ successes ≤ n"):
        binomial_interval(successes, n, confidence)


# Wilson


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 1), (7, 10), (500, 1000), (10, 10)])
def test_the_interval_of_a_share_is_wilson_s(k, n, confidence):
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(k * (n - k) / n + z**2 / 4)
    found = share_interval(np.arange(n) < k, confidence)
    assert found.estimate == k / n
    # Both quantiles of the normal distribution are right to 1e-15.
    assert_allclose([found.low, found.high], [middle - half, middle + half], rtol=0, atol=1e-14)


# Student's t


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_t_interval_of_two_values_has_cauchy_s_quantile(confidence):
    found = t_interval(np.array([0.25, 0.75]), confidence)
    half = math.tan(math.pi * confidence / 2) * 0.25
    assert_allclose(dataclasses.astuple(found), (0.5, 0.5 - half, 0.5 + half), rtol=1e-13)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_t_interval_of_three_values_has_the_closed_form_s_quantile(confidence):
    values = [0.5, 0.7, 0.4]
    quantile = confidence / math.sqrt((1 - confidence**2) / 2)
    half = quantile * statistics.stdev(values) / math.sqrt(3)
    found = t_interval(np.array(values), confidence)
    mean = statistics.fmean(values)
    assert_allclose(dataclasses.astuple(found), (mean, mean - half, mean + half), rtol=1e-13)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_the_t_interval_of_equal_values_is_a_point(value):
    assert t_interval(np.full(2, value), 0.95) == Interval(value, value, value)


# Bootstrap


def test_the_bootstrap_interval_covers_about_as_often_as_it_should():
    rng = np.random.default_rng(6)
    covered = 0
    for seed in range(400):
        found = bootstrap_interval(3 + 2 * rng.standard_normal(40), 0.9, 200, seed)
        covered += found.low <= 3 <= found.high
    assert 0.84 < covered / 400 < 0.94  # 0.89 for 40 values; the standard error is 0.015


def test_the_bootstrap_interval_is_as_wide_as_the_standard_error_says():
    values = np.random.default_rng(7).exponential(size=500)
    found = bootstrap_interval(values, 0.95, 4000, 1)
    assert found.estimate == values.mean()
    width = 2 * 1.96 * values.std() / np.sqrt(500)
    assert_allclose(found.half_width, width / 2, rtol=0.05)  # quantiles of 4000 resamples


def test_the_bootstrap_interval_leaves_out_what_is_not_known():
    values = np.random.default_rng(8).standard_normal(30)
    with_holes = np.insert(values, [0, 7, 7, 30], np.nan)
    assert bootstrap_interval(with_holes, 0.95, 100, 5) == bootstrap_interval(values, 0.95, 100, 5)


def test_the_bootstrap_interval_is_the_seed_s():
    values = np.random.default_rng(8).standard_normal(30)
    first = bootstrap_interval(values, 0.95, 100, 5)
    assert first == bootstrap_interval(values, 0.95, 100, 5)
    assert first != bootstrap_interval(values, 0.95, 100, 6)


@pytest.mark.parametrize(("values", "mean"), [([], np.nan), ([np.nan], np.nan), ([2.0], 2.0)])
def test_the_bootstrap_interval_of_too_few_values_has_no_bounds(values, mean):
    found = bootstrap_interval(np.array(values), 0.95, 100, 0)
    np.testing.assert_equal(dataclasses.astuple(found), (mean, np.nan, np.nan))


# Imports


def test_the_module_is_imported_without_scipy_stats(environment):
    code = "import sys, mini_exp.report.intervals; print('scipy.stats' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
