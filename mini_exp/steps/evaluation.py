"""A row of evaluation.csv."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """Scores of one network on one sample."""

    stage: str  # original, compressed, finetuned
    split: str
    loss: float  # mean cross-entropy, nats; of real values mean squared error; NaN without labels
    accuracy: float  # NaN where there are no classes
    parameters: int
    n: int
    divergence: float | None = None  # from the original's outputs: mean KL (nats) or squared error
    agreement: float | None = None  # share whose largest output is the original's; NaN of values
