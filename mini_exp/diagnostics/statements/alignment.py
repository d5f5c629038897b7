"""W3 to W7: what follows the true rule, by weights, gradients and explanations."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.alignment import random_cosine
from mini_exp.diagnostics.statements.statement import (
    EXPLAINED,
    FAILS,
    HOLDS,
    LETTER,
    Question,
    Statement,
)
from mini_exp.tasks.mini.data import DIMENSION


def picked_first(own: Evidence) -> Statement | None:
    """Kept against removed units of the first layer."""
    if not own.has("alignment"):
        return None
    question = Question(
        "W3",
        "selection keeps the units that serve the task",
        "4.1: “the most useful information”, (4.1.7)",
        "|cos| of a first-layer unit's weights with the true rule: mean over the units that are "
        "kept − mean over the others",
        "holds if the interval lies above 0; only in the letter if just that of the first pick "
        "against the others does",
        "picks",
    )
    cosines = own.over_picks("weight cosine of pick")
    width = own.thesis_width
    first = own.mean(cosines[:, 0] - cosines[:, 1:].mean(axis=1))
    if width == cosines.shape[1]:
        return None
    kept = own.mean(cosines[:, :width].mean(axis=1) - cosines[:, width:].mean(axis=1))
    return question.answered(
        own.variant,
        f"kept − removed {kept}; first pick − all others {first}",
        kept,
        HOLDS if kept.low > 0 else LETTER if first.low > 0 else FAILS,
    )


def fine_tuning(own: Evidence) -> Statement | None:
    """Whether fine-tuning ends nearer to the rule than the original network."""
    if not own.has("alignment"):
        return None
    small = own.diagnose.rules.negligible
    question = Question(
        "W4",
        "the pruned and fine-tuned network follows the true rule better than the original",
        "4.3, Table 1: “even better after fine tuning”",
        "cosine of the mean gradient of the logit with the true rule, fine-tuned − original; "
        "beside it compressed − original",
        f"holds if the interval lies above {small:g}",
        "alignment",
    )
    tuned = own.change("finetuned", "original", "gradient cosine")
    at_once = own.change("compressed", "original", "gradient cosine")
    return question.answered(
        own.variant,
        f"fine-tuned − original {tuned}; compressed − original {at_once}",
        tuned,
        HOLDS if tuned.low > small else FAILS,
    )


def lime(own: Evidence) -> Statement | None:
    """Whether local explanations show what the labels depend on."""
    if not own.has("alignment"):
        return None
    chance = random_cosine(DIMENSION)
    times = own.diagnose.rules.chance
    question = Question(
        "W5",
        "LIME shows which features made a network come to its conclusion",
        "3.4",
        "mean cosine of LIME's coefficients of the logit with the true rule, original and "
        f"fine-tuned; a random direction has |cos| {chance:.3g}",
        f"holds if both intervals lie above {times:g} times a random direction's; only in the "
        "letter if one does",
        "alignment",
    )
    original = own.mean(own.column("original", "lime"))
    tuned = own.mean(own.column("finetuned", "lime"))
    above = [interval.low > times * chance for interval in (original, tuned)]
    return question.answered(
        own.variant,
        f"original {original}, fine-tuned {tuned}",
        original,
        HOLDS if all(above) else LETTER if any(above) else FAILS,
        tuned,
    )


def baseline(own: Evidence) -> Statement | None:
    """Whether integrated gradients say the same from another baseline."""
    if not own.has("alignment"):
        return None
    small = own.diagnose.rules.negligible
    question = Question(
        "W6",
        "an explanation depends on network and sample, not on the choices of the instrument",
        "3.4, where it is left unsaid",
        "cosine of integrated gradients with what the true rule itself owes to each feature: from "
        "the training set's mean as baseline − from zero, original network",
        f"holds if the interval lies within ± {small:g}",
        "alignment",
    )
    from_mean = own.column("original", "integrated gradients from the mean")
    from_zero = own.column("original", "integrated gradients from zero")
    difference = own.mean(from_mean - from_zero)
    return question.answered(
        own.variant,
        f"difference {difference}; from the mean {own.mean(from_mean)}, from zero "
        f"{own.mean(from_zero)}",
        difference,
        HOLDS if -small < difference.low and difference.high < small else FAILS,
    )


def mediator(own: Evidence) -> Statement | None:
    """Whether alignment says anything beyond the accuracy itself."""
    if not own.has("alignment") or not own.has("confidence"):
        return None
    nearly = own.diagnose.rules.correlated
    question = Question(
        "W7",
        "networks that follow the rule more closely are the more accurate ones",
        "explains Table 1",
        "rank correlation over replicates of the R² of the logit on X̄ with the accuracy, original "
        "networks; beside it that of the mean gradient's cosine",
        f"explained if the correlation lies above {nearly:g}: then the two are nearly one measure, "
        "and alignment is a mediator, no cause; holds if it lies above 0",
        "alignment",
    )
    accuracy = own.column("original", "accuracy")
    r2 = own.correlation(own.column("original", "r2"), accuracy)
    gradient = own.correlation(own.column("original", "gradient cosine"), accuracy)
    return question.answered(
        own.variant,
        f"R² {r2}, gradient {gradient}",
        r2,
        EXPLAINED if r2.low > nearly else HOLDS if r2.low > 0 else FAILS,
    )
