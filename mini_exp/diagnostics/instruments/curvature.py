"""Curvature of the training loss at every stage (text 003, 1.1)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.loss_curvature import hessian_ends, hessian_trace
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages

OVER_REPLICATES = True


def measure(stages: Stages) -> pd.DataFrame:
    """Rows per stage: ``sharpness`` (largest eigenvalue of ∇²), ``beta`` (of |∇²|), ``trace``.

    Notes
    -----
    0.1 s for a run, some 10 ms per replicate and stage.
    """
    x, y = stages.data["train"]
    parts = []
    for stage in STAGES:
        networks = stages.networks[stage]
        smallest, largest = hessian_ends(networks, x, y)
        for quantity, values in (
            ("sharpness", largest),
            ("beta", np.maximum(np.abs(smallest), np.abs(largest))),
            ("trace", hessian_trace(networks, x)),
        ):
            parts.append(measured(stage, quantity, values, x.shape[-2]))
    return pd.concat(parts, ignore_index=True)
