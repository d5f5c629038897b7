"""Does a network learn the holes of its data (2.3)? A ring and discs in the plane, over width."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from mini_exp.diagnostics.instruments.persistence import largest_betti_number, support_homology
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.seeds import generator
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.training import sample_orders, scores, training_epochs

SLOW = True
WIDTHS = (3, 4, 6, 8, 16, 32)
RUNS, POINTS, EPOCHS, BATCH, RATE = 40, 400, 600, 50, 0.02
SIDE = 61  # pixels of the grid on which the support is looked at


def ring(x: Floats) -> Floats:
    """1 between the radii 0.8 and 1.6: β₀ = 1, β₁ = 1.

    Examples
    --------
    >>> ring(np.array([[0.0, 0.0], [1.0, 0.0], [1.7, 0.0]])).tolist()
    [0.0, 1.0, 0.0]
    """
    radius = np.linalg.norm(x, axis=-1)
    return np.asarray((radius > 0.8) & (radius < 1.6), dtype=np.float64)


def two_discs(x: Floats) -> Floats:
    """1 within 0.6 of (±0.9, 0): β₀ = 2, β₁ = 0.

    Examples
    --------
    >>> two_discs(np.array([[0.9, 0.0], [0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    centres = np.array([[-0.9, 0.0], [0.9, 0.0]])
    distance = np.linalg.norm(x[..., None, :] - centres, axis=-1).min(axis=-1)
    return np.asarray(distance < 0.6, dtype=np.float64)


SHAPES: dict[str, tuple[Callable[[Floats], Floats], tuple[int, int]]] = {
    "ring": (ring, (1, 1)),
    "two discs": (two_discs, (2, 0)),
}
"""By name: the label of a point, and H(T) = (β₀, β₁)."""


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; networks with one hidden layer and biases are trained.

    Rows per shape, over width (``at``): ``support of the <shape>``, the share of runs whose support
    homology is that of the data; ``accuracy on the <shape>``, mean between the least and the most;
    ``fewest units for the <shape>``, what the theory asks: 3, since the support is bounded, and as
    many lines as make enough regions of the plane.

    Notes
    -----
    A minute and a half, once per process.
    """
    return _rows(stages.settings.seed)


@functools.cache
def _rows(seed: int) -> pd.DataFrame:
    axis = np.linspace(-2, 2, SIDE)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    parts = []
    for name, (label, expected) in SHAPES.items():
        fewest = next(h for h in range(3, 99) if largest_betti_number(h) >= max(expected))
        parts.append(measured("", f"fewest units for the {name}", fewest, 0))
        for width in WIDTHS:
            networks = trained_on(label, width, seed)
            with torch.no_grad():
                supports = (networks(torch.from_numpy(grid))[..., 0] > 0).numpy()
            learned = [support_homology(s.reshape(SIDE, SIDE)) == expected for s in supports]
            accuracy = scores(networks, grid, label(grid))[1]
            low, high = float(accuracy.min()), float(accuracy.max())
            parts += [
                measured("", f"support of the {name}", np.mean(learned), RUNS, at=width),
                measured(
                    "",
                    f"accuracy on the {name}",
                    accuracy.mean(),
                    len(grid),
                    at=width,
                    lower=low,
                    upper=high,
                ),
            ]
    return pd.concat(parts, ignore_index=True)


def trained_on(label: Callable[[Floats], Floats], width: int, seed: int) -> MiniModel:
    """``RUNS`` networks 2 → width → 1 with biases, after ``EPOCHS`` epochs on uniform points."""
    rngs = [generator(seed, "shapes", run) for run in range(RUNS)]
    x = np.stack([rng.uniform(-2, 2, (POINTS, 2)) for rng in rngs])
    start = initial_stack((2, width, 1), True, rngs)
    orders = sample_orders(rngs, EPOCHS, POINTS)
    *_, trained = training_epochs(start, x, label(x), orders, BATCH, RATE)
    return trained
