"""W1 and W2: over-confidence, and entropy as a promise of generalisation."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import FAILS, HOLDS, LETTER, Question, Statement


def over_confidence(own: Evidence) -> Statement | None:
    """The fall of the loss when units are removed, split in two."""
    if not own.has("confidence"):
        return None
    share = own.diagnose.rules.explained
    question = Question(
        "W1",
        "what compression lowers of the test loss is over-confidence alone",
        "4.3, Table 1: “an immediate improvement to the test loss”",
        "population loss = loss at the best scale of the logits (one number s ≥ 0, fitted on the "
        "population) + over-confidence; compressed − original of each",
        "does not hold unless the interval of the loss's change is below 0; holds if that of the "
        "loss at the best scale is not; only in the letter if both are and over-confidence is at "
        f"least {share:g} of the fall",
        "loss_split",
    )
    loss = own.change("compressed", "original", "loss")
    at_best = own.change("compressed", "original", "loss at best scale")
    over = own.change("compressed", "original", "overconfidence")
    zero = own.mean(own.column("compressed", "scale is 0"))
    if not loss.high < 0:
        verdict = FAILS
    elif not at_best.high < 0:
        verdict = HOLDS
    else:
        verdict = LETTER if over.estimate <= share * loss.estimate else FAILS
    return question.answered(
        own.variant,
        f"loss {loss}, of it over-confidence {over} and loss at the best scale {at_best}; the best "
        f"scale of the compressed network is 0, that is, answering ½ is better, in a share of "
        f"{zero.estimate:.3g}",
        at_best,
        verdict,
        loss,
    )


def entropy(own: Evidence) -> Statement | None:
    """Whether the replicates with the larger entropy generalise better."""
    if not own.has("confidence"):
        return None
    question = Question(
        "W2",
        "the predictor with the larger entropy generalises better",
        "2.2: “the maximum entropy predictor is expected to generalize better”",
        "over replicates of the original network: rank correlation of the mean entropy of its "
        "predictions with its accuracy, and with its loss, on the population",
        "holds if the correlation with the accuracy lies above 0; only in the letter if just that "
        "with the loss lies below 0",
    )
    values = own.column("original", "entropy")
    accuracy = own.correlation(values, own.column("original", "accuracy"))
    loss = own.correlation(values, own.column("original", "loss"))
    return question.answered(
        own.variant,
        f"rank correlation of entropy with accuracy {accuracy}, with loss {loss}",
        accuracy,
        HOLDS if accuracy.low > 0 else LETTER if loss.high < 0 else FAILS,
    )
