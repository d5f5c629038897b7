"""One block of replicates of one variant: train, compress, fine-tune, controls, scores."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from mini_exp.errors import ConfigError
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.paths import with_losses
from mini_exp.pruning.recipe import GroupMoments, greedy_paths, group_moments, prunable_graph
from mini_exp.pruning.selection import GroupPath, Selection, first_channels
from mini_exp.seeds import Purpose, generator
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.study.baselines import baseline_scores
from mini_exp.study.sweeps import sweeps
from mini_exp.tasks.mini.data import DIMENSION, mini_dataset, mini_sample
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.task import calibration_batches
from mini_exp.tasks.mini.training import diverged, sample_orders, scores, training_epochs
from mini_exp.tasks.task import Samples
from mini_exp.tasks.threads import one_thread

BLOCK = 50
"""Replicates computed together. A replicate always has the same place in the same full block, so
that no bit of it depends on how many replicates are asked for or how they are spread."""


def chunk(
    variants: Mapping[str, Settings], study: Study, start: int, stop: int
) -> dict[str, Floats]:
    """Everything that is kept of replicates ``start`` … ``stop`` − 1, per variant.

    Parameters
    ----------
    variants : mapping from variant to its settings
    study : Study
    start : int
        A multiple of ``BLOCK``.
    stop : int

    Returns
    -------
    dict
        ``<variant>.<name>``: arrays with the replicates on axis 0; see ``block``.
    """
    parts: dict[str, list[Floats]] = {}
    for first in range(start, stop, BLOCK):
        kept = min(BLOCK, stop - first)
        shared: dict[str, dict[str, Floats]] = {}  # variants with the same data share baselines
        for variant, settings in variants.items():
            key = settings.data.model_dump_json() + str(settings.seed)
            data = sampled_data(settings, study, first)
            if key not in shared:
                shared[key] = baseline_scores(data)
            columns = block(settings, study, first, data) | shared[key]
            for name, values in columns.items():
                parts.setdefault(f"{variant}.{name}", []).append(values[:kept])
    return {name: np.concatenate(values) for name, values in parts.items()}


def sampled_data(settings: Settings, study: Study, first: int) -> Samples:
    """Training and test sets of a block, and one population for all replicates."""
    data = settings.data
    sets = mini_dataset(
        _generators(settings, "data", first), data.n_train, data.n_test, data.epsilon, data.labels
    )
    x, y = mini_sample(
        generator(settings.seed, "population"), study.n_population, data.epsilon, data.labels
    )
    return {**sets, "population": (x[None], y[None])}


@one_thread()
def block(settings: Settings, study: Study, first: int, data: Samples) -> dict[str, Floats]:
    """Results of replicates ``first`` … ``first`` + ``BLOCK`` − 1 of one variant.

    Parameters
    ----------
    settings : Settings
    study : Study
    first : int
    data : mapping from split to (x, y)
        As ``sampled_data`` returns it.

    Returns
    -------
    dict of (BLOCK, …) float64
        ``<stage>_<split>_<measure>`` for every stage and control; ``parameters``;
        ``information_<layer>``; ``diverged``; and what ``sweeps`` returns.

    Raises
    ------
    ConfigError
        If the widths are not explicit.
    """
    widths = study_widths(settings)
    train, epochs, more = data["train"], settings.train.epochs, settings.finetune.epochs
    untrained = _initial_stack(settings, settings.model.widths, "weights", first)
    original, twice = _snapshots(
        settings, untrained, train, "train order", first, (epochs, 2 * epochs)
    )
    # A diverged network goes on as the zero network on zero inputs, which every formula takes; its
    # results are then marked and blanked.
    lost = diverged(original, train[0])
    sound = {"train": (np.where(lost[:, None, None], 0.0, train[0]), train[1])}
    moments, selection, smaller = _pruned(settings, _zeroed(original, lost), sound, widths, first)

    stages = {"original": original, "original_twice": twice, **smaller}
    for stage, networks in smaller.items():
        tuned = "finetuned" if stage == "compressed" else f"{stage}_finetuned"
        (stages[tuned],) = _snapshots(settings, networks, train, "finetune order", first, (more,))
    untrained = _initial_stack(settings, widths, "scratch weights", first)
    stages["scratch"], stages["scratch_twice"] = _snapshots(
        settings, untrained, train, "scratch order", first, (epochs, epochs + more)
    )

    columns = {}
    for stage, networks in stages.items():
        lost |= diverged(networks, train[0])
        for split, (x, y) in data.items():
            loss, accuracy = scores(networks, x, y)
            columns[f"{stage}_{split}_loss"] = loss
            columns[f"{stage}_{split}_accuracy"] = accuracy
    for layer, kept in enumerate(selection.groups, start=1):
        columns[f"information_{layer}"] = kept.information_ratio[:, -1]
    paths = [kept.path for kept in selection.groups]
    columns |= sweeps(settings, study, list(moments.eigenvalues.values()), paths)
    for values in columns.values():
        values[lost] = np.nan
    columns["parameters"] = np.full(BLOCK, float(smaller["compressed"].n_parameters))
    columns["diverged"] = lost.astype(np.float64)
    return columns


def _pruned(
    settings: Settings, networks: MiniModel, samples: Samples, widths: Sequence[int], first: int
) -> tuple[GroupMoments, Selection, dict[str, MiniModel]]:
    """The method as `mini-exp run` has it, and as many units drawn at random as controls."""
    covariance, select = settings.covariance, settings.select
    batches = calibration_batches(networks, samples, covariance.n_samples, covariance.batch_size)
    graph = prunable_graph(networks, batches, select.tied)
    moments = group_moments(networks, graph, batches, covariance.scale)
    paths = [
        with_losses(networks, path, moments.sigma[path.group.name], select.theta)
        for path in greedy_paths(networks, graph, moments.sigma, select.theta, select.scope)
    ]
    selection = first_channels(paths, widths)
    at_random = first_channels(_random_paths(settings, paths, first), widths)
    own = Compression(**settings.compress.model_dump(exclude={"rescale_dropout"}))
    smaller = {
        stage: compressed_network(networks, kept, moments.tensors, batches, compression)[0]
        for stage, kept, compression in (
            ("compressed", selection, own),
            ("random_slice", at_random, Compression("slice")),
            ("random_reconstruct", at_random, dataclasses.replace(own, weights="reconstruct")),
        )
    }
    return moments, selection, cast(dict[str, MiniModel], smaller)


def _generators(settings: Settings, purpose: Purpose, first: int) -> list[np.random.Generator]:
    return [generator(settings.seed, purpose, r) for r in range(first, first + BLOCK)]


def _initial_stack(
    settings: Settings, hidden: Sequence[int], purpose: Purpose, first: int
) -> MiniModel:
    widths = (DIMENSION, *hidden, 1)
    return initial_stack(widths, settings.model.bias, _generators(settings, purpose, first))


def _snapshots(
    settings: Settings,
    start: MiniModel,
    train: tuple[Floats, Floats],
    purpose: Purpose,
    first: int,
    at: tuple[int, ...],
) -> list[MiniModel]:
    """The networks after each of the given numbers of epochs of one training, in float64."""
    how = settings.finetune if purpose == "finetune order" else settings.train
    orders = sample_orders(_generators(settings, purpose, first), at[-1], train[0].shape[1])
    trained = copy.deepcopy(start).to(settings.device, getattr(torch, settings.dtype))
    epochs = training_epochs(trained, *train, orders, how.batch_size, how.learning_rate)
    return [
        copy.deepcopy(current).double()
        for epoch, current in enumerate(epochs, start=1)
        if epoch in at
    ]


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


def _random_paths(settings: Settings, paths: Sequence[GroupPath], first: int) -> list[GroupPath]:
    """All units of every layer in random order, another for every replicate."""
    generators = _generators(settings, "random units", first)
    at_random = []
    for path in paths:
        order = np.stack([rng.permutation(path.group.width) for rng in generators])
        at_random.append(GroupPath(path.group, order, np.full(order.shape, np.nan)))
    return at_random
