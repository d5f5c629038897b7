"""W47 and W48: pruning against architecture search, and what that search assumes."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.search import METHODS, RUNS, TRAINED
from mini_exp.diagnostics.statements.statement import (
    ALL,
    EXPLAINED,
    FAILS,
    HOLDS,
    LETTER,
    Question,
    Statement,
)
from mini_exp.report.intervals import Interval


def search(own: Evidence) -> Statement | None:
    """Equal numbers of trained networks."""
    if not own.has("search"):
        return None
    small = own.diagnose.rules.negligible
    question = Question(
        "W47",
        "spectral pruning falls short of automatic model design",
        "5: “it might fall short of the performance and capabilities of ENAS and NASNet”",
        "accuracy of the network that validates best, at widths by (4.2.3) − found by Optuna's "
        "TPE, same budget of parameters and same number of trained networks ("
        + ", ".join(f"{data} {count}" for data, count in TRAINED.items())
        + "), on the population of MINI and the test set of digits; beside it random search",
        f"holds if the intervals of both data sets lie below −{small:g}; only in the letter if one "
        "does",
    )
    gaps, texts = {}, []
    for data in RUNS:
        gaps[data] = _interval(own, f"{data} spectral − tpe")
        accuracies = ", ".join(
            f"{method} {_interval(own, f'{data} accuracy of {method}')}" for method in METHODS
        )
        at_random = _interval(own, f"{data} spectral − random")
        texts.append(f"{data}: − TPE {gaps[data]}, − random {at_random}; {accuracies}")
    short = [gap.high < -small for gap in gaps.values()]
    return question.answered(
        own.variant,
        "; ".join(texts),
        gaps["MINI"],
        HOLDS if all(short) else LETTER if any(short) else FAILS,
    )


def shared_weights(own: Evidence) -> Statement | None:
    """The ranking by shared weights."""
    if not own.has("shared weights"):
        return None
    nearly = own.diagnose.rules.correlated
    question = Question(
        "W48",
        "candidates that share parameters are ranked as they would be when trained",
        "3.5: ENAS lets “the candidate child DNNs share parameters through training”",
        "Spearman's correlation, over candidate widths, of the accuracy with shared weights and of "
        "that after training alone, mean over seeds, fully connected networks on digits",
        f"holds if the interval lies above {nearly:g}; only in the letter if it lies above 0; "
        "explained, instead of either, if the number of parameters ranks them as well: the "
        "interval of the difference reaches 0",
    )
    correlation = _interval(own, "rank correlation")
    more = _interval(own, "rank correlation − of size")
    if correlation.low > 0 and not more.low > 0:
        verdict = EXPLAINED
    else:
        verdict = HOLDS if correlation.low > nearly else LETTER if correlation.low > 0 else FAILS
    return question.answered(
        ALL,
        f"correlation {correlation}, of the number of parameters "
        f"{_interval(own, 'rank correlation of size')}, difference {more}; accuracy shared "
        f"{_interval(own, 'shared accuracy')}, alone {_interval(own, 'accuracy alone')}",
        correlation,
        verdict,
    )


def _interval(own: Evidence, quantity: str) -> Interval:
    row = own.of_run("", quantity)
    return Interval(float(row["estimate"]), float(row["lower"]), float(row["upper"]))
