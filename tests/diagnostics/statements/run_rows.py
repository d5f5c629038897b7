"""Evidence of a run alone, with rows that have bounds."""

import numpy as np
import pandas as pd

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.rows import COLUMNS
from tests.diagnostics.invented import DIAGNOSE, SETTINGS


def of_run(instrument, rows):
    """Evidence of a run alone; rows are (stage, quantity, at, estimate, lower, upper, n)."""
    names = ["stage", "quantity", "at", "estimate", "lower", "upper", "n"]
    run = pd.DataFrame([row + (np.nan,) * (6 - len(row)) + (40,) for row in rows], columns=names)
    run = run.assign(variant="some", replicate=0, instrument=instrument)
    run["layer"] = np.where(run["quantity"] == "bar 1", np.where(run["stage"] == "", 0, 3), 0)
    nothing = pd.DataFrame(columns=[*COLUMNS, "instrument"])
    trials = pd.DataFrame(columns=["variant", "arm", "network", "first_width", "weight_decay"])
    return Evidence("some", SETTINGS, DIAGNOSE, run, nothing, trials.assign(replicate=0))


def over(quantity, values, lower=None, upper=None):
    """Rows of a quantity over at."""
    return [
        ("", quantity, at, value, (lower or values)[at], (upper or values)[at])
        for at, value in values.items()
    ]
