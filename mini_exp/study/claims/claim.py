"""A verdict on one claim of the thesis."""

from __future__ import annotations

from dataclasses import dataclass

from mini_exp.report.intervals import Interval

HOLDS = "holds"
FAILS = "does not hold"
LETTER = "holds only in the letter"
EXPLAINED = "explained"

ALL = "all"  # in a variant's place, where a claim is about none


@dataclass(frozen=True)
class Claim:
    """One claim about one variant: a row of claims.csv.

    Attributes
    ----------
    claim : str
        Its number, C1 … C10.
    statement : str
        What the thesis says.
    variant : str
        Or ``ALL``.
    evidence : str
        What was seen.
    estimate, low, high : float
        The number that decides, with its interval.
    rule : str
        When which verdict is given; thresholds stand in the config.
    verdict : str
    control : str
        What explains it, or does as well; empty where nothing does.
    """

    claim: str
    statement: str
    variant: str
    evidence: str
    estimate: float
    low: float
    high: float
    rule: str
    verdict: str
    control: str


def ruling(
    claim: str,
    statement: str,
    variant: str,
    evidence: str,
    decisive: Interval,
    rule: str,
    verdict: str,
    control: str = "",
) -> Claim:
    """The claim with the interval that decides it."""
    estimate, low, high = decisive.estimate, decisive.low, decisive.high
    return Claim(claim, statement, variant, evidence, estimate, low, high, rule, verdict, control)
