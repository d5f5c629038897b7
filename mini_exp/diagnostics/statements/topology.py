"""W34 and W42: holes of the data, and networks that have to learn them."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.shapes import RUNS, SHAPES
from mini_exp.diagnostics.stages import STAGES
from mini_exp.diagnostics.statements.statement import (
    ALL,
    FAILS,
    HOLDS,
    LETTER,
    Question,
    Statement,
    exactly,
    listed,
)
from mini_exp.report.intervals import binomial_interval


def topology(own: Evidence) -> Statement | None:
    """Whether MINI has holes that a network could fail to express."""
    if not own.has("homology"):
        return None
    question = Question(
        "W34",
        "topological features of the data limit what the network learns",
        "2.3: “too few hidden units cannot express all the topological holes in the data”",
        "longest bar of dimension 1 of the run's training inputs, in median distances, against the "
        "5th to 95th percentile of Gaussian samples with the same mean and covariance; beside it "
        "the last hidden layer by stage",
        "holds if the data's bar is longer than the 95th percentile; otherwise there is nothing to "
        "express: the instrument explains nothing here",
    )
    bar, noise = own.of_run("", "bar 1"), own.of_run("", "bar 1 of a Gaussian")
    last = len(own.settings.model.widths)
    layers = {stage: own.of_run(stage, "bar 1", last)["estimate"] for stage in STAGES}
    length = float(bar["estimate"])
    return question.answered(
        own.variant,
        f"data {length:.3g}, Gaussian {noise['estimate']:.3g} [{noise['lower']:.3g}, "
        f"{noise['upper']:.3g}]; last layer "
        + ", ".join(f"{stage} {value:.3g}" for stage, value in layers.items()),
        exactly(length),
        HOLDS if length > noise["upper"] else FAILS,
    )


def shapes(own: Evidence) -> Statement | None:
    """A ring and two discs, over width."""
    if not own.has("shapes"):
        return None
    majority = own.diagnose.rules.majority
    question = Question(
        "W42",
        "too few hidden units cannot express the holes of the data: H_S(f) ≠ H(T), and learning "
        "fails",
        "2.3, theorem 3.1 of its source",
        "share of trained networks with one hidden layer whose support has the components and "
        "holes of a ring, and of two discs, over width; beside it the fewest units by theory",
        f"holds if for both shapes the interval lies below {1 - majority:g} at the smallest width "
        f"and above {majority:g} at the largest; only in the letter if for one",
    )
    seen, texts, holds = [], [], []
    for name in SHAPES:
        shares = own.of_run_over(f"support of the {name}")
        first, last = (
            binomial_interval(round(share * RUNS), RUNS, own.diagnose.confidence)
            for share in (shares.iloc[0], shares.iloc[-1])
        )
        fewest = own.of_run("", f"fewest units for the {name}")["estimate"]
        texts.append(f"{name}: {listed(shares)}, fewest by theory {fewest:g}")
        holds.append(first.high < 1 - majority and last.low > majority)
        seen.append(last)
    return question.answered(
        ALL,
        "; ".join(texts),
        min(seen, key=lambda share: share.estimate),
        HOLDS if all(holds) else LETTER if any(holds) else FAILS,
    )
