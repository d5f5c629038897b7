"""Scores of every stage on every split, as CSV."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mini_exp.experiment.formats import table
from mini_exp.steps.evaluation import Evaluation

NUMBERS = {"loss": float, "accuracy": float, "parameters": int, "n": int}
FIDELITY = ("divergence", "agreement")  # columns of experiments that compare with the original


def to_bytes(evaluations: Sequence[Evaluation]) -> bytes:
    frame = pd.DataFrame([dataclasses.asdict(row) for row in evaluations])
    absent = [name for name in FIDELITY if all(getattr(row, name) is None for row in evaluations)]
    return table.to_bytes(frame.drop(columns=absent))


def from_bytes(content: bytes) -> list[Evaluation]:
    frame = table.from_bytes(content)
    frame = frame.astype(NUMBERS | {name: float for name in FIDELITY if name in frame})
    rows: list[dict[Any, Any]] = frame.to_dict(orient="records")
    return [Evaluation(**row) for row in rows]
