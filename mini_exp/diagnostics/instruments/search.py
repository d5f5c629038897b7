"""Widths for a budget by (4.2.3), against a search by Optuna's TPE and at random (3.5)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.search_spaces import (
    DigitSpace,
    MiniSpace,
    Space,
    within_budget,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.report.intervals import t_interval
from mini_exp.seeds import generator

SLOW = True
PACKAGES = ("optuna",)
BUDGETS = {"MINI": 0.3, "digits": 0.15}  # share of the largest network's parameters
RUNS = {"MINI": 10, "digits": 4}
TRAINED = {"MINI": 12, "digits": 6}  # networks that each method may train
START = 4  # of TPE's trials at random
METHODS = ("spectral", "tpe", "random")


def measure(stages: Stages, confidence: float) -> pd.DataFrame:
    """Of the variant's training on MINI, and on digits, which are the same for every variant.

    Every method trains equally many networks of its own widths within the budget (the spectral one
    first the whole network, whose spectra give the widths, then the rest at these widths, from
    other starts) and keeps the one with the best validation accuracy.

    Rows per data set: ``<data> accuracy of <method>`` on the population, or the test set, mean
    with its t interval over runs; ``<data> spectral − <method>``, paired; ``<data> width <i> of
    <method>``, the mean of what was kept.

    Notes
    -----
    Four minutes per variant for MINI, as much once for digits.
    """
    seed = stages.settings.seed
    digits = _digit_rows(seed, confidence)
    runs = [MiniSpace(stages.settings, run) for run in range(RUNS["MINI"])]
    return pd.concat([_rows("MINI", runs, seed, confidence), digits], ignore_index=True)


@functools.cache
def _digit_rows(seed: int, confidence: float) -> pd.DataFrame:
    runs = [DigitSpace(seed, run) for run in range(RUNS["digits"])]
    return _rows("digits", runs, seed, confidence)


def _rows(data: str, runs: Sequence[Space], seed: int, confidence: float) -> pd.DataFrame:
    judged: dict[str, list[float]] = {method: [] for method in METHODS}
    kept: dict[str, list[tuple[int, ...]]] = {method: [] for method in METHODS}
    for run, space in enumerate(runs):
        budget = int(BUDGETS[data] * space.cost(space.largest))
        for method in METHODS:
            widths, accuracy = best_found(method, space, budget, TRAINED[data], seed + run)
            judged[method].append(accuracy)
            kept[method].append(widths)
    parts = []
    for method in METHODS:
        own, gap = np.array(judged[method]), np.array(judged["spectral"]) - judged[method]
        for name, values in ((f"accuracy of {method}", own), (f"spectral − {method}", gap)):
            seen = t_interval(values, confidence)
            parts.append(
                measured(
                    "",
                    f"{data} {name}",
                    seen.estimate,
                    len(runs),
                    lower=seen.low,
                    upper=seen.high,
                )
            )
        for i, width in enumerate(np.mean(kept[method], axis=0), start=1):
            parts.append(measured("", f"{data} width of {method}", width, len(runs), at=i))
    return pd.concat(parts, ignore_index=True)


def best_found(
    method: str, space: Space, budget: int, trained: int, seed: int
) -> tuple[tuple[int, ...], float]:
    """Widths and judged accuracy of the network that validates best, of so many trained ones."""
    tried: list[tuple[float, float, tuple[int, ...]]] = []

    def score(widths: tuple[int, ...]) -> float:
        validation, judged = space.scored(widths, len(tried) + 1)
        tried.append((validation, judged, widths))
        return validation

    _SEARCHES[method](space, budget, trained, seed, score)
    _, judged, widths = max(tried, key=lambda one: one[0])  # of equal ones the first
    return widths, judged


def _spectral(
    space: Space, budget: int, trained: int, seed: int, score: Callable[[tuple[int, ...]], float]
) -> None:
    widths = space.spectral_widths(budget)
    for _ in range(trained - 1):  # the whole network was trained for the widths
        score(widths)


def _at_random(
    space: Space, budget: int, trained: int, seed: int, score: Callable[[tuple[int, ...]], float]
) -> None:
    rng = generator(seed, "search")
    for _ in range(trained):
        drawn = [int(rng.integers(1, width + 1)) for width in space.largest]
        score(within_budget(drawn, space, budget))


def _tpe(
    space: Space, budget: int, trained: int, seed: int, score: Callable[[tuple[int, ...]], float]
) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=START)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(trained):
        trial = study.ask()
        drawn = [trial.suggest_int(f"w{i}", 1, width) for i, width in enumerate(space.largest)]
        study.tell(trial, score(within_budget(drawn, space, budget)))


_SEARCHES = {"spectral": _spectral, "tpe": _tpe, "random": _at_random}
