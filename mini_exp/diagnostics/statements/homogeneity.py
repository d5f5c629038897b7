"""W8 and W9: what a network without biases cannot do."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import FAILS, HOLDS, THEOREM, Question, Statement
from mini_exp.report.intervals import Interval


def euler(own: Evidence) -> Statement | None:
    """Networks without biases, where the identity is a theorem."""
    if not own.has("homogeneity") or own.settings.model.bias or own.settings.compress.intercept:
        return None
    digits = own.diagnose.rules.euler_digits
    question = Question(
        "W8",
        "without biases f(cx) = c f(x) for c > 0, so x·∇f(x) = f(x)",
        "(1.1.2) with ReLU",
        "largest |x·∇f − f| over stages and draws, as a share of the largest |f|",
        f"holds if it is below 10^−{digits}: the theorem is a test of our gradients",
        sort=THEOREM,
    )
    stages = ("original", "compressed", "finetuned")
    largest = max(float(own.column(stage, "euler residual").max()) for stage in stages)
    kept = min(float(own.column(stage, "sign kept").min()) for stage in stages)
    return question.answered(
        own.variant,
        f"{largest:.2g}; the sign is the same at half and at twice the length for a share of "
        f"{kept:.6g} of the draws",
        Interval(largest, largest, largest),
        HOLDS if largest < 10.0**-digits else FAILS,
    )


def ceiling(own: Evidence) -> Statement | None:
    """Networks without biases against the best that keeps its sign along rays."""
    if not own.has("homogeneity") or not own.has("confidence") or own.settings.model.bias:
        return None
    near = own.diagnose.rules.ceiling
    question = Question(
        "W9",
        "without biases MiniModel cannot learn MINI, since it keeps its sign along rays",
        "4.3: “with or without biases”",
        "largest accuracy of a classifier of X / ‖X‖ (numerical integration along rays) − accuracy "
        "of the original network",
        f"holds if the interval of the difference lies below {near:g}",
    )
    row = own.of_run("", "ceiling")
    below = own.mean(row["estimate"] - own.column("original", "accuracy"))
    error = (row["upper"] - row["lower"]) / 2
    return question.answered(
        own.variant,
        f"ceiling {row['estimate']:.4f} ± {error:.4f}; above the network's accuracy by {below}",
        below,
        HOLDS if below.high < near else FAILS,
    )
