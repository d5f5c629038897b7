"""C7 and C8: what the thesis calls too expensive, measured."""

from __future__ import annotations

from mini_exp.report.intervals import Interval
from mini_exp.settings.sections import Rules
from mini_exp.study.claims.claim import ALL, FAILS, HOLDS, LETTER, Claim, ruling
from mini_exp.study.costs import Costs


def c7_greedy_selection(rules: Rules, costs: Costs) -> Claim:
    """The formula, one evaluation after another, beside rank-one updates."""
    by_formula = costs.evaluations * costs.naive_seconds
    seconds = costs.greedy_seconds
    slow = rules.slow_seconds
    return ruling(
        "C7",
        "greedy selection needs (m̂+1)(m − m̂/2) evaluations of 𝒞(J), 375 750 for m = 1000 and "
        "m̂ = 500, each up to seconds",
        ALL,
        f"{costs.evaluations} evaluations; one by the formula {costs.naive_seconds:.2g} s, all "
        f"{by_formula / 3600:.2g} h; by rank-one updates {seconds:.2g} s for the same picks",
        Interval(seconds, seconds, seconds),
        f"holds if the fastest known way takes more than {slow:g} s; only in the letter if just "
        "the formula does",
        HOLDS if seconds > slow else LETTER if by_formula > slow else FAILS,
        "rank-one updates",
    )


def c8_covariance(rules: Rules, costs: Costs) -> Claim:
    """The Gram matrix has the same non-zero spectrum."""
    seconds, gigabytes = costs.gram_seconds, costs.gram_gigabytes
    expensive = seconds > rules.slow_seconds or gigabytes > rules.slow_gigabytes
    return ruling(
        "C8",
        "the covariance of a 32 × 32 × 32 output (32 768², about 10⁹ elements) is too expensive",
        ALL,
        f"its non-zero spectrum from the Gram matrix of {costs.gram_samples} synthetic samples: "
        f"{seconds:.2g} s, {gigabytes:.2g} GB",
        Interval(seconds, seconds, seconds),
        f"holds if it takes more than {rules.slow_seconds:g} s or {rules.slow_gigabytes:g} GB",
        HOLDS if expensive else FAILS,
        "Gram matrix",
    )
