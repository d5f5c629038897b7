"""Step train: fit MiniModel (section 4.3, step 1)."""

from __future__ import annotations

import torch

from mini_exp.config import Settings
from mini_exp.networks import initial_networks, to
from mini_exp.seeds import generator
from mini_exp.training import OnEpoch, checked, refuse_diverged, sample_orders, trained_networks
from mini_exp.types import Dataset, History, Networks


def run(
    settings: Settings, dataset: Dataset, on_epoch: OnEpoch | None = None
) -> tuple[Networks, History]:
    """Return the trained network and its scores after every epoch.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    _, n_train, dimension = dataset.x_train.shape
    start = initial_networks(
        (dimension, *settings.model.widths, 1),
        settings.model.bias,
        [generator(settings.seed, "weights")],
    )
    train = settings.train
    rng = generator(settings.seed, "train order")
    orders = sample_orders([rng], train.epochs, n_train)
    start = to(start, settings.device, getattr(torch, settings.dtype))
    networks, history = trained_networks(
        start, dataset, orders, train.batch_size, train.learning_rate, on_epoch
    )
    checked(history)
    refuse_diverged(networks, dataset.x_train)
    return networks, history
