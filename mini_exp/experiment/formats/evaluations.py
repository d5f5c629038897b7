"""Scores of every stage on every split, as CSV."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mini_exp.experiment.formats import table
from mini_exp.steps.evaluation import Evaluation

NUMBERS = {"loss": float, "accuracy": float, "parameters": int, "n": int}


def to_bytes(evaluations: Sequence[Evaluation]) -> bytes:
    return table.to_bytes(pd.DataFrame([dataclasses.asdict(row) for row in evaluations]))


def from_bytes(content: bytes) -> list[Evaluation]:
    frame = table.from_bytes(content).astype(NUMBERS)
    rows: list[dict[Any, Any]] = frame.to_dict(orient="records")
    return [Evaluation(**row) for row in rows]
