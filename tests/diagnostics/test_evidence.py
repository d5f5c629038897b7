"""Columns, changes and intervals over replicates."""

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.diagnostics.evidence import CHOSEN
from mini_exp.report.intervals import rank_correlation_interval
from tests.diagnostics.invented import N, evidence, measured, spread, trial_rows


def test_columns_come_in_the_order_of_the_replicates():
    own = evidence({("original", "loss"): np.arange(N), ("original", "accuracy"): 0.5})
    assert_array_equal(own.column("original", "loss"), np.arange(N))
    assert own.n_replicates == N


def test_without_replicates_a_column_is_the_run_s():
    own = evidence({("original", "loss"): 2.0}, replicated=False)
    assert own.n_replicates == 0
    assert_array_equal(own.column("original", "loss"), [2.0])
    assert np.isnan(own.mean(own.column("original", "loss")).low)


def test_changes_are_paired():
    base = np.linspace(0, 100, N)
    own = evidence({("original", "loss"): base, ("compressed", "loss"): base - spread(1.0)})
    change = own.change("compressed", "original", "loss")
    assert_allclose(change.estimate, -1, atol=1e-12)
    assert -1.01 < change.low < change.high < -0.99


def test_picks_come_in_their_order():
    own = evidence(
        {("original", "weight cosine of pick", place): place / 10 for place in (2, 1, 3)}
    )
    assert_allclose(own.over_picks("weight cosine of pick")[4], [0.1, 0.2, 0.3])


def test_trials_go_by_arm_width_and_strength():
    own = evidence(
        {("original", "loss"): 1.0},
        {
            ("as it is", "decayed", 16, 1.0): np.full(N, 0.6),
            ("as it is", "decayed", 16, np.nan): np.full(N, 0.7),
            ("centred", "finetuned", 8, 0.0): np.full(N, 0.8),
        },
    )
    assert own.trial("decayed", decay=1.0)[0] == 0.6
    assert own.trial("decayed", decay=CHOSEN)[0] == 0.7
    assert own.trial("finetuned", arm="centred", width=8)[0] == 0.8


def test_what_is_missing_is_a_key_error():
    own = evidence(trials={("as it is", "original", 16, 0.0): np.full(N, 0.6)})
    with pytest.raises(KeyError, match="finetuned"):
        own.trial("finetuned", width=8)


def test_the_rank_correlation_is_scipy_s():
    a, b = np.random.default_rng(0).standard_normal((2, 200))
    b = b + a
    interval = rank_correlation_interval(a, b, 0.95)
    assert_allclose(interval.estimate, scipy.stats.spearmanr(a, b).statistic, rtol=1e-12)
    assert interval.low < interval.estimate < interval.high


def test_the_interval_of_a_rank_correlation_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    rho = 0.6
    true = 6 / np.pi * np.arcsin(rho / 2)  # Spearman's of a bivariate normal
    covered = 0
    for _ in range(400):
        a = rng.standard_normal(60)
        b = rho * a + np.sqrt(1 - rho**2) * rng.standard_normal(60)
        interval = rank_correlation_interval(a, b, 0.9)
        covered += interval.low < true < interval.high
    assert abs(covered / 400 - 0.9) < 4 * np.sqrt(0.09 / 400)


@pytest.mark.parametrize("values", [np.ones(9), np.arange(3.0)], ids=["constant", "three"])
def test_a_rank_correlation_needs_pairs_that_vary(values):
    assert np.isnan(rank_correlation_interval(values, np.arange(len(values)), 0.95).low)


def test_rows_have_every_column():
    assert len(measured({("original", "loss"): 1.0})) == N
    assert len(trial_rows({("as it is", "original", 16, 0.0): np.full(N, 0.6)})) == N
