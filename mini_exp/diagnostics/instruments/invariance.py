"""Convolutions against full connections under shifts and deformations of digits (004)."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch
from torch import nn

from mini_exp.diagnostics.instruments.deformations import (
    deformed,
    equivariance_error,
    relative_change,
    shifted,
)
from mini_exp.diagnostics.instruments.digit_training import accuracy, digit_tensors, trained
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.seeds import generator
from mini_exp.tasks.images.networks import digits_cnn

SLOW = True
SEEDS, EPOCHS = 6, 12
HIDDEN = 128  # of the fully connected network: about as many parameters as the other's
DEFORMATION = 0.7  # pixels, root mean square


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; digits, no network of a stage is looked at.

    Rows, means over seeds between the least and the most, per kind of network: ``change by a shift
    of <kind>`` and ``change by a deformation of <kind>`` of the logits, ``accuracy of <kind>``,
    and ``accuracy when shifted of <kind>``; ``more stable``, the share of seeds in which the
    convolutions change less, by shifts; ``equivariance error of a convolution``, of its first
    layer, borders included.

    Notes
    -----
    A minute, once per process.
    """
    return _rows(stages.settings.seed)


@functools.cache
def _rows(seed: int) -> pd.DataFrame:
    seen: dict[str, list[float]] = {}
    for draw in range(SEEDS):
        for name, value in _one(seed, draw).items():
            seen.setdefault(name, []).append(value)
    convolutional, full = (
        np.array(seen[f"change by a shift of {kind}"]) for kind in ("convolutions", "connections")
    )
    parts = [measured("", "more stable", (convolutional < full).mean(), SEEDS)]
    for name, values in seen.items():
        low, high = min(values), max(values)
        parts.append(measured("", name, np.mean(values), SEEDS, lower=low, upper=high))
    return pd.concat(parts, ignore_index=True)


def _one(seed: int, draw: int) -> dict[str, float]:
    rng = generator(seed, "deformations", draw)
    train, (x, y) = digit_tensors(rng)
    start = int(rng.integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(start)
        networks = {
            "convolutions": digits_cnn((0.0, 0.0, 0.0)),
            "connections": nn.Sequential(
                nn.Flatten(),
                nn.Linear(64, HIDDEN),
                nn.ReLU(),
                nn.Linear(HIDDEN, HIDDEN),
                nn.ReLU(),
                nn.Linear(HIDDEN, 10),
            ),
        }
    moved = shifted(x, 0, 1)
    bent = deformed(x, DEFORMATION, torch.Generator().manual_seed(start))
    values: dict[str, float] = {}
    for kind, network in networks.items():
        trained(network, train, EPOCHS, start)
        values |= {
            f"change by a shift of {kind}": relative_change(network, x, moved),
            f"change by a deformation of {kind}": relative_change(network, x, bent),
            f"accuracy of {kind}": accuracy(network, (x, y)),
            f"accuracy when shifted of {kind}": accuracy(network, (moved, y)),
        }
    first = networks["convolutions"].get_submodule("conv1")
    values["equivariance error of a convolution"] = equivariance_error(first, x, 0, 1)
    return values
