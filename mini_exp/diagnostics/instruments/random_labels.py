"""How long a MiniModel needs to fit labels that mean nothing (003, 1.2)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.memorisation import epochs_to_fit, randomised_labels
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.seeds import generator
from mini_exp.tasks.mini.data import DIMENSION
from mini_exp.tasks.mini.network import initial_stack
from mini_exp.tasks.mini.training import sample_orders

SLOW = True
SHARES = (0.0, 0.5, 1.0)  # of the labels that are fair coins
RUNS = 10
EPOCHS = 3000


def measure(stages: Stages) -> pd.DataFrame:
    """New networks of the original's widths on the run's training inputs.

    Rows over the share of random labels (``at``): ``share that fits`` of ``RUNS`` networks within
    ``EPOCHS`` epochs, and ``epochs to fit``, the median, empty where fewer than half fit.

    Notes
    -----
    Half a minute per variant.
    """
    settings = stages.settings
    x, y = (part[0] for part in stages.data["train"])
    inputs = np.broadcast_to(x, (RUNS, *x.shape)).copy()
    parts = []
    for share in SHARES:
        rngs = [generator(settings.seed, "random labels", run) for run in range(RUNS)]
        labels = np.stack([randomised_labels(y, share, rng) for rng in rngs])
        widths = (DIMENSION, *settings.model.widths, 1)
        start = initial_stack(widths, settings.model.bias, rngs)
        orders = sample_orders(rngs, EPOCHS, len(x))
        how = settings.train
        epochs = epochs_to_fit(start, inputs, labels, orders, how.batch_size, how.learning_rate)
        median = float(np.median(epochs))
        median = median if math.isfinite(median) else float("nan")
        parts += [
            measured("", "share that fits", np.isfinite(epochs).mean(), RUNS, at=share),
            measured("", "epochs to fit", median, RUNS, at=share),
        ]
    return pd.concat(parts, ignore_index=True)
