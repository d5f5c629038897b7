"""One block of interventions on one variant: the same pipeline with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from mini_exp.diagnostics.interventions.arms import ARMS
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.study.networks import (
    generators,
    smaller_networks,
    snapshots,
    sound,
    study_widths,
    unit_paths,
    untrained,
)
from mini_exp.tasks.mini.data import mini_sample
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.training import diverged, scores
from mini_exp.tasks.task import Samples

COLUMNS = (
    "variant",
    "replicate",
    "arm",
    "network",
    "first_width",
    "weight_decay",
    "loss",
    "accuracy",
    "train_loss",
)
"""Scores on the population and the loss on the training set of every network of every arm."""


def trials(
    variant: str, settings: Settings, diagnose: Diagnose, first: int, data: Samples
) -> pd.DataFrame:
    """Scores of every intervention's networks, a row per replicate: ``COLUMNS``.

    Parameters
    ----------
    variant : str
    settings : Settings
    diagnose : Diagnose
    first : int
        Number of the block's first replicate.
    data : mapping from split to (x, y)
        Of the block, as ``sampled_data`` returns it.

    Returns
    -------
    DataFrame
        In every arm ``original`` and ``original_twice`` (twice the epochs), then with the first
        layer narrowed to each width ``compressed``, ``finetuned``, ``random_finetuned`` (units at
        random, compressed the same way) and ``scratch_twice`` (as much training as both). Of MINI
        as it is also ``decayed`` (no pruning, as many epochs as both trainings) with each strength
        of weight decay, and with strength NaN the one that a replicate chooses by the accuracy on
        a draw for validation. What diverged is NaN.
    """
    chosen = study_widths(settings)
    every_width = sorted({*diagnose.first_widths, chosen[0]})
    frames = []
    for arm, changed in ARMS.items():
        own = changed(data)
        narrow = [chosen[0]] if arm == "orthogonal" else every_width
        widths = [(k, *chosen[1:]) for k in narrow if k <= settings.model.widths[0]]
        for network, first_width, networks in pruned(settings, first, own["train"], widths):
            frames.append(
                _scored(networks, own).assign(
                    arm=arm, network=network, first_width=first_width, weight_decay=0.0
                )
            )
    frames += [
        frame.assign(arm="as it is", network="decayed", first_width=settings.model.widths[0])
        for frame in _decayed(settings, diagnose, first, data)
    ]
    rows = pd.concat(frames, ignore_index=True)
    rows["variant"] = variant
    rows["replicate"] += first
    return rows[list(COLUMNS)]


def pruned(
    settings: Settings,
    first: int,
    train: tuple[Floats, Floats],
    widths: Sequence[Sequence[int]],
) -> Iterator[tuple[str, int, MiniModel]]:
    """Names, first widths and networks: the pipeline for several widths, and its controls."""
    epochs, more = settings.train.epochs, settings.finetune.epochs
    whole = settings.model.widths
    start = untrained(settings, whole, "weights", first)
    original, twice = snapshots(settings, start, train, "train order", first, (epochs, 2 * epochs))
    yield "original", whole[0], original
    yield "original_twice", whole[0], twice
    own = unit_paths(settings, *sound(original, train, diverged(original, train[0])), first)
    for of_layers in widths:
        _, smaller = smaller_networks(settings, own, of_layers)
        at_random = smaller[f"random_{settings.compress.weights}"]
        yield "compressed", of_layers[0], smaller["compressed"]
        for name, networks in (
            ("finetuned", smaller["compressed"]),
            ("random_finetuned", at_random),
        ):
            (tuned,) = snapshots(settings, networks, train, "finetune order", first, (more,))
            yield name, of_layers[0], tuned
        start = untrained(settings, of_layers, "scratch weights", first)
        (scratch,) = snapshots(settings, start, train, "scratch order", first, (epochs + more,))
        yield "scratch_twice", of_layers[0], scratch


def _decayed(
    settings: Settings, diagnose: Diagnose, first: int, data: Samples
) -> Iterator[pd.DataFrame]:
    """Scores with each strength of weight decay, then with the one that validation chooses."""
    drawn = [
        mini_sample(rng, settings.data.n_test, settings.data.epsilon, settings.data.labels)
        for rng in generators(settings, "validation", first)
    ]
    x, y = (np.stack(column) for column in zip(*drawn, strict=True))
    epochs = settings.train.epochs + settings.finetune.epochs
    start = untrained(settings, settings.model.widths, "weights", first)
    frames, right = [], []
    for strength in diagnose.weight_decay:
        (networks,) = snapshots(
            settings, start, data["train"], "train order", first, (epochs,), strength
        )
        frames.append(_scored(networks, data).assign(weight_decay=strength))
        _, accuracy = scores(networks, x, y)
        right.append(np.where(diverged(networks, x), -1.0, accuracy))
    yield from frames
    best = np.argmax(right, axis=0)  # the weakest of those that are as good
    by_strength = np.stack([frame.to_numpy() for frame in frames])  # numbers only
    chosen = by_strength[best, np.arange(len(best))]
    yield pd.DataFrame(chosen, columns=frames[0].columns).assign(weight_decay=np.nan)


def _scored(networks: MiniModel, data: Mapping[str, tuple[Floats, Floats]]) -> pd.DataFrame:
    """Scores of every replicate; NaN where it diverged."""
    loss, accuracy = scores(networks, *data["population"])
    train_loss, _ = scores(networks, *data["train"])
    rows = pd.DataFrame({"loss": loss, "accuracy": accuracy, "train_loss": train_loss})
    rows.loc[diverged(networks, data["train"][0])] = np.nan
    return rows.assign(replicate=np.arange(len(rows)))
