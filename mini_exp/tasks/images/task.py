"""Images as a task: convolutional networks, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.seeds import Purpose, generator
from mini_exp.tasks.images.image_data import ImageData, Images
from mini_exp.tasks.images.models import ImageModel
from mini_exp.tasks.images.splits import channel_statistics, split_images, standardised
from mini_exp.tasks.images.training import loss_and_accuracy, seeded, training_epochs
from mini_exp.tasks.section import Train
from mini_exp.tasks.task import History, OnEpoch, Samples, Score
from mini_exp.tasks.threads import fitting_threads

SPLITS = ("train", "validation", "test")


def samples(data: ImageData, seed: int) -> Samples:
    """Pixels and classes of three disjoint sets; the validation set is cut from the training set.

    Raises
    ------
    ArtifactError
        If a data set's files are missing or damaged.
    DomainError
        If there are fewer images than asked for.
    """
    rng = generator(seed, "data")
    train, test = data.load(rng)
    train, validation = split_images(train, data.n_validation, rng, data.n_train)
    splits = zip(SPLITS, (train, validation, test), strict=True)
    return {split: (images.pixels, images.labels) for split, images in splits}


def new_network(model: ImageModel, data: ImageData, seed: int, replicate: int = 0) -> nn.Module:
    """An untrained network."""
    with seeded(seed, "weights", replicate):
        return model.network()


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
    """A trained copy on the device, and its scores after every epoch.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    network = network.to(device, getattr(torch, dtype))
    data = tensors(samples, network)
    return trained_on(data, network, train, seed, purpose, replicate, on_epoch)


def trained_on(
    data: Mapping[str, tuple[Tensor, Tensor]],
    network: nn.Module,
    train: Train,
    seed: int,
    purpose: Purpose,
    replicate: int = 0,
    on_epoch: OnEpoch | None = None,
) -> tuple[nn.Module, History]:
    """The same for images as ``tensors`` gives them: standardising CIFAR-10 takes two seconds."""
    losses, validation = [], []
    with seeded(seed, purpose, replicate) as rng, fitting_threads(data["train"][0]):
        for trained, loss in training_epochs(
            network,
            *data["train"],
            rng,
            train.epochs,
            train.batch_size,
            train.learning_rate,
            train.augment,
            train.precision == "bfloat16",
        ):
            losses.append(loss)
            validation.append(loss_and_accuracy(trained, *data["validation"]))
            if on_epoch is not None:
                on_epoch(len(losses), train.epochs, loss)
    columns = np.array(validation)
    history = {
        "loss": np.array(losses),
        "validation_loss": columns[:, 0],
        "validation_accuracy": columns[:, 1],
    }
    return trained, history


def scores(network: nn.Module, samples: Samples, data: ImageData, seed: int) -> list[Score]:
    """Of all three sets; of the test set here and nowhere else."""
    return [
        Score(split, *loss_and_accuracy(network, x, y), len(x))
        for split, (x, y) in tensors(samples, network).items()
    ]


def calibration_batches(
    network: nn.Module, samples: Samples, n_samples: int | None, batch_size: int
) -> Sequence[Tensor]:
    """The first of the training images, which are in random order."""
    first, _ = tensors(samples, network)["train"]
    first = first[:n_samples]  # convolutions are faster with the channels last
    first = first.contiguous(memory_format=torch.channels_last)
    batches: Sequence[Tensor] = first.split(batch_size)
    return batches


def tensors(samples: Samples, network: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Images as a network takes them, standardised by the training set's channels, and classes."""
    like = next(network.parameters())
    mean, std = channel_statistics(Images(*samples["train"]))
    return {
        split: (
            torch.from_numpy(standardised(Images(x, y), mean, std)).to(like.device, like.dtype),
            torch.from_numpy(y).to(like.device),
        )
        for split, (x, y) in samples.items()
    }
