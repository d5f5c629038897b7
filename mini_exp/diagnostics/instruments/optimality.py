"""Short experiments on what training finds: global optima, implicit biases, double descent."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.global_optimality import (
    optimum_bound,
    penalised_loss,
    trained_two_layers,
)
from mini_exp.diagnostics.instruments.implicit_bias import (
    learning_times,
    least_squares_path,
    logistic_direction,
    random_feature_errors,
    ridge_path,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.seeds import generator
from mini_exp.spectral import Floats

SLOW = True

WIDTHS = (1, 2, 4, 8, 16, 40)
RUNS, STEPS, PENALTY = 50, 20_000, 0.05
NEAR = 0.01  # of the optimum: as good as there
POINTS = np.stack([np.linspace(-1, 1, 8), np.ones(8)], axis=1)  # a line, and the constant 1
VALUES = np.array([0.0, 1.0, 0.3, -0.5, -0.2, 0.8, 1.0, 0.1])

DRAWS = 20  # of every experiment below
MARGIN_STEPS = (10, 100, 1000, 10_000)
TIMES = tuple(float(t) for t in np.geomspace(1e-3, 1e2, 11))
STRENGTHS = np.array([4.0, 2.0, 1.0, 0.5])
FEATURES = (5, 10, 20, 30, 40, 50, 80, 160, 400)
SAMPLES = 40  # for random features


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; no network of a stage is looked at.

    Rows: ``excess loss`` over width (``at``), the mean over runs of the loss of two-layer networks
    beyond the convex program's optimum, as a share of it, between the best and the worst run, and
    ``optimum gap``, the share between the best loss and the proved bound; ``share at the optimum``
    over width; ``cosine with the largest margin`` over steps; ``distance to the smallest
    solution``; ``risk of early stopping`` over time, as a share of ridge regression's with
    λ = 1/t; ``time to learn`` over the singular value; ``test error of random features`` over
    their number.

    Notes
    -----
    Half a minute, once per process.
    """
    return _rows(stages.settings.seed)


@functools.cache
def _rows(seed: int) -> pd.DataFrame:
    parts = [*_optima(seed), *_margins(seed), _smallest(seed), *_stopping(seed), *_times()]
    return pd.concat([*parts, *_features(seed)], ignore_index=True)


def _optima(seed: int) -> list[pd.DataFrame]:
    losses, bound = {}, 0.0
    for width in WIDTHS:
        rngs = [generator(seed, "two layers", run) for run in range(RUNS)]
        networks = trained_two_layers(POINTS, VALUES, width, PENALTY, STEPS, rngs)
        losses[width] = penalised_loss(POINTS, VALUES, *networks, PENALTY)
        for one in zip(*networks, strict=True):
            bound = max(bound, optimum_bound(POINTS, VALUES, *one, PENALTY))
    best = min(float(loss.min()) for loss in losses.values())
    parts = [measured("", "optimum gap", (best - bound) / bound, RUNS)]
    for width, loss in losses.items():
        excess = (loss - best) / best
        low, high = float(excess.min()), float(excess.max())
        parts += [
            measured("", "excess loss", excess.mean(), RUNS, at=width, lower=low, upper=high),
            measured("", "share at the optimum", (excess < NEAR).mean(), RUNS, at=width),
        ]
    return parts


def _margins(seed: int) -> list[pd.DataFrame]:
    from sklearn.svm import SVC

    cosines = np.empty((DRAWS, len(MARGIN_STEPS)))
    for draw in range(DRAWS):
        rng = generator(seed, "margins", draw)
        x, truth = rng.standard_normal((20, 3)), rng.standard_normal(3)
        y = np.where(x @ truth > 0, 1.0, -1.0)
        x = x + 0.5 * y[:, None] * truth / np.linalg.norm(truth)
        # Mirrored points: the machine's hyperplane goes through 0.
        machine = SVC(kernel="linear", C=1e8).fit(np.vstack([x, -x]), np.concatenate([y, -y]))
        best = machine.coef_[0] / np.linalg.norm(machine.coef_[0])
        cosines[draw] = [logistic_direction(x, y, steps) @ best for steps in MARGIN_STEPS]
    return [
        measured("", "cosine with the largest margin", own.mean(), DRAWS, at=steps, lower=own.min())
        for steps, own in zip(MARGIN_STEPS, cosines.T, strict=True)
    ]


def _smallest(seed: int) -> pd.DataFrame:
    distances = []
    for draw in range(DRAWS):
        rng = generator(seed, "least squares", draw)
        x, y = rng.standard_normal((10, 30)), rng.standard_normal(10)
        smallest = np.linalg.pinv(x) @ y
        end = least_squares_path(x, y, np.array([1e6]), np.zeros(30))[0]
        distances.append(np.linalg.norm(end - smallest) / np.linalg.norm(smallest))
    return measured("", "distance to the smallest solution", max(distances), DRAWS)


def _stopping(seed: int) -> list[pd.DataFrame]:
    times = np.array(TIMES)
    risks: Floats = np.zeros((2, len(times)))
    x = generator(seed, "early stopping").standard_normal((30, 10))
    for draw in range(10 * DRAWS):
        rng = generator(seed, "early stopping", draw + 1)
        truth = rng.standard_normal(10)
        y = x @ truth + 2 * rng.standard_normal(30)
        stopped, shrunk = least_squares_path(x, y, times, np.zeros(10)), ridge_path(x, y, 1 / times)
        risks += [np.square(path - truth).sum(axis=1) for path in (stopped, shrunk)]
    return [
        measured("", "risk of early stopping", share, 10 * DRAWS, at=time)
        for time, share in zip(TIMES, risks[0] / risks[1], strict=True)
    ]


def _times() -> list[pd.DataFrame]:
    reached = learning_times(STRENGTHS, 1e-3, 1e-3, 20_000)
    return [
        measured("", "time to learn", steps, 1, at=strength)
        for strength, steps in zip(STRENGTHS.tolist(), reached, strict=True)
    ]


def _features(seed: int) -> list[pd.DataFrame]:
    errors = np.empty((DRAWS, len(FEATURES)))
    for draw in range(DRAWS):
        rng = generator(seed, "random features", draw)
        x, tested, truth = (rng.standard_normal((n, 5)) for n in (SAMPLES, 500, 1))
        y = x @ truth[0] + 0.5 * rng.standard_normal(SAMPLES)
        errors[draw] = [
            random_feature_errors(x, y, tested, tested @ truth[0], features, rng)
            for features in FEATURES
        ]
    return [
        measured(
            "",
            "test error of random features",
            np.median(own),
            DRAWS,
            at=features,
            lower=float(np.percentile(own, 25)),
            upper=float(np.percentile(own, 75)),
        )
        for features, own in zip(FEATURES, errors.T, strict=True)
    ]
