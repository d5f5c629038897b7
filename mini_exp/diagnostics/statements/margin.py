"""W33: classification margins."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import FAILS, HOLDS, Question, Statement


def margin(own: Evidence) -> Statement | None:
    """Sample by sample, by what is proved."""
    if not own.has("margin"):
        return None
    majority = own.diagnose.rules.majority
    question = Question(
        "W33",
        "networks that generalise better have larger margins",
        "004, classification margin",
        "share of training samples of the run whose exact L∞ margin is proved to be larger in the "
        "fine-tuned than in the original network: its lower bound above the other's upper bound; "
        "beside it the medians",
        f"holds if the interval lies above {majority:g}; the two networks of one run are compared",
    )
    low = own.of_run_over("margin", "finetuned", "lower")
    high = own.of_run_over("margin", "original", "upper")
    larger = own.share(low.to_numpy() > high.to_numpy())
    medians = [own.of_run(stage, "median margin") for stage in ("original", "finetuned")]
    return question.answered(
        own.variant,
        f"larger {larger}; median original [{medians[0]['lower']:.3g}, {medians[0]['upper']:.3g}], "
        f"fine-tuned [{medians[1]['lower']:.3g}, {medians[1]['upper']:.3g}]",
        larger,
        HOLDS if larger.low > majority else FAILS,
    )
