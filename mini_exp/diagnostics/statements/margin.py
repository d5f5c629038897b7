"""W33 and W49: classification margins, and noise on the representation."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import (
    FAILS,
    HOLDS,
    LETTER,
    Question,
    Statement,
)
from mini_exp.report.intervals import Interval


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


def noise(own: Evidence) -> Statement | None:
    """On the outputs of the layer that bears it worst."""
    if not own.has("margin"):
        return None
    rules = own.diagnose.rules
    question = Question(
        "W49",
        "networks adjust for noise on their representation",
        "004, test regularisation: “neural networks can adjust for noise in data”, for little "
        "information is extracted from the representation",
        f"accuracy on fresh draws that the run's network loses to Gaussian noise of up to "
        f"{rules.noise:g} of a hidden layer's spread on its outputs, in the worst layer; of the "
        "fine-tuned network, whose representation keeps less, and of the original",
        f"holds if for both the interval lies below {rules.noise_loss:g} of the accuracy above ½ "
        "that the network has without noise; only in the letter if it does so for the original "
        "alone: then it is not for keeping less; at ½ or below nothing can be lost, and it fails",
    )
    worst = {stage: _worst(own, stage) for stage in ("original", "finetuned")}
    clean = {stage: float(own.of_run(stage, "clean accuracy")["estimate"]) for stage in worst}
    adjusts = {
        stage: lost.high < rules.noise_loss * (clean[stage] - 0.5) for stage, lost in worst.items()
    }
    return question.answered(
        own.variant,
        f"original loses {worst['original']} of {clean['original']:.3g}, fine-tuned "
        f"{worst['finetuned']} of {clean['finetuned']:.3g}",
        worst["finetuned"],
        (HOLDS if adjusts["finetuned"] else LETTER) if adjusts["original"] else FAILS,
        worst["original"],
    )


def _worst(own: Evidence, stage: str) -> Interval:
    """What is lost to noise in the layer, and with the share, where most is lost."""
    losses = []
    for layer in range(1, len(own.settings.model.widths) + 1):
        estimate, low, high = (
            own.of_run_over("lost to noise", stage, column, layer)
            for column in ("estimate", "lower", "upper")
        )
        losses += [
            Interval(*values)
            for at, *values in zip(estimate.index, estimate, low, high, strict=True)
            if at <= own.diagnose.rules.noise
        ]
    return max(losses, key=lambda lost: lost.estimate)
