"""Artifacts of many shapes, of random numbers, for the report's figures and texts."""

from __future__ import annotations

import numpy as np

from mini_exp.pruning.flattened import CalibrationMoments
from mini_exp.pruning.graph import Group
from mini_exp.pruning.recipe import GroupMoments
from mini_exp.pruning.selection import GroupPath, Selection, first_channels
from mini_exp.spectral.published import STARTING_P
from mini_exp.spectral.width_path import WidthPath
from mini_exp.steps.evaluation import Evaluation
from mini_exp.steps.record import StepRecord
from mini_exp.tasks.task import History, Samples

MINI_MODEL = (16, 12, 10)
DEEP = (16, 12, 10, 9, 8, 7, 6)
STAGES = ("original", "compressed", "finetuned")


def width_path(n_rho=91, widths=MINI_MODEL, lambda_=None, start=0.01) -> WidthPath:
    """With one ρ, in the middle, at which the solver stayed at its start."""
    rng = np.random.default_rng(n_rho)
    shape = (n_rho, len(widths))
    lambdas = np.full(shape, lambda_) if lambda_ is not None else 10 ** rng.normal(0, 2, shape)
    lambdas[n_rho // 2] = STARTING_P**2
    return WidthPath(
        rho=np.linspace(start, 10 * start, n_rho) if n_rho > 1 else np.array([start]),
        lambda_=lambdas,
        degrees_of_freedom=rng.uniform(1, widths, shape),
        width=rng.integers(1, np.array(widths), shape, endpoint=True),
        objective=rng.random(n_rho),
        converged=rng.random(n_rho) < 0.5,
    )


def samples(n_train=100, n_test=99, scale=1.0) -> Samples:
    rng = np.random.default_rng(1)
    inputs = {"train": rng.normal(size=(n_train, 30)), "test": rng.normal(size=(n_test, 30))}
    shifted = {split: scale * x - 0.6 for split, x in inputs.items()}
    return {split: (x, (x.mean(axis=1) > -0.6).astype(float)) for split, x in shifted.items()}


def history(epochs=200, spread=1.0) -> History:
    """Of MiniModel."""
    values = 1 + spread * np.random.default_rng(epochs).uniform(-1, 1, (4, epochs))
    return dict(zip(("loss", "accuracy", "test_loss", "test_accuracy"), values, strict=True))


def validated_history(epochs=12) -> History:
    """Of a network on images."""
    values = np.random.default_rng(5).random((3, epochs))
    return dict(zip(("loss", "validation_loss", "validation_accuracy"), values, strict=True))


def moments(widths=MINI_MODEL, scale=1.0) -> CalibrationMoments:
    """Of MiniModel's hidden layers."""
    rng = np.random.default_rng(2)
    outputs = [np.maximum(scale * rng.normal(size=(100, m)), 0) for m in widths]
    sigma = {f"layers.{i}": x.T @ x for i, x in enumerate(outputs)}
    return CalibrationMoments(GroupMoments({}, sigma, {}, {}), {}, {}, 100)


def spectra(n_groups=5, flattened=True) -> CalibrationMoments:
    """Of groups of 64 channels, and of whole layers."""
    rng = np.random.default_rng(4)
    names = [f"features.{i}" for i in range(n_groups)]
    channels = {name: np.sort(10 ** rng.normal(size=64))[::-1] for name in names}
    whole = {name: np.sort(10 ** rng.normal(size=200))[::-1] for name in names}
    units = dict.fromkeys(names, 32_768)
    groups = GroupMoments({}, {}, channels, {})
    return CalibrationMoments(groups, whole if flattened else {}, units, 2000)


def selection(
    widths=MINI_MODEL, scale=1.0, best=True, losses=True, gap=None, name="layers.{}"
) -> Selection:
    """Half of every group, with losses and optima of all sizes where wanted."""
    rng = np.random.default_rng(3)
    paths = []
    for i, m in enumerate(widths):
        ratio = np.sort(rng.random(m))
        values = {kind: scale * np.sort(rng.random(m))[::-1] for kind in ("A", "B", "theta")}
        paths.append(
            GroupPath(
                Group(name.format(i), m, (), (), (), ()),
                np.arange(m),
                ratio,
                losses=values if losses else {},
                exhaustive={"information": ratio, **values} if best else {},
            )
        )
    return first_channels(paths, [max(1, m // 2) for m in widths], gap=gap)


def evaluations(splits=("train", "test", "population"), parameters=(802, 290, 290)):
    """Scores of the three stages: accuracies 0.5, 0.6, 0.7 and losses 0.9, 0.8, 0.6."""
    scores = zip(STAGES, (0.9, 0.8, 0.6), (0.5, 0.6, 0.7), parameters, strict=True)
    return [
        Evaluation(stage, split, loss, accuracy, count, 100)
        for stage, loss, accuracy, count in scores
        for split in splits
    ]


def records(first="gen-mini") -> list[StepRecord]:
    """Of six steps that read nothing."""
    names = (first, "train", "covariance", "estimate-width", "select", "finetune")
    return [StepRecord(name, (), (f"{name}.csv",), {}, {}) for name in names]
