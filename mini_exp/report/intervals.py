"""Confidence intervals: of a proportion, of a share, of a mean, of a mean by resampling.

scipy.stats is imported where it is used: it takes half a second, and tables without an interval,
such as those that `load_results` prints, need none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError
from mini_exp.seeds import generator
from mini_exp.spectral import Floats


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Examples
    --------
    >>> str(Interval(0.5, 0.25, 0.75)), Interval(0.5, 0.25, 0.75).half_width
    ('0.5 [0.25, 0.75]', 0.25)
    >>> str(Interval(0.5, float("nan"), float("nan")))
    '0.5'
    """

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """(high − low) / 2."""
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        if np.isnan(self.low):  # of one value, or of none
            return "unknown" if np.isnan(self.estimate) else f"{self.estimate:.3g}"
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def binomial_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Proportion successes / n with its exact (Clopper–Pearson) interval.

    Parameters
    ----------
    successes, n : int
        0 ≤ successes ≤ n, n ≥ 1.
    confidence : float
        In (0, 1); the interval covers the true proportion at least that often.

    Returns
    -------
    Interval

    Raises
    ------
    DomainError

    Notes
    -----
    Bounds are right to 1e-12; one interval takes 2 ms.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404–413.

    Examples
    --------
    >>> str(binomial_interval(60, 100))
    '0.6 [0.497, 0.697]'
    """
    if not (n >= 1 and 0 <= successes <= n and 0 < confidence < 1):
        raise DomainError(
            f"binomial interval: expected 0 ≤ successes ≤ n, got {successes} of {n}, {confidence}"
        )
    return _proportion(successes, n, confidence, "exact")


def share_interval(which: npt.NDArray[np.bool_], confidence: float) -> Interval:
    """Share of true entries with its Wilson interval.

    Parameters
    ----------
    which : (n,) bool
        n ≥ 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209–212.

    Examples
    --------
    >>> share_interval(np.array([True] * 9 + [False]), 0.95)
    Interval(estimate=0.9, low=0.5958..., high=0.9821...)
    """
    return _proportion(int(which.sum()), len(which), confidence, "wilson")


def _proportion(
    successes: int, n: int, confidence: float, method: Literal["exact", "wilson"]
) -> Interval:
    import scipy.stats

    bounds = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method=method)
    return Interval(successes / n, float(bounds.low), float(bounds.high))


def t_interval(values: Floats, confidence: float) -> Interval:
    """Mean x̄ with its t interval, x̄ ± t_{n−1} s / √n.

    Parameters
    ----------
    values : (n,) float64
        n ≥ 2; finite.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval

    Examples
    --------
    >>> str(t_interval(np.array([1.0, 2.0, 3.0]), 0.95))
    '2 [-0.484, 4.48]'
    """
    import scipy.stats

    # Not scipy.stats.ttest_1samp: it warns where all values are equal.
    quantile = scipy.stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    mean, half = float(np.mean(values)), float(quantile * scipy.stats.sem(values))
    return Interval(mean, mean - half, mean + half)


def rank_correlation_interval(a: Floats, b: Floats, confidence: float) -> Interval:
    """Spearman's correlation of two measures with its interval on Fisher's scale.

    Parameters
    ----------
    a, b : (n,) float64
        Pairs of which one is not finite are left out; with fewer than four the bounds are NaN.
    confidence : float
        In (0, 1).

    Notes
    -----
    tanh(artanh r ± z √((1 + r²/2) / (n − 3))).

    References
    ----------
    Bonett and Wright (2000), Psychometrika 65, 23–28.

    Examples
    --------
    >>> rank_correlation_interval(np.arange(9.0), -np.arange(9.0) ** 3, 0.95)
    Interval(estimate=-1.0, low=-1.0, high=-1.0)
    """
    import scipy.stats

    known = np.isfinite(a) & np.isfinite(b)
    n = int(known.sum())
    if n < 4 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    r = float(np.clip(scipy.stats.spearmanr(a[known], b[known]).statistic, -1, 1))
    if abs(r) > 1 - 1e-12:
        return Interval(float(round(r)), float(round(r)), float(round(r)))
    half = scipy.stats.norm.ppf((1 + confidence) / 2) * np.sqrt((1 + r**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    return Interval(r, float(low), float(high))


def bootstrap_interval(values: Floats, confidence: float, resamples: int, seed: int) -> Interval:
    """Mean with its percentile bootstrap interval.

    Parameters
    ----------
    values : (n,) float64
        NaN and infinity are left out; with fewer than two others the bounds are NaN.
    confidence : float
        In (0, 1).
    resamples : int
        At least 1.
    seed : int
        Of the resamples: generator (seed, "bootstrap").

    Returns
    -------
    Interval

    Notes
    -----
    O(n · resamples) time, O(100 n) memory.

    Examples
    --------
    >>> bootstrap_interval(np.array([1.0, 1.0, 1.0]), 0.95, resamples=100, seed=0)
    Interval(estimate=1.0, low=1.0, high=1.0)
    """
    import scipy.stats

    known = values[np.isfinite(values)]
    if len(known) < 2:
        mean = float(known.mean()) if len(known) else float("nan")
        return Interval(mean, float("nan"), float("nan"))
    bounds = scipy.stats.bootstrap(
        (known,),
        np.mean,
        confidence_level=confidence,
        n_resamples=resamples,
        method="percentile",
        batch=100,  # resamples held at a time
        rng=generator(seed, "bootstrap"),
    ).confidence_interval
    return Interval(float(known.mean()), float(bounds.low), float(bounds.high))
