"""Stages of a few replicates after a few epochs."""

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mini_exp.diagnostics.stages import Stages
from mini_exp.settings.reading import load_config
from mini_exp.study.networks import (
    sampled_data,
    smaller_networks,
    snapshots,
    study_widths,
    unit_paths,
    untrained,
)

ROOT = Path(__file__).parents[3]
EPOCHS = 20


@functools.cache
def small_stages(variant="corrected_bias", replicates=3):
    """Rules are made by looking at seeds other than the study's and the diagnosis's."""
    settings = load_config(ROOT / "configs" / "mini.yaml", ["seed=1703"]).variants[variant]
    settings = settings.model_copy(
        update={
            "train": settings.train.model_copy(update={"epochs": EPOCHS}),
            "finetune": settings.finetune.model_copy(update={"epochs": EPOCHS}),
        }
    )
    data = sampled_data(settings, SimpleNamespace(n_population=400), 0)
    for split in ("train", "test"):
        data[split] = tuple(part[:replicates] for part in data[split])
    start = untrained(settings, settings.model.widths, "weights", 0, replicates)
    (original,) = snapshots(settings, start, data["train"], "train order", 0, (EPOCHS,))
    own = unit_paths(settings, original, {"train": data["train"]}, 0)
    selection, smaller = smaller_networks(settings, own, study_widths(settings))
    compressed = smaller["compressed"]
    (tuned,) = snapshots(settings, compressed, data["train"], "finetune order", 0, (EPOCHS,))
    networks = {"original": original, "compressed": compressed, "finetuned": tuned}
    lost = np.zeros(replicates, dtype=bool)
    return Stages(variant, settings, networks, data, selection, 0, lost)


def values(frame, quantity, stage, layer=0):
    """Estimates of a quantity, by replicate."""
    rows = frame[
        (frame["quantity"] == quantity) & (frame["stage"] == stage) & (frame["layer"] == layer)
    ]
    return rows.sort_values("replicate")["estimate"].to_numpy()
