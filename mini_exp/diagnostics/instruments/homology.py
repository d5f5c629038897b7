"""Persistent homology (2.3) of the data and of every layer's output, by stage."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.persistence import (
    barcodes,
    betti_numbers,
    longest_bars,
    median_distance,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.seeds import generator
from mini_exp.spectral import Floats

SLOW = True  # two seconds, but it needs the extra [topology]
PACKAGES = ("ripser",)
GAUSSIANS = 40
SCALES = (0.25, 0.5, 0.75)  # of the median distance of two samples


def measure(stages: Stages) -> pd.DataFrame:
    """Of the first replicate's training inputs; layer 0, stage empty, is the data itself.

    Rows: ``betti 0`` and ``betti 1`` at scales (``at``) that are shares of the layer's median
    distance; ``bar 1``, the longest bar of dimension 1 over that distance; all also per class,
    ``betti 0 class 0`` …, for a network's support is of one class. ``bar 1 of a Gaussian`` is the
    mean, between its 5th and 95th percentile, of ``GAUSSIANS`` samples of the same size with the
    data's mean and covariance: what noise without topology has.

    Notes
    -----
    A second for a run. In float32, as ripser works.
    """
    x, y = (part[0] for part in stages.data["train"])
    parts = [_rows("", 0, x, y), _gaussian(stages.settings.seed, x)]
    for stage in STAGES:
        for layer, outputs in enumerate(stages.hidden_outputs(stage, "train"), start=1):
            parts.append(_rows(stage, layer, outputs[0], y))
    return pd.concat(parts, ignore_index=True)


def _gaussian(seed: int, x: Floats) -> pd.DataFrame:
    mean, root = x.mean(axis=0), np.linalg.cholesky(np.cov(x.T))
    longest = []
    for draw in range(GAUSSIANS):
        normal = generator(seed, "topology", draw).standard_normal(x.shape)
        points = mean + normal @ root.T
        longest.append(longest_bars(barcodes(points / median_distance(points))[1], 1)[0])
    low, high = np.percentile(longest, [5, 95])
    return measured(
        "", "bar 1 of a Gaussian", np.mean(longest), len(x), lower=float(low), upper=float(high)
    )


def _rows(stage: str, layer: int, points: Floats, y: Floats) -> pd.DataFrame:
    sets = {"": points, **{f" class {label}": points[y == label] for label in (0, 1)}}
    parts = []
    for suffix, own in sets.items():
        unit = median_distance(own) if len(own) > 1 else 0.0
        if unit == 0:  # dead units: all outputs are one point
            parts.append(measured(stage, f"betti 0{suffix}", 1.0, len(own), layer=layer))
            continue
        bars = barcodes(own / unit)
        length = float(longest_bars(bars[1], 1)[0])
        parts.append(measured(stage, f"bar 1{suffix}", length, len(own), layer=layer))
        for scale in SCALES:
            for k, betti in enumerate(betti_numbers(bars, scale)):
                quantity = f"betti {k}{suffix}"
                parts.append(measured(stage, quantity, betti, len(own), layer=layer, at=scale))
    return pd.concat(parts, ignore_index=True)
