"""One block of replicates of one variant: train, compress, fine-tune, controls, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from mini_exp.config import Settings, Study
from mini_exp.datasets.mini import DIMENSION, mini_dataset, mini_sample
from mini_exp.errors import ConfigError
from mini_exp.networks import initial_networks, to
from mini_exp.seeds import Purpose, generator
from mini_exp.spectral import Floats
from mini_exp.spectral.published import STARTING_P
from mini_exp.steps import covariance, estimate_width, select
from mini_exp.study.baselines import baseline_scores
from mini_exp.training import diverged, one_thread, sample_orders, scores, training_epochs
from mini_exp.types import Dataset, Networks, SecondMoments, Selection

BLOCK = 50
"""Replicates computed together. A replicate always has the same place in the same full block, so
that no bit of it depends on how many replicates are asked for or how they are spread."""

SPLITS = ("train", "test", "population")


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


def sampled_data(settings: Settings, study: Study, first: int) -> dict[str, tuple[Floats, Floats]]:
    """Training and test sets of a block, and one population for all replicates."""
    data = settings.data
    sets = mini_dataset(
        _generators(settings, "data", first), data.n_train, data.n_test, data.epsilon, data.labels
    )
    x, y = mini_sample(
        generator(settings.seed, "population"), study.n_population, data.epsilon, data.labels
    )
    return {
        "train": (sets.x_train, sets.y_train),
        "test": (sets.x_test, sets.y_test),
        "population": (x[None], y[None]),
    }


@one_thread()
def block(
    settings: Settings, study: Study, first: int, data: Mapping[str, tuple[Floats, Floats]]
) -> dict[str, Floats]:
    """Results of replicates ``first`` … ``first`` + ``BLOCK`` − 1 of one variant.

    Returns
    -------
    dict of (BLOCK, …) float64
        ``<stage>_<split>_<measure>`` for every stage and control; ``parameters``;
        ``information_<layer>``; ``diverged``; of the sweep over ρ: ``widths`` and, for the same
        problem solved exactly, ``exact_widths`` (BLOCK, K, L), ``not_converged``, ``at_start``
        (BLOCK, K), ``within_bound`` (share of layers and ρ with L^(A) ≤ 4λ).
    """
    train = data["train"]
    dataset = Dataset(*train, *data["test"])
    epochs = settings.train.epochs
    widths = (DIMENSION, *settings.model.widths, 1)
    start = _initial(settings, widths, "weights", first)
    original, twice = _snapshots(settings, start, train, "train order", first, (epochs, 2 * epochs))

    # A diverged network goes on as the zero network on zero inputs, which every formula takes; its
    # results are then marked and blanked.
    lost = diverged(original, train[0])
    alive = _zeroed(original, lost)
    sound = replace(dataset, x_train=np.where(lost[:, None, None], 0.0, dataset.x_train))
    (moments,) = covariance.run(settings, alive, sound)
    selection = Selection(
        study_widths(settings),
        tuple(
            select.layer_selection(settings, sigma, weight)
            for sigma, weight in zip(moments.sigma, select.next_weights(alive), strict=True)
        ),
    )

    compressed = select.compressed_networks(settings, alive, moments, selection)
    stages = {"original": original, "original_400": twice, "compressed": compressed}
    random = _random_selection(settings, selection, first)
    for weights in ("slice", "reconstruct"):
        how = settings.model_copy(
            update={"compress": settings.compress.model_copy(update={"weights": weights})}
        )
        stages[f"random_{weights}"] = select.compressed_networks(how, alive, moments, random)
    more = settings.finetune.epochs
    for name in ("compressed", "random_slice", "random_reconstruct"):
        tuned = _snapshots(settings, stages[name], train, "finetune order", first, (more,))[0]
        stages["finetuned" if name == "compressed" else f"{name}_finetuned"] = tuned
    small = _initial(settings, compressed.widths, "scratch weights", first)
    stages["scratch_200"], stages["scratch_400"] = _snapshots(
        settings, small, train, "scratch order", first, (epochs, epochs + more)
    )

    columns = {}
    for stage, networks in stages.items():
        lost |= diverged(networks, train[0])
        for split in SPLITS:
            loss, accuracy = scores(networks, *data[split])
            columns[f"{stage}_{split}_loss"] = loss
            columns[f"{stage}_{split}_accuracy"] = accuracy
    for layer, (width, chosen) in enumerate(
        zip(selection.widths, selection.layers, strict=True), start=1
    ):
        columns[f"information_{layer}"] = chosen.information_ratio[:, width - 1]
    columns |= _sweeps(settings, study, moments, selection)
    for values in columns.values():
        values[lost] = np.nan
    columns["parameters"] = np.full(BLOCK, float(compressed.n_parameters))
    columns["diverged"] = lost.astype(np.float64)
    return columns


def _generators(settings: Settings, purpose: Purpose, first: int) -> list[np.random.Generator]:
    return [generator(settings.seed, purpose, r) for r in range(first, first + BLOCK)]


def _initial(settings: Settings, widths: Sequence[int], purpose: Purpose, first: int) -> Networks:
    networks = initial_networks(widths, settings.model.bias, _generators(settings, purpose, first))
    return to(networks, settings.device, getattr(torch, settings.dtype))


def _snapshots(
    settings: Settings,
    start: Networks,
    train: tuple[Floats, Floats],
    purpose: Purpose,
    first: int,
    at: tuple[int, ...],
) -> list[Networks]:
    """The networks after each of the given numbers of epochs of one training."""
    how = settings.finetune if purpose == "finetune order" else settings.train
    orders = sample_orders(_generators(settings, purpose, first), at[-1], train[0].shape[1])
    epochs = training_epochs(start, *train, orders, how.batch_size, how.learning_rate)
    return [
        Networks(
            tuple(weight.clone() for weight in current.weights),
            tuple(bias.clone() for bias in current.biases),
        )
        for epoch, current in enumerate(epochs, start=1)
        if epoch in at
    ]


def _zeroed(networks: Networks, which: np.ndarray) -> Networks:
    mask = torch.from_numpy(which).to(networks.weights[0].device)
    return Networks(
        tuple(weight.masked_fill(mask[:, None, None], 0.0) for weight in networks.weights),
        tuple(bias.masked_fill(mask[:, None], 0.0) for bias in networks.biases),
    )


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


def _random_selection(settings: Settings, selection: Selection, first: int) -> Selection:
    """As many units per layer as the selection has, drawn at random for every replicate."""
    generators = _generators(settings, "random units", first)
    layers = tuple(
        replace(
            layer,
            index_path=np.stack([rng.permutation(layer.index_path.shape[1]) for rng in generators]),
        )
        for layer in selection.layers
    )
    return Selection(selection.widths, layers)


def _sweeps(
    settings: Settings, study: Study, moments: SecondMoments, selection: Selection
) -> dict[str, Floats]:
    """The variant's sweep over ρ on the study's grid, and the same problem solved exactly."""
    rho = settings.width.rho.model_copy(update={"num": study.rho_num})
    own = settings.width.model_copy(update={"rho": rho})
    exact = own.model_copy(update={"solver": "exact"})
    (path,) = estimate_width.run(settings.model_copy(update={"width": own}), moments)
    (exact_path,) = (
        (path,)
        if own.solver == "exact"
        else estimate_width.run(settings.model_copy(update={"width": exact}), moments)
    )
    # C10: a greedy index set of m̂ = ⌈N(λ)⌉ units against the bound L^(A) ≤ 4λ.
    within = []
    for layer, chosen in enumerate(selection.layers):
        last = np.clip(path.width[:, :, layer], 1, None) - 1
        loss = np.take_along_axis(chosen.losses["A"], last, axis=1)
        within.append(loss <= 4 * path.lambda_[:, :, layer] + 1e-12 * chosen.losses["A"][:, :1])
    return {
        "widths": path.width.astype(np.float64),
        "exact_widths": exact_path.width.astype(np.float64),
        "not_converged": (~path.converged).astype(np.float64),
        "at_start": (path.lambda_ == STARTING_P**2).all(axis=2).astype(np.float64),
        "within_bound": np.mean(within, axis=(0, 2)),
    }
