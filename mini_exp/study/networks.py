"""The networks of one block of replicates: drawn, trained, pruned, fine-tuned."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mini_exp.errors import ConfigError
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.paths import with_losses
from mini_exp.pruning.recipe import GroupMoments, greedy_paths, group_moments, prunable_graph
from mini_exp.pruning.selection import GroupPath, Selection, first_channels
from mini_exp.seeds import Purpose, generator
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.data import DIMENSION, mini_dataset, mini_sample
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.task import calibration_batches
from mini_exp.tasks.mini.training import sample_orders, training_epochs
from mini_exp.tasks.task import Samples

BLOCK = 50
"""Replicates computed together. A replicate always has the same place in the same full block, so
that no bit of it depends on how many replicates are asked for or how they are spread."""


class Scored(Protocol):
    """A section that says how many draws stand for the population."""

    @property
    def n_population(self) -> int: ...


def sampled_data(settings: Settings, section: Scored, first: int) -> Samples:
    """Training and test sets of a block, and one population for all replicates."""
    data = settings.data
    sets = mini_dataset(
        generators(settings, "data", first), data.n_train, data.n_test, data.epsilon, data.labels
    )
    x, y = mini_sample(
        generator(settings.seed, "population"), section.n_population, data.epsilon, data.labels
    )
    return {**sets, "population": (x[None], y[None])}


def generators(
    settings: Settings, purpose: Purpose, first: int, n: int = BLOCK
) -> list[np.random.Generator]:
    """A generator for each of n replicates."""
    return [generator(settings.seed, purpose, r) for r in range(first, first + n)]


def untrained(
    settings: Settings, hidden: Sequence[int], purpose: Purpose, first: int, n: int = BLOCK
) -> MiniModel:
    """Networks of these hidden widths before training."""
    widths = (DIMENSION, *hidden, 1)
    return initial_stack(widths, settings.model.bias, generators(settings, purpose, first, n))


def snapshots(
    settings: Settings,
    start: MiniModel,
    train: tuple[Floats, Floats],
    purpose: Purpose,
    first: int,
    at: Sequence[int],
    weight_decay: float = 0.0,
) -> list[MiniModel]:
    """The networks after each of the given numbers of epochs of one training, in float64."""
    how = settings.finetune if purpose == "finetune order" else settings.train
    of_each = generators(settings, purpose, first, len(train[0]))
    orders = sample_orders(of_each, max(at), train[0].shape[1])
    trained = copy.deepcopy(start).to(settings.device, getattr(torch, settings.dtype))
    epochs = training_epochs(
        trained, *train, orders, how.batch_size, how.learning_rate, weight_decay
    )
    return [
        copy.deepcopy(current).double()
        for epoch, current in enumerate(epochs, start=1)
        if epoch in at
    ]


@dataclass(frozen=True)
class UnitPaths:
    """Trained networks, and their units in greedy order and in random order."""

    networks: MiniModel
    batches: Sequence[Tensor]
    moments: GroupMoments
    greedy: list[GroupPath]
    at_random: list[GroupPath]


def unit_paths(settings: Settings, networks: MiniModel, samples: Samples, first: int) -> UnitPaths:
    """The method as `mini-exp run` has it, up to the order of the units."""
    covariance, select = settings.covariance, settings.select
    theta = settings.number_of_theta()
    batches = calibration_batches(networks, samples, covariance.n_samples, covariance.batch_size)
    graph = prunable_graph(networks, batches, select.tied)
    moments = group_moments(networks, graph, batches, covariance.scale)
    paths = [
        with_losses(networks, path, moments.sigma[path.group.name], theta)
        for path in greedy_paths(networks, graph, moments.sigma, theta, select.scope)
    ]
    at_random = random_paths(settings, paths, first, len(samples["train"][0]))
    return UnitPaths(networks, batches, moments, paths, at_random)


def smaller_networks(
    settings: Settings, own: UnitPaths, widths: Sequence[int]
) -> tuple[Selection, dict[str, MiniModel]]:
    """Compressed networks of these widths, and as many units drawn at random as controls."""
    selection = first_channels(own.greedy, widths)
    at_random = first_channels(own.at_random, widths)
    compress = Compression(**settings.compress.of_weights())
    smaller = {
        stage: compressed_network(own.networks, kept, own.moments.tensors, own.batches, how)[0]
        for stage, kept, how in (
            ("compressed", selection, compress),
            ("random_slice", at_random, Compression("slice")),
            ("random_reconstruct", at_random, dataclasses.replace(compress, weights="reconstruct")),
        )
    }
    return selection, cast(dict[str, MiniModel], smaller)


def sound(
    networks: MiniModel, train: tuple[Floats, Floats], lost: npt.NDArray[np.bool_]
) -> tuple[MiniModel, Samples]:
    """Zero networks on zero inputs where one has diverged, which every formula takes."""
    inputs = np.where(lost[:, None, None], 0.0, train[0])
    return _zeroed(networks, lost), {"train": (inputs, train[1])}


@torch.no_grad()
def _zeroed(networks: MiniModel, which: npt.NDArray[np.bool_]) -> MiniModel:
    """A copy of the stack in which some networks are the zero network."""
    zeroed = copy.deepcopy(networks)
    for parameter in zeroed.parameters():
        parameter[torch.from_numpy(which).to(parameter.device)] = 0.0
    return zeroed


def study_widths(settings: Settings) -> tuple[int, ...]:
    """The explicit widths of ``width.choose``.

    Raises
    ------
    ConfigError
        If there is a rule instead: its widths would differ between replicates.
    """
    chosen = settings.width.choose
    if not isinstance(chosen, tuple):
        raise ConfigError("width.choose: a study expects explicit widths, such as [8, 3, 3]")
    return chosen


def random_paths(
    settings: Settings, paths: Sequence[GroupPath], first: int, n: int = BLOCK
) -> list[GroupPath]:
    """All units of every layer in random order, another for every replicate."""
    of_each = generators(settings, "random units", first, n)
    at_random = []
    for path in paths:
        order = np.stack([rng.permutation(path.group.width) for rng in of_each])
        at_random.append(GroupPath(path.group, order, np.full(order.shape, np.nan)))
    return at_random
