"""MINI as a task: one network of a stack at a time (Sørby 2019, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mini_exp.seeds import Purpose, generator
from mini_exp.tasks.mini.data import DIMENSION, mini_dataset, mini_sample
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.settings import FullyConnected, Mini
from mini_exp.tasks.mini.training import (
    checked,
    refuse_diverged,
    sample_orders,
    trained_stack,
)
from mini_exp.tasks.mini.training import scores as stack_scores
from mini_exp.tasks.section import Train
from mini_exp.tasks.task import History, OnEpoch, Samples, Score


def samples(data: Mini, seed: int) -> Samples:
    """The training and the test set of replicate 0 (4.3.1)."""
    rng = generator(seed, "data")
    sets = mini_dataset([rng], data.n_train, data.n_test, data.epsilon, data.labels)
    return {split: (x[0], y[0]) for split, (x, y) in sets.items()}


def new_network(model: FullyConnected, data: Mini, seed: int, replicate: int = 0) -> MiniModel:
    """An untrained MiniModel, in float64."""
    widths = (DIMENSION, *model.widths, 1)
    stack = initial_stack(widths, model.bias, [generator(seed, "weights", replicate)])
    return stack.replicate(0)


def trained_network(
    network: MiniModel,
    samples: Samples,
    train: Train,
    seed: int,
    purpose: Purpose,
    *,
    replicate: int = 0,
    device: str = "cpu",
    dtype: str = "float64",
    on_epoch: OnEpoch | None = None,
) -> tuple[MiniModel, History]:
    """A trained copy, in float64, and its scores after every epoch.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    stacked = {split: (x[None], y[None]) for split, (x, y) in samples.items()}
    n_train = len(samples["train"][0])
    orders = sample_orders([generator(seed, purpose, replicate)], train.epochs, n_train)
    start = network.as_stack().to(device, getattr(torch, dtype))
    trained, history = trained_stack(
        start, stacked, orders, train.batch_size, train.learning_rate, on_epoch
    )
    checked(history)
    refuse_diverged(trained, stacked["train"][0])
    return trained.replicate(0).double(), {name: column[0] for name, column in history.items()}


def scores(network: MiniModel, samples: Samples, data: Mini, seed: int) -> list[Score]:
    """Of the training set, the test set and fresh draws that stand for the population."""
    # Drawn again rather than stored: a fifth of a second against 24 MB.
    population = mini_sample(
        generator(seed, "population"), data.n_population, data.epsilon, data.labels
    )
    scored = []
    for split, (x, y) in {**samples, "population": population}.items():
        loss, accuracy = stack_scores(network, x, y)
        scored.append(Score(split, float(loss), float(accuracy), len(x)))
    return scored


def calibration_batches(
    network: MiniModel, samples: Samples, n_samples: int | None, batch_size: int
) -> Sequence[Tensor]:
    """The first of the training samples, (..., n, 30)."""
    like = next(network.parameters())
    x = torch.from_numpy(samples["train"][0][..., :n_samples, :]).to(like.device, like.dtype)
    batches: Sequence[Tensor] = x.split(batch_size, dim=-2)
    return batches


def tensors(samples: Samples, network: MiniModel) -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs and labels (0 or 1) as a network takes them, in its type, on its device."""
    like = next(network.parameters())
    return {
        split: (
            torch.from_numpy(x).to(like.device, like.dtype),
            torch.from_numpy(y).to(like.device, like.dtype),
        )
        for split, (x, y) in samples.items()
    }
