"""The answer to "why?" in five sentences, from the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mini_exp.diagnostics.evidence import CHOSEN, Evidence
from mini_exp.diagnostics.stages import STAGES
from mini_exp.report.intervals import Interval
from mini_exp.spectral import Floats


def answer(evidence: Sequence[Evidence]) -> list[str]:
    """Five sentences; without replicates two, and that the rest needs them.

    Numbers are the smallest and the largest of the variants' means.
    """
    seen = [own for own in evidence if own.has("confidence") and own.has("alignment")]
    if not seen:
        return ["What was measured is in the table; without confidence and alignment nothing more."]
    sentences = [_confidence(seen), _alignment(seen)]
    if not all(own.has_trials for own in seen):
        return [
            *sentences,
            "One run decides nothing: `mini-exp diagnose --replicates 200` gives intervals, "
            "interventions and verdicts.",
        ]
    return [*sentences, _centring(seen), _gain(seen), _without_pruning(seen)]


def _confidence(seen: Sequence[Evidence]) -> str:
    loss, over, rest = (
        _range(own.change("compressed", "original", quantity) for own in seen)
        for quantity in ("loss", "overconfidence", "loss at best scale")
    )
    return (
        f"Removing units changes the population loss by {loss}; of that over-confidence is {over}, "
        f"and what the best scale of the logits leaves changes by {rest}."
    )


def _alignment(seen: Sequence[Evidence]) -> str:
    cosines, accuracies = (
        [_range(own.mean(own.column(stage, quantity)) for own in seen) for stage in STAGES]
        for quantity in ("gradient cosine", "accuracy")
    )
    return (
        f"The mean gradient's cosine with the true rule goes from {cosines[0]} to {cosines[1]} and "
        f"with fine-tuning to {cosines[2]}, the accuracy from {accuracies[0]} to {accuracies[1]} "
        f"and {accuracies[2]}: the two are close by construction."
    )


def _centring(seen: Sequence[Evidence]) -> str:
    as_it_is, centred = (
        _range(own.mean(own.trial("original", arm=arm)) for own in seen)
        for arm in ("as it is", "centred")
    )
    return (
        f"The network that is not pruned reaches an accuracy of {as_it_is} on MINI as it is and of "
        f"{centred} once each feature is centred on the training set."
    )


def _gain(seen: Sequence[Evidence]) -> str:
    as_it_is, centred, orthogonal = (
        _range(own.mean(_gained(own, arm)) for own in seen)
        for arm in ("as it is", "centred", "orthogonal")
    )
    narrowest = min(seen[0].diagnose.first_widths)
    narrowed = _range(
        own.mean(
            own.trial("finetuned", width=narrowest) - own.trial("finetuned", width=own.thesis_width)
        )
        for own in seen
    )
    return (
        f"Pruning and fine-tuning change the accuracy by {as_it_is} as it is, by {centred} centred "
        f"and by {orthogonal} under a rule orthogonal to the mean; a first layer of {narrowest} "
        f"instead of the chosen width changes it by another {narrowed}."
    )


def _without_pruning(seen: Sequence[Evidence]) -> str:
    difference = _range(
        own.mean(
            own.trial("decayed", decay=CHOSEN) - own.trial("finetuned", width=own.thesis_width)
        )
        for own in seen
    )
    return (
        "Weight decay without pruning, its strength chosen on a draw for validation, differs from "
        f"pruning and fine-tuning by {difference} in accuracy."
    )


def _gained(own: Evidence, arm: str) -> Floats:
    tuned = own.trial("finetuned", arm=arm, width=own.thesis_width)
    return tuned - own.trial("original", arm=arm)


def _range(means: Iterable[Interval]) -> str:
    """The variants' means, from the smallest to the largest."""
    estimates = sorted(mean.estimate for mean in means)
    low, high = f"{estimates[0]:.2f}", f"{estimates[-1]:.2f}"
    return low if low == high else f"{low} … {high}"
