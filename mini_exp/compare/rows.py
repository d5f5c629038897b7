"""Rows of networks.csv: data, which tables and figures name as they need."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable

import pandas as pd

ORIGINAL, SCRATCH = "original", "from scratch"


@dataclasses.dataclass(frozen=True)
class Row:
    """One network at one stage; accuracies are shares, losses in nats."""

    network: int
    rule: str  # all, keep, parameters, flops
    share: float  # of every group's channels, or of the network's cost
    exact: bool  # the best widths for a budget; else the widest uniform ones
    method: str
    theta: float | None  # of spectral pruning
    weights: str  # reconstruct, slice; empty where a method makes the network itself
    stage: str  # original, pruned, recovered, finetuned
    gap: float | None  # of the best widths for a budget: how far from the best possible
    validation_loss: float
    test_loss: float
    validation_accuracy: float
    test_accuracy: float
    disagreements: int  # validation images that it decides otherwise than the original
    n_validation: int
    parameters: int
    flops: float  # multiply-accumulates per image
    latency_ms: float
    pruning_seconds: float
    recovery_seconds: float | None  # of a recovered network


WIDTHS = ["rule", "share", "exact"]
"""The columns that say which widths."""

OPTIONAL = ["theta", "gap", "recovery_seconds"]
"""Numbers that some rows do not have."""

METHOD = ["method", "theta", "weights"]
"""The columns that say which method."""


def frame_of(rows: Iterable[Row]) -> pd.DataFrame:
    """The rows as a table; what is missing of a number is NaN."""
    names = [field.name for field in dataclasses.fields(Row)]
    frame = pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=names)
    return frame.astype(dict.fromkeys(OPTIONAL, float))


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A table as CSV, floats in the shortest form that reads back to the same bits."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def read_rows(content: bytes) -> pd.DataFrame:
    """Rows as ``frame_of`` gave them."""
    numbers = dict.fromkeys(OPTIONAL, float)
    missing = {column: [""] for column in numbers}  # elsewhere an empty cell is an empty text
    return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=missing, dtype=numbers)
