"""W15 to W18: the information plane, judged per estimator."""

from __future__ import annotations

import math

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.information import ESTIMATORS
from mini_exp.diagnostics.statements.statement import (
    FAILS,
    HOLDS,
    LETTER,
    Question,
    Statement,
)
from mini_exp.report.intervals import Interval

PHASES = "2.1: “two distinct phases of training in terms of information”"


def drift(own: Evidence) -> Statement | None:
    """Whether information about the label rises."""
    return _phase(
        own,
        Question(
            "W15",
            "training has a drift phase, in which I(T; Y) increases",
            PHASES,
            "rise of I(T; Y) of the last hidden layer, training inputs, from the first epoch to "
            "the last, in nats, by noise of an absolute and of a relative scale and by bins",
            f"holds if all three intervals lie above {own.diagnose.rules.phase:g}; only in the "
            "letter if some do",
            "information",
        ),
        "drift",
    )


def compression(own: Evidence) -> Statement | None:
    """Whether information about the input falls."""
    return _phase(
        own,
        Question(
            "W16",
            "when the training error is small, the representation compresses: I(T; X) falls",
            PHASES,
            "fall of I(T; X) of the last hidden layer, training inputs, from its largest value "
            "over the epochs to the last, in nats, by the same three estimators",
            f"holds if all three intervals lie above {own.diagnose.rules.phase:g}; only in the "
            "letter if some do",
            "information",
        ),
        "compression",
    )


def _phase(own: Evidence, question: Question, quantity: str) -> Statement | None:
    if not own.has("information"):
        return None
    last = len(own.settings.model.widths)
    changes = {
        name: own.mean(own.column("original", f"{quantity} {name}", last)) for name in ESTIMATORS
    }
    return _by_estimators(own, question, changes, own.diagnose.rules.phase)


def saturation(own: Evidence) -> Statement | None:
    """Whether the number says more than how many samples there are."""
    if not own.has("information"):
        return None
    limit = own.diagnose.rules.saturated
    question = Question(
        "W17",
        "I(T; X) of a layer measures how much the layer keeps of its input",
        "2.1, (2.1.3) and (2.1.5)",
        "I(T; X) of the first hidden layer as a share of ln n, n training inputs, original "
        "network; a deterministic network's own is infinite, so that noise or bins decide",
        f"does not hold if the interval of some estimator lies above {limit:g}: it counts samples; "
        "holds if none does",
        "information",
    )
    n = own.settings.data.n_train
    whole = math.log(n) if n > 1 else math.nan  # one input is told from nothing
    shares = {
        name: own.mean(own.column("original", f"input {name}", 1) / whole) for name in ESTIMATORS
    }
    fullest = max(shares.values(), key=lambda share: share.estimate)
    return question.answered(
        own.variant,
        ", ".join(f"{name} {share}" for name, share in shares.items()),
        fullest,
        FAILS if any(share.low > limit for share in shares.values()) else HOLDS,
    )


def explains_accuracy(own: Evidence) -> Statement | None:
    """Whether what the pruned network lost of its input is what it gained in accuracy."""
    if not (own.has("information") and own.has("confidence")):
        return None
    question = Question(
        "W18",
        "the less a representation keeps of its input, the better it generalises",
        "2.1, the trade-off (2.1.5); 004, test regularisation",
        "rank correlation over replicates of I(T; X) of the last hidden layer with the population "
        "accuracy, fine-tuned networks, by the three estimators",
        "holds if all three intervals lie below 0; only in the letter if some do; otherwise the "
        "instrument explains nothing here",
        "information",
    )
    last = len(own.settings.model.widths)
    accuracy = own.column("finetuned", "accuracy")
    correlations = {
        name: own.correlation(own.column("finetuned", f"input {name}", last), accuracy)
        for name in ESTIMATORS
    }
    negated = {
        name: Interval(-seen.estimate, -seen.high, -seen.low) for name, seen in correlations.items()
    }
    below = [seen.low > 0 for seen in negated.values()]
    decisive = correlations["absolute"]
    return question.answered(
        own.variant,
        ", ".join(f"{name} {seen}" for name, seen in correlations.items()),
        decisive,
        HOLDS if all(below) else LETTER if any(below) else FAILS,
    )


def _by_estimators(
    own: Evidence, question: Question, seen: dict[str, Interval], above: float
) -> Statement:
    """Holds if all agree, in the letter if some do; the smallest decides."""
    holds = [interval.low > above for interval in seen.values()]
    return question.answered(
        own.variant,
        ", ".join(f"{name} {interval}" for name, interval in seen.items()),
        min(seen.values(), key=lambda interval: interval.estimate),
        HOLDS if all(holds) else LETTER if any(holds) else FAILS,
    )
