"""`mini-exp study`: spread the replicates over processes, keep what is finished, sum up."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pandas as pd
import psutil

from mini_exp import artifacts
from mini_exp.config import Config
from mini_exp.errors import ArtifactError, ConfigError, MiniExpError
from mini_exp.pipeline import code_hashes
from mini_exp.report.figures import rendered
from mini_exp.spectral import Floats
from mini_exp.study import figures, summary
from mini_exp.study.claims import all_claims
from mini_exp.study.costs import Costs, measured_costs
from mini_exp.study.replicates import BLOCK, chunk, study_widths

Say = Callable[[str], None]

CONNECT_SECONDS = 5  # per attempt; Dask makes two
WORKSPACE = 500e6  # bytes of a worker beside what it keeps per replicate: 430 MB seen, rounded up
KEPT = 4000  # bytes kept per variant and replicate beside the widths: some 110 columns, with room
DRAW = 1300  # bytes per draw of the population while one is drawn: 1170 seen, rounded up


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
        Local processes, one per core by default.
    scheduler : str, optional
        ``tcp://host:port`` of a running Dask scheduler, instead of local processes.
    say : callable
    bar : bool
        Show a progress bar rather than a line per chunk.

    Raises
    ------
    ConfigError
        If a number is out of range or a chunk does not fit into memory.
    MiniExpError
        If the scheduler cannot be reached or the workers keep dying.
    """
    for settings in config.variants.values():
        study_widths(settings)
    workers = (os.cpu_count() or 1) if workers is None else workers
    check_numbers(replicates, chunk_size, workers)
    if scheduler is None:
        free = psutil.virtual_memory().available / workers
        check_memory(config, replicates, chunk_size, free)
    folder = directory / "study"
    with artifacts.locked(directory):
        ledger = _Ledger(config, folder)
        ranges = [
            (start, min(start + chunk_size, replicates))
            for start in range(0, replicates, chunk_size)
        ]
        missing = [wanted for wanted in ranges if not ledger.has(*wanted)]
        if len(missing) < len(ranges):
            say(f"study: {len(ranges) - len(missing)} of {len(ranges)} chunks are there")
        if missing:
            with _cluster(workers, scheduler) as client:
                if scheduler is not None:
                    check_memory(config, replicates, chunk_size, memory_of_a_task(client))
                _compute(config, client, ledger, missing, replicates, say, bar)
        arrays = ledger.arrays(ranges)
        say("study: summing up")
        for name, content in study_pages(config, arrays, ledger.costs()).items():
            artifacts.write_bytes(folder / name, content)


def check_numbers(replicates: int, chunk_size: int, workers: int) -> None:
    """Refuse what cannot work before anything is written."""
    if replicates < 1:
        raise ConfigError(f"--replicates: expected at least 1, got {replicates}")
    if workers < 1:
        raise ConfigError(f"--workers: expected at least 1, got {workers}")
    if chunk_size < 1 or chunk_size % BLOCK:
        raise ConfigError(
            f"--chunk: expected a multiple of {BLOCK} (replicates are computed {BLOCK} at a time, "
            f"so that their bits depend on nothing else), got {chunk_size}"
        )


def check_memory(config: Config, replicates: int, chunk_size: int, free: float) -> None:
    """Refuse chunks of which one does not fit into the ``free`` bytes that a task has."""
    widths = 16 * config.study.rho_num * max(len(s.model.widths) for s in config.variants.values())
    each = len(config.variants) * (KEPT + widths)
    left = free - WORKSPACE - DRAW * config.study.n_population
    size = min(chunk_size, replicates)
    if size * each <= left:
        return
    fits = int(max(left, 0) / each) // BLOCK * BLOCK
    if not fits:
        raise ConfigError(
            f"--chunk: even {BLOCK} replicates are too many for a worker in which "
            f"{free / 1e9:.1f} GB are free; use fewer workers or a smaller study.n_population"
        )
    raise ConfigError(
        f"--chunk: {size} replicates need {size * each / 1e9:.1f} GB in a worker, "
        f"{left / 1e9:.1f} GB are free; use --chunk {fits}"
    )


def memory_of_a_task(client: distributed.Client) -> float:
    """Bytes that a task has on the smallest worker of a cluster, as far as workers have limits."""
    workers = client.scheduler_info()["workers"].values()
    shares = [worker["memory_limit"] / worker["nthreads"] for worker in workers]
    return min((share for share in shares if share), default=math.inf)


@contextlib.contextmanager
def _cluster(workers: int, scheduler: str | None) -> Iterator[distributed.Client]:
    """A client of the given scheduler, or of one local process per worker with one thread each."""
    for name in ("distributed", "distributed.client"):  # each with a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MiniExpError(f"--scheduler {scheduler}: cannot be reached: {reason}") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            except TimeoutError:
                raise MiniExpError(f"--scheduler {scheduler}: has no workers; start some") from None
            yield client
        return
    _start_resource_tracker()
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any free port; there is no dashboard to look at
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def _start_resource_tracker() -> None:
    """Start the process that clears away what multiprocessing leaves behind if this one is killed.

    It would warn that there was something. And starting it unblocks signals in the thread that
    does so, and with it in the threads and workers that follow: hence a thread of its own.
    """
    filters = (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker:UserWarning")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, filters))
    thread = threading.Thread(target=resource_tracker.ensure_running)
    thread.start()
    thread.join()


def _compute(
    config: Config,
    client: distributed.Client,
    ledger: _Ledger,
    missing: list[tuple[int, int]],
    replicates: int,
    say: Say,
    bar: bool,
) -> None:
    futures = {
        client.submit(chunk, config.variants, config.study, *wanted, pure=False): wanted
        for wanted in missing
    }
    total = sum(stop - start for start, stop in missing)
    done = 0
    started = time.monotonic()
    with _progress(total, bar) as advance:
        for future in distributed.as_completed(list(futures)):
            start, stop = futures[future]
            try:
                result = future.result()
            except distributed.KilledWorker:
                raise MiniExpError(
                    f"study: workers keep dying over replicates {start}–{stop - 1}; finished "
                    "chunks are kept: run the same command again, with fewer --workers"
                ) from None
            except (distributed.CancelledError, OSError):
                raise MiniExpError(
                    "study: the scheduler is gone; finished chunks are kept: run the same command "
                    "again"
                ) from None
            ledger.add(start, stop, result)
            future.release()
            done += stop - start
            rate = done / (time.monotonic() - started)
            left = (total - done) / rate
            if advance:
                advance(stop - start)
            else:
                say(
                    f"study: replicates {start}–{stop - 1}, {replicates - total + done} of "
                    f"{replicates}, {rate:.1f} per second, {left:.0f} s left"
                )


@contextlib.contextmanager
def _progress(total: int, bar: bool) -> Iterator[Callable[[int], None] | None]:
    if not bar:
        yield None
        return
    import rich.progress as rp

    columns = (
        rp.TextColumn("replicates"),
        rp.BarColumn(),
        rp.MofNCompleteColumn(),
        rp.TextColumn("{task.fields[rate]}"),
        rp.TimeRemainingColumn(),
    )
    started = time.monotonic()
    with rp.Progress(*columns) as progress:
        progress.console.show_cursor()  # Ctrl-C must not leave it hidden
        task = progress.add_task("replicates", total=total, rate="")

        def advance(count: int) -> None:
            progress.advance(task, count)
            finished = progress.tasks[0].completed
            progress.update(task, rate=f"{finished / (time.monotonic() - started):.1f}/s")

        yield advance


class _Ledger:
    """Which chunks are on disk, and for which settings and code they were computed."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "chunks" / "ledger.json"
        self.made_for: dict[str, Any] = {
            "settings": {v: s.model_dump(mode="json") for v, s in config.variants.items()},
            "n_population": config.study.n_population,
            "rho_num": config.study.rho_num,
            "code": code_hashes("mini_exp.study.replicates"),
        }
        self.chunks: dict[str, str] = {}
        self.cost_code = code_hashes("mini_exp.study.costs")
        self.measured: dict[str, Any] = {}
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            found = None  # none yet, or unreadable: then no chunk counts as finished
        if isinstance(found, dict) and found.get("made_for") == self.made_for:
            self.chunks = found["chunks"]
            if found.get("cost_code") == self.cost_code:
                self.measured = found["costs"]

    def _chunk_path(self, start: int, stop: int) -> Path:
        return self.folder / "chunks" / f"{start:06d}-{stop:06d}.npz"

    def has(self, start: int, stop: int) -> bool:
        path = self._chunk_path(start, stop)
        expected = self.chunks.get(path.name)
        return expected is not None and artifacts.sha256(path) == expected

    def add(self, start: int, stop: int, arrays: Mapping[str, Floats]) -> None:
        path = self._chunk_path(start, stop)
        self.chunks[path.name] = artifacts.write_arrays(path, arrays)
        self._write()

    def costs(self) -> Costs:
        """Measured once for the present code: a second call must not change the verdicts' text."""
        if not self.measured:
            self.measured = dataclasses.asdict(measured_costs())
            self._write()
        return Costs(**self.measured)

    def _write(self) -> None:
        content = {
            "made_for": self.made_for,
            "chunks": self.chunks,
            "cost_code": self.cost_code,
            "costs": self.measured,
        }
        artifacts.write_bytes(self.path, json.dumps(content, indent=1).encode())

    def arrays(self, ranges: list[tuple[int, int]]) -> dict[str, Floats]:
        """All chunks, one after the other."""
        parts = []
        for wanted in ranges:
            path = self._chunk_path(*wanted)
            parts.append(artifacts.read_arrays(path, self.chunks[path.name]))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def study_pages(config: Config, arrays: Mapping[str, Floats], costs: Costs) -> dict[str, bytes]:
    """Every file of ``study/``: tables, figures, verdicts."""
    rows = summary.replicates_table(config, arrays)
    if (rows["diverged"] == 1).groupby(rows["variant"]).all().any():
        raise ArtifactError("study: every replicate of a variant diverged; lower the learning rate")
    sweeps = summary.sweeps_table(config, arrays)
    claims = all_claims(config, rows, arrays, summary.rho_grids(config), costs)
    scores = summary.scores_table(config, rows)
    distribution = summary.table1_distribution(config, rows)
    text = summary.claims_markdown(config, rows, claims, scores, distribution)
    pages = {
        "replicates.csv": _csv(rows),
        "sweeps.csv": _csv(sweeps),
        "scores.csv": _csv(scores),
        "table1.csv": _csv(distribution),
        "claims.csv": _csv(pd.DataFrame([dataclasses.asdict(claim) for claim in claims])),
        "config.yaml": config.as_yaml().encode(),
        "costs.json": (json.dumps(dataclasses.asdict(costs), indent=1) + "\n").encode(),
        "claims.md": text.encode(),
    }
    drawn = {
        "table1_distributions": figures.table1_distributions(config, rows),
        "stages": figures.stages(config, rows),
        "widths_over_rho": figures.widths_over_rho(config, sweeps),
        "jump": figures.jump(config, arrays, rows),
    }
    for name, figure in drawn.items():
        for suffix in ("png", "pdf"):
            pages[f"figures/{name}.{suffix}"] = rendered(figure, suffix)
    return pages


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()
