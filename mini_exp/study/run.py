"""`mini-exp study`: spread the replicates over processes, keep what is finished, sum up."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

from mini_exp.errors import ConfigError
from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.ledger import Ledger
from mini_exp.experiment.lock import locked
from mini_exp.experiment.publications import publish
from mini_exp.files import write_bytes
from mini_exp.resources import usable_processors
from mini_exp.settings.config import Config
from mini_exp.study.chunks import study_chunks
from mini_exp.study.costs import Costs, measured_costs
from mini_exp.study.limits import check_memory, check_numbers
from mini_exp.study.networks import study_widths
from mini_exp.study.pages import TAKEN_UP, study_pages
from mini_exp.study.progress import Say
from mini_exp.study.replicates import chunk
from mini_exp.study.spread import Spread


def run_study(
    config: Config,
    directory: Path,
    replicates: int,
    chunk_size: int,
    workers: int | None,
    scheduler: str | None,
    say: Say,
    bar: bool,
) -> None:
    """Run what is missing of a study and write its tables, figures and verdicts.

    Parameters
    ----------
    config : Config
    directory : Path
        The experiment's results directory; the study goes to ``study/`` in it.
    replicates : int
        At least 1.
    chunk_size : int
        Replicates per task, a multiple of ``BLOCK``. A finished chunk is on disk; a worker that
        dies costs its chunk a rerun.
    workers : int, optional
        Local processes, by default one per processor that this process may use.
    scheduler : str, optional
        ``tcp://host:port`` of a running Dask scheduler, instead of local processes.
    say : callable
    bar : bool
        Show a progress bar rather than a line per chunk.

    Raises
    ------
    ConfigError
        If there is no study of such an experiment, a number is out of range or a chunk does not
        fit into memory.
    MiniExpError
        If the scheduler cannot be reached or the workers keep dying.
    """
    variants, study = config.variants, config.study
    if study is None:
        raise ConfigError("study: expected an experiment on MINI, got one without a study section")
    for settings in variants.values():
        study_widths(settings)
    workers = usable_processors() if workers is None else workers
    check_numbers(replicates, chunk_size, workers)
    check = functools.partial(check_memory, variants, study, replicates, chunk_size)
    spread = Spread("study", replicates, chunk_size, workers, scheduler, say, bar)
    spread.check_here(check)
    folder = directory / "study"
    with locked(directory):
        chunks = study_chunks(variants, study, folder / "chunks")
        spread.complete(chunks, functools.partial(chunk, variants, study), check)
        arrays = chunks.arrays(spread.ranges)
        say("study: summing up")
        pages = study_pages(config, study, arrays, recorded_costs(folder / "costs"))
        for name, content in pages.items():
            write_bytes(folder / name, content)
        publish(folder, config, TAKEN_UP)


def recorded_costs(folder: Path) -> Costs:
    """Measured once for the present code: a second call must not change the verdicts' text."""
    ledger = Ledger(folder, {"code": code_hashes("mini_exp.study.costs")})
    name = "measured.json"
    if not ledger.has(name):
        ledger.add(name, json.dumps(dataclasses.asdict(measured_costs())).encode())
    return Costs(**json.loads(ledger.content(name)))
