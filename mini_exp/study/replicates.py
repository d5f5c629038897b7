"""One block of replicates of one variant: train, compress, fine-tune, controls, scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.study.baselines import baseline_scores
from mini_exp.study.networks import (
    BLOCK,
    sampled_data,
    smaller_networks,
    snapshots,
    sound,
    study_widths,
    unit_paths,
    untrained,
)
from mini_exp.study.sweeps import sweeps
from mini_exp.tasks.mini.training import diverged, scores
from mini_exp.tasks.task import Samples
from mini_exp.tasks.threads import one_thread


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
    start = untrained(settings, settings.model.widths, "weights", first)
    original, twice = snapshots(settings, start, train, "train order", first, (epochs, 2 * epochs))
    # A diverged network goes on as the zero network; its results are then marked and blanked.
    lost = diverged(original, train[0])
    own = unit_paths(settings, *sound(original, train, lost), first)
    selection, smaller = smaller_networks(settings, own, widths)

    stages = {"original": original, "original_twice": twice, **smaller}
    for stage, networks in smaller.items():
        tuned = "finetuned" if stage == "compressed" else f"{stage}_finetuned"
        (stages[tuned],) = snapshots(settings, networks, train, "finetune order", first, (more,))
    start = untrained(settings, widths, "scratch weights", first)
    stages["scratch"], stages["scratch_twice"] = snapshots(
        settings, start, train, "scratch order", first, (epochs, epochs + more)
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
    columns |= sweeps(settings, study, list(own.moments.eigenvalues.values()), paths)
    for values in columns.values():
        values[lost] = np.nan
    columns["parameters"] = np.full(BLOCK, float(smaller["compressed"].n_parameters))
    columns["diverged"] = lost.astype(np.float64)
    return columns
