"""Information plane (2.1): I(T; X) and I(T; Y) of every layer, by three estimators side by side."""

from __future__ import annotations

import itertools
import math
from typing import Protocol

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.binned_information import binned_information
from mini_exp.diagnostics.instruments.mutual_information import Information
from mini_exp.diagnostics.instruments.noisy_information import noisy_information, relative_scale
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages, layer_outputs
from mini_exp.spectral import Floats

OVER_REPLICATES = True
ESTIMATORS = ("absolute", "relative", "bins")
EPOCHS = 16  # at which the plane is drawn, as good as equally spaced in the logarithm


class Scales(Protocol):
    """``diagnose.noise``."""

    absolute: float
    relative: float


def measure(stages: Stages, noise: Scales, bins: int) -> pd.DataFrame:
    """Information on the training inputs, per stage, and over the epochs of the first training.

    Rows: ``input <estimator>`` and ``label <estimator>`` in nats per hidden layer, with the bounds
    of the estimator (those of bins are exact) and their middle; in a run also with the epoch in
    ``at``. ``drift <estimator>`` is the rise of the label's from the first epoch to the last,
    ``compression <estimator>`` the fall of the input's from its largest value to the last.
    ``saturation`` is ln n, ``label entropy`` is H(Y): what no estimate exceeds.

    Notes
    -----
    A second for a run, 0.1 s per replicate.
    """
    labels = stages.labels("train")
    n = labels.shape[-1]
    parts = [
        measured("", "saturation", np.full(len(labels), math.log(n)), n),
        measured("", "label entropy", _entropy(labels), n),
    ]
    for stage in STAGES:
        parts += _rows(stage, stages.hidden_outputs(stage, "train"), labels, noise, bins)
    epochs = plane_epochs(stages.settings.train.epochs)
    plane = []
    for epoch, networks in zip(epochs, stages.during("original", epochs), strict=True):
        outputs = layer_outputs(networks, stages.data["train"][0])
        plane += _rows("original", outputs, labels, noise, bins, at=epoch)
    curves = pd.concat(plane, ignore_index=True)
    if stages.n_replicates == 1:
        parts.append(curves)
    return pd.concat([*parts, *_phases(curves, n)], ignore_index=True)


def _phases(curves: pd.DataFrame, n: int) -> list[pd.DataFrame]:
    """Drift and compression, per estimator and layer."""
    parts = []
    for layer, quantity in itertools.product(
        curves["layer"].unique().tolist(), curves["quantity"].unique().tolist()
    ):
        rows = curves[(curves["layer"] == layer) & (curves["quantity"] == quantity)]
        values = rows.pivot_table(index="at", columns="replicate", values="estimate").to_numpy()
        about, estimator = quantity.split(" ")
        name, change = ("drift", values[-1] - values[0])
        if about == "input":
            name, change = ("compression", values.max(axis=0) - values[-1])
        parts.append(measured("original", f"{name} {estimator}", change, n, layer=layer))
    return parts


def plane_epochs(last: int) -> list[int]:
    """Epochs 1 … last, ``EPOCHS`` of them or fewer, spaced by equal factors.

    Examples
    --------
    >>> plane_epochs(200)[:6], plane_epochs(200)[-1]
    ([1, 2, 3, 4, 6, 8], 200)
    """
    spaced = np.geomspace(1, last, EPOCHS).round().astype(int)
    return sorted({int(epoch) for epoch in spaced})


def _rows(
    stage: str,
    outputs: list[Floats],
    labels: Floats,
    noise: Scales,
    bins: int,
    at: float = float("nan"),
) -> list[pd.DataFrame]:
    n = labels.shape[-1]
    parts = []
    for layer, output in enumerate(outputs, start=1):
        seen = {
            "absolute": noisy_information(output, labels, noise.absolute),
            "relative": noisy_information(output, labels, relative_scale(output, noise.relative)),
            "bins": binned_information(output, labels, bins),
        }
        for estimator, information in seen.items():
            for quantity, low, high in _bounds(information):
                parts.append(
                    measured(
                        stage,
                        f"{quantity} {estimator}",
                        (low + high) / 2,
                        n,
                        layer=layer,
                        at=at,
                        lower=low,
                        upper=high,
                    )
                )
    return parts


def _bounds(information: Information) -> list[tuple[str, Floats, Floats]]:
    return [
        ("input", information.input_low, information.input_high),
        ("label", information.label_low, information.label_high),
    ]


def _entropy(labels: Floats) -> Floats:
    from scipy.special import entr

    share = labels.mean(-1)
    return np.asarray(entr(share) + entr(1 - share))
