"""W19 to W22: how far pruned networks lie from the original, and training from its start."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import FAILS, HOLDS, LETTER, Question, Statement


def representations(own: Evidence) -> Statement | None:
    """Compressed against original, layer by layer."""
    if not own.has("similarity"):
        return None
    similar = own.diagnose.rules.similar
    question = Question(
        "W19",
        "the units that are kept represent nearly what all units did",
        "4.1, (4.1.1): the output is rebuilt from the units that are kept",
        "debiased CKA of every hidden layer's outputs, compressed with original, test inputs; "
        "beside it mean SVCCA correlations",
        f"holds if the interval of every layer lies above {similar:g}; only in the letter if that "
        "of the first layer does",
    )
    layers = range(1, len(own.settings.model.widths) + 1)
    alike = [own.mean(own.column("compressed", "cka", layer)) for layer in layers]
    beside = [own.mean(own.column("compressed", "svcca", layer)) for layer in layers]
    above = [interval.low > similar for interval in alike]
    return question.answered(
        own.variant,
        f"CKA {', '.join(map(str, alike))}; SVCCA {', '.join(map(str, beside))}",
        min(alike, key=lambda interval: interval.estimate),
        HOLDS if all(above) else LETTER if above[0] else FAILS,
    )


def barrier(own: Evidence) -> Statement | None:
    """Whether pruning leaves the original's basin."""
    if not own.has("similarity"):
        return None
    small = own.diagnose.rules.negligible
    question = Question(
        "W20",
        "pruning and fine-tuning move a network to another valley of the loss",
        "002, 1.6.2.3: loss between two points; explains Table 1",
        "barrier of the test loss on the segment from the original weights to the fine-tuned ones, "
        "zeros for removed units, in nats; beside it to the compressed ones",
        f"holds if the interval lies above {small:g}",
    )
    tuned = own.mean(own.column("finetuned", "barrier"))
    at_once = own.mean(own.column("compressed", "barrier"))
    return question.answered(
        own.variant,
        f"fine-tuned {tuned}, compressed {at_once}",
        tuned,
        HOLDS if tuned.low > small else FAILS,
    )


def kernel_drift(own: Evidence) -> Statement | None:
    """Whether training stays in the kernel regime."""
    if not own.has("similarity"):
        return None
    small = own.diagnose.rules.negligible
    question = Question(
        "W21",
        "the tangent kernel “stays stable during training”",
        "002, 1.6.1.7, of networks of very large width; asked of MiniModel's",
        "1 − cosine of the tangent kernel on the training inputs before and after training",
        f"holds if the interval lies below {small:g}: then the network is a kernel machine",
    )
    drift = own.mean(own.column("original", "kernel drift"))
    return question.answered(
        own.variant, f"drift {drift}", drift, HOLDS if drift.high < small else FAILS
    )


def kernel_accuracy(own: Evidence) -> Statement | None:
    """Whether regression with the initial kernel does what the network does."""
    if not own.has("similarity"):
        return None
    small = own.diagnose.rules.negligible
    question = Question(
        "W22",
        "what the network learns is what regression with its tangent kernel learns",
        "002, 1.6.1.7: “to understand deep learning we need to understand kernel learning”",
        "test accuracy of the original network − that of regression with the kernel of its start",
        f"holds if the interval lies within ± {small:g}",
    )
    network = own.column("original", "network accuracy")
    kernel = own.column("original", "kernel accuracy")
    difference = own.mean(network - kernel)
    return question.answered(
        own.variant,
        f"difference {difference}; network {own.mean(network)}, kernel {own.mean(kernel)}",
        difference,
        HOLDS if -small < difference.low and difference.high < small else FAILS,
    )
