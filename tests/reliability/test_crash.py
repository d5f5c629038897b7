"""SIGKILL at any moment: the next run ends with the bytes of an undisturbed one."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from mini_exp.cli import main
from mini_exp.files import PARTIAL, sha256
from mini_exp.study import run as study_run
from mini_exp.study.costs import Costs
from tests.conftest import Project, experiment_file
from tests.study.quick import leave_out_what_takes_longest

# A server that has everything imported and no threads: each run is a fork of it.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "mini_exp.tasks.mini.task",
        "mini_exp.pruning.recipe",
        "mini_exp.report.mini",
        "mini_exp.study.run",
    ]
)
TINY_STUDY = {
    "data": {"n_population": 200, "n_train": 1, "n_test": 1},
    "model": {"widths": [2]},
    "train": {"epochs": 1},
    "finetune": {"epochs": 1},
    "width": {"rho": {"start": 1, "stop": 10, "num": 2}, "choose": [1]},
    "study": {"n_population": 200, "rho_num": 2, "resamples": 2},
}
KILLS_IN_A_ROW = 4


def command(arguments: list[str]) -> None:
    main(arguments, prog_name="mini-exp")


def study_command(arguments: list[str]) -> None:
    """Without figures, and with costs that can be compared."""
    resource_tracker._resource_tracker._fd = None  # one of its own, as a process has
    leave_out_what_takes_longest(setattr)
    study_run.measured_costs = lambda: Costs(1, 1.0, 1.0, 1, 1, 1.0, 1.0, 1.0)
    command(arguments)


def run(project: Project) -> BaseProcess:
    arguments = ["run", str(project.config), "--results", str(project.results), "--quiet"]
    process = CONTEXT.Process(target=command, args=(arguments,))
    process.start()
    return process


def study(project: Project) -> BaseProcess:
    """Two chunks by one worker."""
    where = [str(project.config), "--results", str(project.results), "--quiet"]
    size = ["--replicates", "100", "--workers", "1"]
    process = CONTEXT.Process(target=study_command, args=(["study", *where, *size],))
    process.start()
    return process


def finish(project: Project, started: Callable[[Project], BaseProcess] = run) -> None:
    process = started(project)
    process.join()
    assert process.exitcode == 0


def check_manifest(directory: Path) -> None:
    """Every file that the manifest names is there, and nothing half-written has a final name."""
    path = directory / "manifest.json"
    if path.exists():
        for key, record in json.loads(path.read_bytes())["steps"].items():
            folder = directory / (key.split("/")[0] if "/" in key else "")
            for file in record["outputs"]:
                assert (folder / file).is_file(), f"{key} names {file}"
                assert (folder / file).stat().st_size > 0


def kill_with_workers(process: BaseProcess) -> None:
    """If it has not ended yet. What clears semaphores away may live."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children()
        process.kill()
        for child in children:
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
    process.join()


def check_ledger(directory: Path) -> None:
    """Every chunk that the ledger names is there, whole."""
    chunks = directory / "study" / "chunks"
    if (chunks / "ledger.json").exists():
        for name, digest in json.loads((chunks / "ledger.json").read_bytes())["parts"].items():
            assert sha256(chunks / name) == digest


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """An undisturbed run and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    project = Project(
        experiment_file(folder / "crash.yaml", variants={"corrected": {}}), folder / "results"
    )
    finish(Project(project.config, folder / "warm"))
    started = time.monotonic()
    finish(project)
    return project, time.monotonic() - started


@pytest.mark.parametrize("kills", [2, pytest.param(200, marks=pytest.mark.long)], ids=["2", "200"])
def test_kills_at_random_moments(undisturbed, tmp_path, tried, kills: int) -> None:
    expected, duration = undisturbed
    moments = random.Random(1701)
    for kill in range(kills):
        project = Project(expected.config, tmp_path / str(kill))
        process = run(project)
        process.join(timeout=moments.uniform(0, duration))
        process.kill()
        process.join()
        check_manifest(project.directory)
        finish(project)
        assert project.digests() == expected.digests()
        assert not list(project.results.rglob(f"*{PARTIAL}"))
        tried("SIGKILL of run at a random moment", "next run: same bytes")


def test_kill_after_kill(undisturbed, tmp_path, tried) -> None:
    """A run that is killed again and again still gets on."""
    expected, duration = undisturbed
    project = Project(expected.config, tmp_path)
    moments = random.Random(2)
    for _ in range(5):
        process = run(project)
        process.join(timeout=moments.uniform(0, duration))
        process.kill()
        process.join()
        check_manifest(project.directory)
    finish(project)
    assert project.digests() == expected.digests()
    tried("SIGKILL of run, five times over", "next run: same bytes")


@pytest.fixture(scope="module")
def undisturbed_study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """The cheapest study there is, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    project = Project(
        experiment_file(folder / "study.yaml", variants={"corrected": {}}, **TINY_STUDY),
        folder / "results",
    )
    warm = CONTEXT.Process(target=int)
    warm.start()
    warm.join()
    started = time.monotonic()
    finish(project, study)
    return project, time.monotonic() - started


@pytest.mark.parametrize("kills", [1, pytest.param(200, marks=pytest.mark.long)], ids=["1", "200"])
def test_kills_of_a_study_at_random_moments(undisturbed_study, tmp_path, tried, kills: int) -> None:
    """With its worker, as when the machine goes down; several in a row before one may finish."""
    expected, duration = undisturbed_study
    moments = random.Random(1701)
    killed = 0
    while killed < kills:
        project = Project(expected.config, tmp_path / str(killed))
        for _ in range(KILLS_IN_A_ROW):
            process = study(project)
            process.join(timeout=moments.uniform(0, duration))
            kill_with_workers(process)
            killed += process.exitcode == -signal.SIGKILL
            check_manifest(project.directory)
            check_ledger(project.directory)
        finish(project, study)
        assert project.digests() == expected.digests()
        assert not list(project.results.rglob(f"*{PARTIAL}"))
    for _ in range(killed):
        tried("SIGKILL of study and its worker at a random moment", "next run: same bytes")
