"""Gradient descent where the answer is known: step sizes, its rate, saddle points (003, 1.1)."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.gradient_descent import (
    descent,
    perturbed_descent,
    steps_to_a_critical_point,
    strict_saddle,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.seeds import generator
from mini_exp.spectral import Floats

EIGENVALUES = np.array([0.5, 2.0, 8.0])  # of the quadratic
SHARES = (0.5, 0.9, 0.99, 1.01, 1.1, 1.5)  # c of the step c · 2/β
EPSILONS = (0.1, 0.01, 0.001)
QUADRATIC_STEPS = 400
STEPS = 2000
DIMENSIONS = (2, 10, 50)  # of the saddles
RATIOS = (0.1, 0.3, 1.0)  # of their negative curvature and the positive one
STARTS = 10  # at each
RADIUS = 1e-3  # of a perturbation
RATE = 0.1


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; no network is looked at.

    Rows: ``growth per step`` of ‖θ‖ on a quadratic over c (``at``) for steps of c · 2/β: below 1
    it converges; ``steps of the bound`` to ‖∇f‖ ≤ ε (``at``) on 1 − cos θ, as a share
    of 2β (f(θ₀) − min f) / ε²; for saddles of several dimensions, over the ratio of their
    curvatures (``at``), ``left the saddle in … dimensions``, the share of runs that end at a
    minimum: ``plain`` descent from the saddle's stable set, ``perturbed`` from there, and plain
    from points ``at random``; and ``steps to leave in … dimensions``, the median that perturbed
    descent takes to get halfway out.

    Notes
    -----
    Two seconds, once per process.
    """
    return _rows(stages.settings.seed)


@functools.cache
def _rows(seed: int) -> pd.DataFrame:
    parts = []
    for c in SHARES:
        step = c * 2 / EIGENVALUES.max()
        path = descent(lambda theta: EIGENVALUES * theta, np.ones(3), step, QUADRATIC_STEPS)
        growth = np.linalg.norm(path[-1]) / np.linalg.norm(path[0])
        parts.append(measured("", "growth per step", growth ** (1 / QUADRATIC_STEPS), 1, at=c))
    path = descent(np.sin, np.array([3.0]), 1.0, STEPS)
    for epsilon in EPSILONS:
        share = steps_to_a_critical_point(path, np.sin, epsilon) * epsilon**2 / (2 * 1.0 * 2)
        parts.append(measured("", "steps of the bound", share, 1, at=epsilon))
    for dimension in DIMENSIONS:
        for ratio in RATIOS:
            parts += _at_a_saddle(dimension, ratio, seed)
    return pd.concat(parts, ignore_index=True)


def _at_a_saddle(dimension: int, ratio: float, seed: int) -> list[pd.DataFrame]:
    """From its stable set, plain and perturbed, and plain from random points."""
    gradient = functools.partial(strict_saddle, ratio=ratio)
    stable = np.append(np.full(dimension - 1, (dimension - 1) ** -0.5), 0.0)
    rngs = [generator(seed, "saddle", start) for start in range(STARTS)]
    at_random = np.stack([rng.standard_normal(dimension) for rng in rngs])
    perturbed = np.stack(
        [perturbed_descent(gradient, stable, RATE, STEPS, RADIUS, rng) for rng in rngs], axis=1
    )
    paths = {
        "plain": descent(gradient, stable[None], RATE, STEPS),
        "perturbed": perturbed,
        "at random": descent(gradient, at_random, RATE, STEPS),
    }
    rows = [
        measured(
            "",
            f"left the saddle in {dimension} dimensions {name}",
            _at_minimum(path),
            path.shape[1],
            at=ratio,
        )
        for name, path in paths.items()
    ]
    out = np.abs(perturbed[..., -1]) > 0.5
    steps = np.where(out.any(axis=0), out.argmax(axis=0), np.inf)
    rows.append(
        measured(
            "", f"steps to leave in {dimension} dimensions", np.median(steps), STARTS, at=ratio
        )
    )
    return rows


def _at_minimum(paths: Floats) -> float:
    """The share of paths (steps + 1, n, d) that end beside one."""
    return float(np.mean(np.abs(np.abs(paths[-1, :, -1]) - 1) < 10 * RADIUS))
