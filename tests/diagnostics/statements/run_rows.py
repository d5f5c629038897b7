"""Evidence of a run alone, with rows that have bounds."""

import numpy as np
import pandas as pd

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.rows import COLUMNS
from tests.diagnostics.invented import DIAGNOSE, SETTINGS


def of_run(instrument, rows):
    """Evidence of a run alone; rows are (stage, quantity, at, estimate, lower, upper)."""
    layers = [3 if row[1] == "bar 1" and row[0] else 0 for row in rows]
    return of_layers(
        instrument,
        [
            (row[0], layer, *row[1:], *(np.nan,) * (6 - len(row)))
            for row, layer in zip(rows, layers, strict=True)
        ],
    )


def of_layers(instrument, rows):
    """The same; rows are (stage, layer, quantity, at, estimate, lower, upper)."""
    names = ["stage", "layer", "quantity", "at", "estimate", "lower", "upper"]
    run = pd.DataFrame(rows, columns=names)
    run = run.assign(variant="some", replicate=0, n=40, instrument=instrument)
    nothing = pd.DataFrame(columns=[*COLUMNS, "instrument"])
    trials = pd.DataFrame(columns=["variant", "arm", "network", "first_width", "weight_decay"])
    return Evidence("some", SETTINGS, DIAGNOSE, run, nothing, trials.assign(replicate=0))


def over(quantity, values, lower=None, upper=None):
    """Rows of a quantity over at."""
    return [
        ("", quantity, at, value, (lower or values)[at], (upper or values)[at])
        for at, value in values.items()
    ]
