"""What the text says about learnability, on classes small enough to be enumerated (1.4, 3.1)."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.hypothesis_classes import (
    intervals,
    parities,
    singletons,
    thresholds,
)
from mini_exp.diagnostics.instruments.memorisation import interpolating_network
from mini_exp.diagnostics.instruments.mixing import LARGEST, mixing_bounds, smallest_mixing
from mini_exp.diagnostics.instruments.no_free_lunch import (
    best_of_all_learners,
    least_worst_loss,
    loss_table,
    majority_elsewhere,
    nearest_neighbour,
    zeros_elsewhere,
)
from mini_exp.diagnostics.instruments.shattering import samples_needed, vc_dimension
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.seeds import generator

CLASSES = {
    "thresholds": [thresholds(n) for n in (4, 8, 16, 64, 256)],
    "singletons": [singletons(n) for n in (4, 8, 16, 64, 256)],
    "intervals": [intervals(n) for n in (4, 8, 16, 24)],
    "parities": [parities(bits) for bits in (2, 3, 4, 6, 8)],
}
SHATTERED = {
    "thresholds": thresholds(12),
    "singletons": singletons(12),
    "intervals": intervals(12),
    "parities": parities(4),
}
LEARNERS = {
    "zeros": zeros_elsewhere,
    "majority": majority_elsewhere,
    "nearest": nearest_neighbour,
}
DIMENSIONS = (1, 2, 4, 8, 16, 32)
LOSS = 0.1  # to be reached, by the learner on shattered points
SAMPLES, FEATURES, DRAWS = 100, 30, 20  # of the labels that two layers have to fit


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; no network is looked at.

    Rows: ``mixing complexity of <class>`` over |H| (``at``), between its bounds, which are equal
    where all subsets were seen; ``VC dimension of <class>``; ``samples needed`` over the VC
    dimension; ``best learner`` (m = 1, all learners), ``least worst loss``, ``mean loss of
    <learner>`` and ``worst loss of <learner>`` over m; ``others learned better``, the share of
    functions outside a class on which a learner made for the class still beats guessing;
    ``residual of two layers``, the largest |f(x) − y| for random labels, over their number of
    weights.

    Notes
    -----
    A second or two, once per process.
    """
    return _rows(stages.settings.seed)


@functools.cache
def _rows(seed: int) -> pd.DataFrame:
    return pd.concat(
        [*_mixing(), *_samples(), *_no_free_lunch(), _two_layers(seed)], ignore_index=True
    )


def _mixing() -> list[pd.DataFrame]:
    parts = []
    for name, members in CLASSES.items():
        for incidence in members:
            seen = smallest_mixing if min(incidence.shape) <= LARGEST else mixing_bounds
            low, high = seen(incidence).complexity
            hypotheses, points = incidence.shape
            parts.append(
                measured(
                    "",
                    f"mixing complexity of {name}",
                    (low + high) / 2,
                    points,
                    at=hypotheses,
                    lower=low,
                    upper=high,
                )
            )
    return parts


def _samples() -> list[pd.DataFrame]:
    dimensions = [
        measured("", f"VC dimension of {name}", vc_dimension(incidence), incidence.shape[1])
        for name, incidence in SHATTERED.items()
    ]
    return dimensions + [
        measured("", "samples needed", samples_needed(d, LOSS), d, at=d) for d in DIMENSIONS
    ]


def _no_free_lunch() -> list[pd.DataFrame]:
    parts = [measured("", "best learner", best_of_all_learners(), 2)]
    for m in (1, 2, 3):
        parts.append(measured("", "least worst loss", least_worst_loss(m), 2 * m, at=m))
        for name, learner in LEARNERS.items():
            of_each = loss_table(learner, m).mean(axis=1)
            parts.append(measured("", f"mean loss of {name}", of_each.mean(), 2 * m, at=m))
            parts.append(measured("", f"worst loss of {name}", of_each.max(), 2 * m, at=m))
    zeros = loss_table(zeros_elsewhere, 2).mean(axis=1)
    others = np.delete(zeros, zeros.argmin())  # the class is the constant 0, learned without loss
    better = (others < least_worst_loss(2) - 1e-12).mean()  # that much below is rounding
    return [*parts, measured("", "others learned better", better, len(others))]


def _two_layers(seed: int) -> pd.DataFrame:
    residuals = []
    for draw in range(DRAWS):
        rng = generator(seed, "random labels", draw)
        x, y = rng.standard_normal((SAMPLES, FEATURES)), rng.integers(0, 2, SAMPLES).astype(float)
        network = interpolating_network(x, y, rng)
        residuals.append(float(np.abs(network(x) - y).max()))
    worst = max(residuals)
    return measured("", "residual of two layers", worst, SAMPLES, at=network.n_weights)
