"""A verdict on one statement of the texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mini_exp.report.intervals import Interval

HOLDS = "holds"
FAILS = "does not hold"
LETTER = "holds only in the letter"
EXPLAINED = "explained"
UNDECIDED = "undecided"

MEASURED = "measured"
THEOREM = "theorem, checked"

ALL = "all"  # in a variant's place, where a statement is about none


def exactly(value: float) -> Interval:
    """A number without an error, such as one that is enumerated."""
    return Interval(value, value, value)


def listed(values: pd.Series) -> str:
    """Values over what they are a function of."""
    return ", ".join(f"{at:g}: {value:.3g}" for at, value in values.items())


@dataclass(frozen=True)
class Statement:
    """One statement about one variant: a row of statements.csv.

    Attributes
    ----------
    number : str
        W1, W2, …
    statement : str
        What is said, in one clause.
    place : str
        Where it, or what it explains, stands in the text.
    sort : str
        ``MEASURED`` or ``THEOREM``: what could have come out otherwise, and what could not.
    variant : str
        Or ``ALL``.
    definition : str
        What was measured for it.
    evidence : str
        What was seen.
    estimate, low, high : float
        The number that decides, with its interval.
    rule : str
        When which verdict is given; thresholds stand in the config.
    verdict : str
        ``UNDECIDED`` where there are too few replicates for an interval.
    figure : str
        That shows it; empty where none does.
    """

    number: str
    statement: str
    place: str
    sort: str
    variant: str
    definition: str
    evidence: str
    estimate: float
    low: float
    high: float
    rule: str
    verdict: str
    figure: str


@dataclass(frozen=True)
class Question:
    """What is the same of a statement for every variant."""

    number: str
    statement: str
    place: str
    definition: str
    rule: str
    figure: str = ""
    sort: str = MEASURED

    def answered(
        self,
        variant: str,
        evidence: str,
        decisive: Interval,
        verdict: str,
        *others: Interval,
    ) -> Statement:
        """The statement with its verdict, which needs bounds of these intervals."""
        bounds = [decisive.low, *(other.low for other in others)]
        return Statement(
            self.number,
            self.statement,
            self.place,
            self.sort,
            variant,
            self.definition,
            evidence,
            decisive.estimate,
            decisive.low,
            decisive.high,
            self.rule,
            UNDECIDED if np.isnan(bounds).any() else verdict,
            self.figure,
        )
