"""C3, C4 and C9: what compression and fine-tuning do to the scores, beside controls."""

from __future__ import annotations

from mini_exp.study.claims.claim import FAILS, HOLDS, LETTER, Claim, ruling
from mini_exp.study.variant_replicates import VariantReplicates

CONTROLS = (
    "original_twice",
    "random_slice_finetuned",
    "random_reconstruct_finetuned",
    "scratch_twice",
)


def c3_compression(own: VariantReplicates) -> Claim:
    """Compressed − original, and what else has as low a loss as the compressed network."""
    change = own.difference("compressed", "original", "loss")
    guess = own.difference("compressed", "constant", "loss")
    random = own.difference("compressed", f"random_{own.settings.compress.weights}", "loss")
    improves = change.high < 0
    as_good = [
        text
        for text, interval in (
            ("always answering the training share", guess),
            ("a random index set, compressed the same way", random),
        )
        if not interval.high < 0
    ]
    return ruling(
        "C3",
        "compressing to (8, 3, 3) improves the test loss at once",
        own.variant,
        f"population loss, compressed − original: {change}; − constant: {guess}; "
        f"− random units: {random}",
        change,
        "interval of compressed − original below 0; only in the letter unless it is also below 0 "
        "against the constant predictor and against random units, compressed the same way",
        (LETTER if as_good else HOLDS) if improves else FAILS,
        f"no better than: {'; '.join(as_good)}" if improves and as_good else "",
    )


def c4_fine_tuning(own: VariantReplicates) -> Claim:
    """Fine-tuned − compressed, beside the same widths trained from scratch."""
    loss = own.difference("finetuned", "compressed", "loss")
    accuracy = own.difference("finetuned", "compressed", "accuracy")
    scratch = own.difference("finetuned", "scratch_twice", "accuracy")
    improves = loss.high < 0 and accuracy.low > 0
    epochs = own.settings.train.epochs + own.settings.finetune.epochs
    return ruling(
        "C4",
        "fine-tuning improves the test loss further, and improves the accuracy",
        own.variant,
        f"population, fine-tuned − compressed: loss {loss}, accuracy {accuracy}; accuracy − the "
        f"same widths from scratch, {epochs} epochs: {scratch}",
        loss,
        "interval of the loss difference below 0 and of the accuracy difference above 0; only in "
        "the letter unless its accuracy also exceeds that of training from scratch",
        (HOLDS if scratch.low > 0 else LETTER) if improves else FAILS,
        "scratch_twice" if improves and not scratch.low > 0 else "",
    )


def c9_conclusion(own: VariantReplicates) -> Claim:
    """Fine-tuned − original, beside every control that had as much training."""
    loss = own.difference("finetuned", "original", "loss")
    accuracy = own.difference("finetuned", "original", "accuracy")
    beside = {name: own.difference("finetuned", name, "accuracy") for name in CONTROLS}
    improves = loss.high < 0 and accuracy.low > 0
    as_good = [name for name, interval in beside.items() if not interval.low > 0]
    return ruling(
        "C9",
        "spectral pruning compresses a network to better test performance",
        own.variant,
        f"population, fine-tuned − original: loss {loss}, accuracy {accuracy}; accuracy − "
        + ", − ".join(f"{name}: {interval}" for name, interval in beside.items()),
        accuracy,
        "interval of the loss difference below 0 and of the accuracy difference above 0; only in "
        f"the letter unless its accuracy also exceeds that of each of {', '.join(CONTROLS)}",
        (LETTER if as_good else HOLDS) if improves else FAILS,
        ", ".join(as_good) if improves else "",
    )
