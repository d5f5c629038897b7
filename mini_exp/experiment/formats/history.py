"""Scores after every epoch, as CSV."""

from __future__ import annotations

import pandas as pd

from mini_exp.experiment.formats import table
from mini_exp.tasks.task import History


def to_bytes(history: History) -> bytes:
    epochs = range(1, len(next(iter(history.values()))) + 1)
    return table.to_bytes(pd.DataFrame({"epoch": epochs, **history}))


def from_bytes(content: bytes) -> History:
    frame = table.from_bytes(content).set_index("epoch").astype(float)
    return {str(name): frame[name].to_numpy() for name in frame.columns}
