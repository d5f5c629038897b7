"""The answer to "why?" in five sentences, from the numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

from mini_exp.diagnostics.evidence import CHOSEN, Evidence
from mini_exp.diagnostics.instruments.alignment import random_cosine
from mini_exp.diagnostics.stages import STAGES
from mini_exp.report.intervals import Interval
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.data import DIMENSION


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
        _by_bias(seen, functools.partial(_gained, arm=arm))
        for arm in ("as it is", "centred", "orthogonal")
    )
    narrowest = min(seen[0].diagnose.first_widths)
    narrowed = _by_bias(
        seen,
        lambda own: (
            own.trial("finetuned", width=narrowest) - own.trial("finetuned", width=own.thesis_width)
        ),
    )
    picks = [own.over_picks("weight cosine of pick") for own in seen]
    first = _range(own.mean(of_picks[:, 0]) for own, of_picks in zip(seen, picks, strict=True))
    units = "one unit" if narrowest == 1 else f"{narrowest} units"
    return (
        f"Pruning and fine-tuning change the accuracy by {as_it_is}; centred by {centred}; under a "
        f"rule orthogonal to the mean by {orthogonal}; and a first layer of {units} instead of the "
        f"chosen width changes it by another {narrowed} (the unit that is picked first has |cos| "
        f"{first} with the rule, a random direction {random_cosine(DIMENSION):.2f})."
    )


def _without_pruning(seen: Sequence[Evidence]) -> str:
    difference = _by_bias(
        seen,
        lambda own: (
            own.trial("decayed", decay=CHOSEN) - own.trial("finetuned", width=own.thesis_width)
        ),
    )
    return (
        "Weight decay without pruning, its strength chosen on a draw for validation, differs in "
        f"accuracy from pruning and fine-tuning by {difference}."
    )


def _gained(own: Evidence, arm: str) -> Floats:
    tuned = own.trial("finetuned", arm=arm, width=own.thesis_width)
    return tuned - own.trial("original", arm=arm)


def _by_bias(seen: Sequence[Evidence], values: Callable[[Evidence], Floats]) -> str:
    """The variants' means, those without biases and those with."""
    parts = []
    for bias, name in ((False, "without biases"), (True, "with")):
        among = [own.mean(values(own)) for own in seen if own.settings.model.bias == bias]
        parts += [f"{_range(among)} {name}"] if among else []
    return ", ".join(parts)


def _range(means: Iterable[Interval]) -> str:
    """The variants' means, from the smallest to the largest."""
    estimates = sorted(mean.estimate for mean in means)
    low, high = f"{estimates[0]:.2f}", f"{estimates[-1]:.2f}"
    return low if low == high else f"{low} … {high}"
