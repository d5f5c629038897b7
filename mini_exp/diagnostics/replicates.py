"""One block of replicates: its stages, what the instruments see, and the interventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mini_exp.diagnostics.instruments import seen
from mini_exp.diagnostics.interventions.trials import trials
from mini_exp.diagnostics.rows import COLUMNS
from mini_exp.diagnostics.stages import Stages
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings
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
from mini_exp.tasks.mini.training import diverged
from mini_exp.tasks.task import Samples
from mini_exp.tasks.threads import one_thread

TABLES = ("measured", "interventions")


def chunk(
    variants: Mapping[str, Settings],
    diagnose: Diagnose,
    instruments: Sequence[str],
    start: int,
    stop: int,
) -> dict[str, npt.NDArray[Any]]:
    """Replicates ``start`` … ``stop`` − 1 of every variant.

    Parameters
    ----------
    variants : mapping from variant to its settings
        Their seeds draw the replicates.
    diagnose : Diagnose
    instruments : sequence of str
    start : int
        A multiple of ``BLOCK``.
    stop : int

    Returns
    -------
    dict
        ``<table>.<column>`` of the two ``TABLES``: rows of instruments (``rows.COLUMNS`` and
        ``instrument``) and of interventions (``trials.COLUMNS``).
    """
    frames: dict[str, list[pd.DataFrame]] = {table: [] for table in TABLES}
    for first in range(start, stop, BLOCK):
        for variant, settings in variants.items():
            for table, rows in zip(
                TABLES, block(variant, settings, diagnose, instruments, first), strict=True
            ):
                frames[table].append(rows[rows["replicate"] < stop])
    return {
        f"{table}.{name}": _plain(column)
        for table, parts in frames.items()
        for name, column in pd.concat(parts, ignore_index=True).items()
    }


@one_thread()
def block(
    variant: str,
    settings: Settings,
    diagnose: Diagnose,
    instruments: Sequence[str],
    first: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of replicates ``first`` … ``first`` + ``BLOCK`` − 1 of one variant."""
    data = sampled_data(settings, diagnose, first)
    stages = stages_of_block(variant, settings, first, data)
    nothing = pd.DataFrame(columns=[*COLUMNS, "instrument"])
    frames = [seen(name, stages, diagnose) for name in instruments] or [nothing]
    measured = pd.concat(frames, ignore_index=True)
    return measured, trials(variant, settings, diagnose, first, data)


def stages_of_block(variant: str, settings: Settings, first: int, data: Samples) -> Stages:
    """A block's networks at every stage: those of the study with the same seed."""
    train = data["train"]
    start = untrained(settings, settings.model.widths, "weights", first)
    epochs, more = settings.train.epochs, settings.finetune.epochs
    (original,) = snapshots(settings, start, train, "train order", first, (epochs,))
    lost = diverged(original, train[0])
    own = unit_paths(settings, *sound(original, train, lost), first)
    selection, smaller = smaller_networks(settings, own, study_widths(settings))
    compressed = smaller["compressed"]
    (tuned,) = snapshots(settings, compressed, train, "finetune order", first, (more,))
    lost = lost | diverged(compressed, train[0]) | diverged(tuned, train[0])
    networks = {"original": original, "compressed": compressed, "finetuned": tuned}
    whole = {stage: sound(one, train, lost)[0].cpu() for stage, one in networks.items()}
    data = {**data, **sound(original, train, lost)[1]}
    return Stages(variant, settings, whole, data, selection, first, lost)


def _plain(column: pd.Series) -> npt.NDArray[Any]:
    """Numbers, or text, as an array that is no object."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)
    return column.to_numpy(dtype=str)
