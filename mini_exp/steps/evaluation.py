"""A row of evaluation.csv."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """Scores of one network on one sample."""

    stage: str  # original, compressed, finetuned
    split: str
    loss: float  # mean cross-entropy, nats
    accuracy: float
    parameters: int
    n: int
