"""The run's own networks: what `mini-exp run` saved, as stages with one replicate."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments import INSTRUMENTS, instrument, seen
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.experiment import formats
from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.formats import table
from mini_exp.experiment.ledger import Ledger
from mini_exp.experiment.manifest import read_manifest
from mini_exp.experiment.sequence import ARTIFACTS
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.seeds import generator
from mini_exp.settings.config import Config
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings
from mini_exp.steps.networks import saved_network
from mini_exp.study.progress import Say
from mini_exp.tasks.mini.data import mini_sample
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.threads import one_thread

FILES = ("dataset.npz", "selection.json", *(f"{stage}.safetensors" for stage in STAGES))


@one_thread()
def measured_run(
    config: Config, diagnose: Diagnose, directory: Path, instruments: Sequence[str], say: Say
) -> pd.DataFrame:
    """What every instrument sees of every variant's run; what has been measured is kept.

    Raises
    ------
    ArtifactError
        If a file of the run is missing or damaged.
    """
    frames = []
    ledgers = {
        name: Ledger(directory / "diagnose" / "run" / name, _made_for(config, diagnose, name))
        for name in instruments
    }
    digests = _digests(directory)
    for variant, settings in config.variants.items():
        of_variant = {file: digests.get(f"{variant}/{file}") for file in FILES}
        part = hashlib.sha256(json.dumps(of_variant).encode()).hexdigest()[:16]
        stages: Stages | None = None
        for name, ledger in ledgers.items():
            file = f"{variant}-{part}.csv"
            if not ledger.has(file):
                if stages is None:
                    folder = directory / variant
                    stages = stages_of_run(variant, settings, diagnose, folder, of_variant)
                started = time.perf_counter()
                ledger.add(file, table.to_bytes(seen(name, stages, diagnose)))
                seconds = time.perf_counter() - started
                say(f"diagnose: {variant:16} {name:15} {seconds:6.2f} s")
            frames.append(table.from_bytes(ledger.content(file)))
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(stage=rows["stage"].fillna(""))  # of the data, not of a stage


def stages_of_run(
    variant: str,
    settings: Settings,
    diagnose: Diagnose,
    folder: Path,
    digests: Mapping[str, str | None],
) -> Stages:
    """One variant's networks as they were saved.

    Parameters
    ----------
    variant : str
    settings : Settings
    diagnose : Diagnose
    folder : Path
        The variant's.
    digests : mapping from each of ``FILES`` to its SHA-256
    """
    read = {file: formats.read(folder / file, digests[file], ARTIFACTS[file]) for file in FILES}
    selection: Selection = read["selection.json"]
    here = settings.model_copy(update={"device": "cpu"})
    networks = {}
    for stage in STAGES:
        of_stage = None if stage == "original" else selection
        network = saved_network(here, read[f"{stage}.safetensors"], of_stage)
        networks[stage] = cast(MiniModel, network).as_stack()
    data = settings.data
    population = mini_sample(
        generator(settings.seed, "population"), diagnose.n_population, data.epsilon, data.labels
    )
    samples = {**read["dataset.npz"], "population": population}
    stacked = {split: (x[None], y[None]) for split, (x, y) in samples.items()}
    nowhere = np.zeros(1, dtype=bool)
    return Stages(variant, settings, networks, stacked, _stacked(selection), 0, nowhere)


def _stacked(selection: Selection) -> Selection:
    """The selection of one network as that of a stack of one."""
    groups = tuple(
        GroupSelection(
            GroupPath(kept.group, kept.path.index_path[None], kept.path.information_ratio[None]),
            kept.width,
        )
        for kept in selection.groups
    )
    return dataclasses.replace(selection, groups=groups)


def _digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every file that the manifest names, by its path in the results directory."""
    return {
        f"{key.partition('/')[0]}/{file}": digest
        for key, record in read_manifest(directory).steps.items()
        for file, digest in record.outputs.items()
    }


def _made_for(config: Config, diagnose: Diagnose, name: str) -> dict[str, Any]:
    """What the rows of an instrument depend on, beside the networks."""
    read = {"n_population", *inspect.signature(instrument(name).measure).parameters}
    return {
        "settings": {key: one.model_dump(mode="json") for key, one in config.variants.items()},
        "diagnose": diagnose.model_dump(mode="json", include=read),
        "code": code_hashes("mini_exp.diagnostics.reference", INSTRUMENTS[name]),
    }
