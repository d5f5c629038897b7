"""Persistent homology (2.3) of the data and of every layer's output, by stage."""

from __future__ import annotations

import pandas as pd

from mini_exp.diagnostics.instruments.persistence import (
    barcodes,
    betti_numbers,
    longest_bars,
    median_distance,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.spectral import Floats

PACKAGES = ("ripser",)
SCALES = (0.25, 0.5, 0.75)  # of the median distance of two samples


def measure(stages: Stages) -> pd.DataFrame:
    """Of the first replicate's training inputs; layer 0, stage empty, is the data itself.

    Rows: ``betti_0`` and ``betti_1`` at scales (``at``) that are shares of the layer's median
    distance; ``bar_1``, the longest bar of dimension 1 over that distance; all also per class,
    ``betti_0_class_0`` …, for a network's support is of one class.

    Notes
    -----
    A second for a run. In float32, as ripser works.
    """
    x, y = (part[0] for part in stages.data["train"])
    parts = [_rows("", 0, x, y)]
    for stage in STAGES:
        for layer, outputs in enumerate(stages.hidden_outputs(stage, "train"), start=1):
            parts.append(_rows(stage, layer, outputs[0], y))
    return pd.concat(parts, ignore_index=True)


def _rows(stage: str, layer: int, points: Floats, y: Floats) -> pd.DataFrame:
    sets = {"": points, **{f"_class_{label}": points[y == label] for label in (0, 1)}}
    parts = []
    for suffix, own in sets.items():
        unit = median_distance(own) if len(own) > 1 else 0.0
        if unit == 0:  # dead units: all outputs are one point
            parts.append(measured(stage, f"betti_0{suffix}", 1.0, len(own), layer=layer))
            continue
        bars = barcodes(own / unit)
        length = float(longest_bars(bars[1], 1)[0])
        parts.append(measured(stage, f"bar_1{suffix}", length, len(own), layer=layer))
        for scale in SCALES:
            for k, betti in enumerate(betti_numbers(bars, scale)):
                quantity = f"betti_{k}{suffix}"
                parts.append(measured(stage, quantity, betti, len(own), layer=layer, at=scale))
    return pd.concat(parts, ignore_index=True)
