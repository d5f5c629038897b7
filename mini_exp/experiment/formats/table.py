"""CSV: floats in the shortest form that reads back to the same bits."""

from __future__ import annotations

import io

import pandas as pd


def to_bytes(frame: pd.DataFrame) -> bytes:
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode()


def from_bytes(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content))
