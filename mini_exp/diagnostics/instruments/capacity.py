"""The gap between test and training loss beside √(N / m) (text 003, 1.2)."""

from __future__ import annotations

import pandas as pd

from mini_exp.diagnostics.instruments.memorisation import capacity_bound
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.tasks.mini.training import scores

OVER_REPLICATES = True


def measure(stages: Stages) -> pd.DataFrame:
    """Rows per stage, on the population against the training set.

    ``loss gap`` and ``error gap`` (of the accuracy, negated), and ``bound`` √(N / m) with the
    number of parameters N for the effective capacity, which the text does not define.

    Notes
    -----
    A tenth of a second.
    """
    train, population = stages.data["train"], stages.data["population"]
    m = train[0].shape[-2]
    parts = []
    for stage in STAGES:
        networks = stages.networks[stage]
        (loss, accuracy), (all_loss, all_accuracy) = (
            scores(networks, *split) for split in (train, population)
        )
        bound = capacity_bound(networks.n_parameters, m)
        parts += [
            measured(stage, "loss gap", all_loss - loss, m),
            measured(stage, "error gap", accuracy - all_accuracy, m),
            measured(stage, "bound", [bound] * len(loss), m),
        ]
    return pd.concat(parts, ignore_index=True)
