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
STARTS = 100  # of descent at the saddle
RADIUS = 1e-3  # of a perturbation


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; no network is looked at.

    Rows: ``growth per step`` of ‖θ‖ on a quadratic over c (``at``) for steps of c · 2/β: below 1
    it converges; ``steps of the bound`` to ‖∇f‖ ≤ ε (``at``) on 1 − cos θ, as a share
    of 2β (f(θ₀) − min f) / ε²; ``left the saddle``, the share of runs that end at a minimum: plain
    from the saddle's stable line, ``… perturbed`` from there, ``… at random`` plain from elsewhere.

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
    line = np.array([1.0, 0.0])
    plain = [descent(strict_saddle, line, 0.1, STEPS)[-1]]
    rngs = [generator(seed, "saddle", start) for start in range(STARTS)]
    perturbed = [
        perturbed_descent(strict_saddle, line, 0.1, STEPS, RADIUS, rng)[-1] for rng in rngs
    ]
    at_random = [descent(strict_saddle, rng.standard_normal(2), 0.1, STEPS)[-1] for rng in rngs]
    for suffix, ends in (("", plain), (" perturbed", perturbed), (" at random", at_random)):
        parts.append(measured("", f"left the saddle{suffix}", _at_minimum(ends), len(ends)))
    return pd.concat(parts, ignore_index=True)


def _at_minimum(ends: list[Floats]) -> float:
    return float(np.mean([abs(abs(y) - 1) < 10 * RADIUS for _, y in ends]))
