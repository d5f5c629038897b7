"""Rows of replicates whose means are known, for rules and tables."""

import numpy as np
import pandas as pd

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.interventions.trials import COLUMNS as TRIAL_COLUMNS
from mini_exp.diagnostics.rows import COLUMNS
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings

N = 40
NOISE = np.random.default_rng(0).standard_normal(N)
NOISE = (NOISE - NOISE.mean()) / NOISE.std()
DIAGNOSE = Diagnose(first_widths=(1, 8), weight_decay=(1.0,), resamples=200)
SETTINGS = Settings()

INSTRUMENT_OF = {
    "loss": "confidence",
    "loss at best scale": "confidence",
    "overconfidence": "confidence",
    "scale is 0": "confidence",
    "entropy": "confidence",
    "accuracy": "confidence",
    "euler residual": "homogeneity",
    "sign kept": "homogeneity",
    "ceiling": "homogeneity",
    **dict.fromkeys(("cka", "svcca", "barrier", "kernel drift"), "similarity"),
    **dict.fromkeys(("kernel accuracy", "network accuracy"), "similarity"),
    **dict.fromkeys(("loss gap", "error gap", "bound"), "capacity"),
    "sharpness": "curvature",
    **dict.fromkeys(("saturation", "label entropy"), "information"),
    **{
        f"{quantity} {estimator}": "information"
        for quantity in ("input", "label", "drift", "compression")
        for estimator in ("absolute", "relative", "bins")
    },
}


def spread(mean, size=0.01, by=NOISE):
    """Numbers with this mean and standard deviation."""
    return mean + size * by


def measured(columns, n=N):
    """Rows of quantities; keys are (stage, quantity), with at, with at and layer."""
    frames = []
    for (stage, quantity, *rest), estimates in columns.items():
        at, layer = {0: (np.nan, 0), 1: (*rest, 1), 2: tuple(rest)}[len(rest)]
        frames.append(
            pd.DataFrame(
                {
                    "variant": "some",
                    "replicate": np.arange(n),
                    "stage": stage,
                    "layer": layer,
                    "quantity": quantity,
                    "at": at,
                    "estimate": np.broadcast_to(estimates, N)[:n],
                    "lower": np.nan,
                    "upper": np.nan,
                    "n": 100,
                    "instrument": INSTRUMENT_OF.get(quantity, "alignment"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def trial_rows(columns):
    """Rows of interventions; keys are (arm, network, first width, weight decay)."""
    frames = [
        pd.DataFrame(
            {
                "variant": "some",
                "replicate": np.arange(N),
                "arm": arm,
                "network": network,
                "first_width": width,
                "weight_decay": decay,
                "loss": 1.0 - np.asarray(accuracy),
                "accuracy": accuracy,
                "train_loss": spread(0.02 if network == "original" else 0.005, 0.0001),
            }
        )
        for (arm, network, width, decay), accuracy in columns.items()
    ]
    return pd.concat(frames, ignore_index=True)


def evidence(columns=None, trials=None, replicated=True, settings=SETTINGS, diagnose=DIAGNOSE):
    """Of one variant; where it is not replicated, of the run alone."""
    nothing = pd.DataFrame(columns=[*COLUMNS, "instrument"])
    rows = measured(columns) if columns else nothing
    run = measured(columns, 1) if columns else nothing
    made = pd.DataFrame(columns=list(TRIAL_COLUMNS)) if trials is None else trial_rows(trials)
    return Evidence("some", settings, diagnose, run, rows if replicated else nothing, made)
