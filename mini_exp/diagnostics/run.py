"""`mini-exp diagnose`: look at the run, spread the replicates, sum up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments import INSTRUMENTS, chosen_instruments, over_replicates
from mini_exp.diagnostics.interventions import trials
from mini_exp.diagnostics.pages import diagnosis_pages, taken_up
from mini_exp.diagnostics.reference import measured_run
from mini_exp.diagnostics.replicates import TABLES, chunk
from mini_exp.diagnostics.rows import COLUMNS
from mini_exp.errors import ArtifactError, ConfigError, named
from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.lock import locked
from mini_exp.experiment.publications import publish
from mini_exp.files import write_bytes
from mini_exp.resources import usable_processors
from mini_exp.settings.config import Config
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings
from mini_exp.study.chunks import Chunks
from mini_exp.study.limits import check_numbers
from mini_exp.study.networks import BLOCK, study_widths
from mini_exp.study.progress import Say
from mini_exp.study.spread import Spread

WORKSPACE = 700e6  # bytes of a worker: 540 MB seen, rounded up,
DRAW = 40_000  # and for every draw of the population 38 000 seen, of all replicates together


def run_diagnose(
    config: Config,
    directory: Path,
    replicates: int | None,
    workers: int | None,
    scheduler: str | None,
    say: Say,
    bar: bool,
    require: Callable[[], None],
) -> None:
    """Look at a finished run, and at replicates, and write tables, figures and verdicts.

    Parameters
    ----------
    config : Config
    directory : Path
        The experiment's results directory; everything goes to ``diagnose/`` in it.
    replicates : int, optional
        At least 1; None: the run alone.
    workers, scheduler, say, bar
        As in ``run_study``.
    require : callable
        Refuses a run that is not fresh; called once what was asked is known to make sense.

    Raises
    ------
    ConfigError
        If an instrument is unknown or lacks a package, or a number is out of range.
    ArtifactError
        If a file of the run is missing or damaged, or every replicate of a variant diverged.
    MiniExpError
        If the scheduler cannot be reached or the workers keep dying.
    """
    diagnose = config.diagnose
    if diagnose is None:
        raise ConfigError("diagnose: expected an experiment on MINI, got one without its section")
    instruments = chosen_instruments(diagnose.instruments)
    check_diagnosis(config, diagnose)
    workers = usable_processors() if workers is None else workers
    spread = Spread("diagnose", replicates or 0, BLOCK, workers, scheduler, say, bar)
    check = functools.partial(_check_memory, diagnose)
    if replicates is not None:
        check_numbers(replicates, BLOCK, workers)
        spread.check_here(check)
    require()
    folder = directory / "diagnose"
    with locked(directory):
        rows = {"run": measured_run(config, diagnose, directory, instruments, say), **_no_rows()}
        if replicates is not None:
            variants = replicated(config.variants, diagnose)
            names = over_replicates(instruments)
            chunks = diagnosis_chunks(variants, diagnose, names, folder / "chunks")
            spread.complete(chunks, functools.partial(chunk, variants, diagnose, names), check)
            rows |= tables_of(chunks.arrays(spread.ranges))
            if names:
                _check_divergence(config, rows["measured"])
        say("diagnose: summing up")
        evidence = [
            Evidence(name, settings, diagnose, *(rows[key] for key in ("run", *TABLES)))
            for name, settings in config.variants.items()
        ]
        for name, content in diagnosis_pages(config, evidence, rows).items():
            write_bytes(folder / name, content)
        publish(folder, config, taken_up(evidence))


def check_diagnosis(config: Config, diagnose: Diagnose) -> None:
    """Refuse widths that are no numbers, or of which none narrows the first layer."""
    for variant, settings in config.variants.items():
        with named(variant, (ConfigError,)):
            study_widths(settings)
        widest = settings.model.widths[0]
        if min(diagnose.first_widths) > widest:
            raise ConfigError(
                f"diagnose.first_widths: expected one of at most {widest}, the first layer of "
                f"{variant}, got {list(diagnose.first_widths)}"
            )


def replicated(variants: Mapping[str, Settings], diagnose: Diagnose) -> dict[str, Settings]:
    """The variants with the replicates' own seed."""
    return {
        name: settings.model_copy(update={"seed": diagnose.seed})
        for name, settings in variants.items()
    }


def diagnosis_chunks(
    variants: Mapping[str, Settings], diagnose: Diagnose, instruments: Sequence[str], folder: Path
) -> Chunks:
    """For these settings, these instruments and the present code.

    What only sums up (confidence, resamples, rules) leaves them as they are.
    """
    summing_up = {"replicates", "confidence", "resamples", "rules", "instruments"}
    modules = [INSTRUMENTS[name] for name in instruments]
    made_for = {
        "settings": {name: s.model_dump(mode="json") for name, s in variants.items()},
        "diagnose": diagnose.model_dump(mode="json", exclude=summing_up),
        "instruments": list(instruments),
        "code": code_hashes("mini_exp.diagnostics.replicates", *modules),
    }
    return Chunks(folder, made_for)


def tables_of(arrays: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The two tables of ``replicates.chunk`` again."""
    return {
        table: pd.DataFrame(
            {
                name.removeprefix(f"{table}."): column
                for name, column in arrays.items()
                if name.startswith(f"{table}.")
            }
        ).astype({"replicate": "int64"})
        for table in TABLES
    }


def _no_rows() -> dict[str, pd.DataFrame]:
    columns = ([*COLUMNS, "instrument"], trials.COLUMNS)
    return {name: pd.DataFrame(columns=list(of)) for name, of in zip(TABLES, columns, strict=True)}


def _check_divergence(config: Config, measured: pd.DataFrame) -> None:
    there = set(measured["variant"])
    for variant in config.variants:
        if variant not in there:
            raise ArtifactError(
                f"diagnose: every replicate of {variant} diverged; lower the learning rate"
            )


def _check_memory(diagnose: Diagnose, free: float) -> None:
    needed = WORKSPACE + DRAW * diagnose.n_population
    if needed > free:
        raise ConfigError(
            f"diagnose: a worker needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; use "
            "fewer workers or a smaller diagnose.n_population"
        )
