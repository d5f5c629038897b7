"""A network and samples of your own as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mini_exp.errors import ConfigError
from mini_exp.pruning.calibration import FEW_SAMPLES
from mini_exp.seeds import Purpose, generator
from mini_exp.spectral import Floats
from mini_exp.tasks.images.training import seeded, training_epochs
from mini_exp.tasks.own.factory import own_network
from mini_exp.tasks.own.labelled import Labelled, check_labels
from mini_exp.tasks.own.scores import (
    check_outputs,
    fidelity_of,
    loss_and_accuracy,
    mean_loss,
    network_outputs,
)
from mini_exp.tasks.own.settings import OwnData, PythonModel
from mini_exp.tasks.section import Train
from mini_exp.tasks.task import History, OnEpoch, Samples, Score

SCALE = (
    "scale"  # stands among the splits: mean and std, so that networks get what they are made for
)


def samples(data: OwnData, seed: int) -> Samples:
    """Training, validation and, where there is one, test set as they are stored; and their scale.

    Raises
    ------
    ArtifactError, ConfigError
        If the files are missing, damaged, or do not fit together.
    """
    train, validation, test = data.load(generator(seed, "data"))
    splits = {"train": train, "validation": validation, "test": test}
    kept: Samples = {split: (one.x, one.y) for split, one in splits.items() if one is not None}
    n_channels = train.x.shape[1]
    for name in ("mean", "std"):
        numbers = getattr(data.normalise, name)
        if len(numbers) not in (1, n_channels):
            raise ConfigError(
                f"data.normalise.{name}: expected one number, or one for each of {n_channels} "
                f"channels, got {len(numbers)}"
            )
    kept[SCALE] = (np.array(data.normalise.mean), np.array(data.normalise.std))
    return kept


def new_network(model: PythonModel, data: OwnData, seed: int, replicate: int = 0) -> nn.Module:
    """The network as its function makes it, with its weights."""
    with seeded(seed, "weights", replicate):
        return own_network(model)


def trained_network(
    network: nn.Module,
    samples: Samples,
    train: Train,
    seed: int,
    purpose: Purpose,
    *,
    replicate: int = 0,
    device: str = "cpu",
    dtype: str = "float32",
    on_epoch: OnEpoch | None = None,
) -> tuple[nn.Module, History]:
    """A trained copy on the device, and its scores after every epoch; the network where none are.

    Raises
    ------
    ConfigError
        If there are no labels to train with.
    NetworkError
        If the network cannot be run on the samples, or its outputs do not go with the labels.
    TrainingError
        If it diverges.
    """
    network = network.to(device, getattr(torch, dtype))
    data = tensors(samples, network)
    x, y = data["train"]
    classes = not y.is_floating_point() and y.numel() > 0
    n_classes = int(max(int(y.max()) for _, y in data.values())) + 1 if classes else 0
    check_outputs(network, x[:FEW_SAMPLES], y[:FEW_SAMPLES], n_classes)
    losses: list[float] = []
    scored: list[tuple[float, float]] = []
    if train.epochs:
        key = "finetune.epochs" if purpose == "finetune order" else "train.epochs"
        check_labels(Labelled(*samples["train"]), [key])
        with seeded(seed, purpose, replicate) as rng:
            for trained, loss in training_epochs(
                network,
                x,
                y,
                rng,
                train.epochs,
                train.batch_size,
                train.learning_rate,
                train.augment,
                train.precision == "bfloat16",
                mean_loss,
            ):
                network = trained
                losses.append(loss)
                x_validation, y_validation = data["validation"]
                outputs = network_outputs(network, x_validation)
                scored.append(loss_and_accuracy(outputs, y_validation))
                if on_epoch is not None:
                    on_epoch(len(losses), train.epochs, loss)
    columns = np.array(scored).reshape(-1, 2)
    history = {"loss": np.array(losses), "validation_loss": columns[:, 0]}
    if classes:
        history["validation_accuracy"] = columns[:, 1]
    return network, history


def scores(network: nn.Module, samples: Samples, data: OwnData, seed: int) -> list[Score]:
    """Of every set, as far as there are labels."""
    return [
        Score(split, *loss_and_accuracy(network_outputs(network, x), y), len(x))
        for split, (x, y) in tensors(samples, network).items()
    ]


def fidelity(
    network: nn.Module, original: nn.Module, samples: Samples
) -> dict[str, tuple[float, float]]:
    """Divergence from the original's outputs, and agreement with them, on every split."""
    compared = {}
    for split, (x, y) in tensors(samples, network).items():
        reference, outputs = (network_outputs(one, x) for one in (original, network))
        classes = not y.is_floating_point() and reference.ndim > 1 and reference.shape[1] > 1
        compared[split] = fidelity_of(reference, outputs, classes)
    return compared


def calibration_batches(
    network: nn.Module, samples: Samples, n_samples: int | None, batch_size: int
) -> Sequence[Tensor]:
    """The first of the training samples, which are in random order."""
    x, y = samples["train"]
    first = {"train": (x[:n_samples], y[:n_samples]), SCALE: samples[SCALE]}
    inputs, _ = tensors(first, network)["train"]
    if inputs.ndim == 4:  # convolutions are faster with the channels last
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    batches: Sequence[Tensor] = inputs.split(batch_size)
    return batches


def tensors(samples: Samples, network: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs, normalised, and labels as a network takes them, in its type, on its device."""
    like = next(parameter for parameter in network.parameters() if parameter.is_floating_point())
    mean, std = samples[SCALE]

    def labels(y: Tensor) -> Tensor:
        return y.to(like.device, like.dtype if y.is_floating_point() else y.dtype)

    return {
        split: (
            torch.from_numpy(normalised(x, mean, std)).to(like.device, like.dtype),
            labels(torch.from_numpy(y)),
        )
        for split, (x, y) in samples.items()
        if split != SCALE
    }


def normalised(x: npt.NDArray[Any], mean: Floats, std: Floats) -> npt.NDArray[np.floating[Any]]:
    """(x − mean) / std over axis 1 of samples (n, channels, …); bytes are divided by 255 first.

    Examples
    --------
    >>> normalised(np.array([[0, 255]], np.uint8), np.array([0.5]), np.array([0.25]))
    array([[-2.,  2.]], dtype=float32)
    """
    like = np.float64 if x.dtype == np.float64 else np.float32
    over = (-1, *(1,) * (x.ndim - 2))
    result: npt.NDArray[Any] = x.astype(like)
    if x.dtype == np.uint8:
        result /= 255
    result -= mean.astype(like).reshape(over)
    result /= std.astype(like).reshape(over)
    return result
