"""`diagnose` keeps the promises of `run` and `study`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from mini_exp.experiment.lock import locked
from mini_exp.files import PARTIAL
from tests.conftest import Project, experiment_file, stub
from tests.reliability.test_compare_faults import cases, check_ledgers
from tests.reliability.test_corruption import flip, truncate
from tests.reliability.test_crash import (
    CONTEXT,
    TINY_STUDY,
    check_manifest,
    kill_with_workers,
    run,
    study_command,
)
from tests.reliability.test_interrupts import SIGNALS, check_end, started
from tests.reliability.test_starvation import one_line, with_file_size_limit

CONTEXT.set_forkserver_preload(
    [
        "mini_exp.tasks.mini.task",
        "mini_exp.pruning.recipe",
        "mini_exp.report.mini",
        "mini_exp.study.run",
        "mini_exp.diagnostics.run",
        "mini_exp.diagnostics.instruments.alignment",
        "mini_exp.diagnostics.instruments.confidence",
        "mini_exp.diagnostics.instruments.information",
    ]
)
TINY = TINY_STUDY | {
    "diagnose": {
        **{"n_population": 200, "first_widths": [1], "weight_decay": [1], "resamples": 2},
        "instruments": ["confidence", "alignment", "information"],
    }
}
SIZE = ("--replicates", "100", "--workers", "1")  # two chunks


def in_threads(arguments: list[str]) -> None:
    """The command, whose worker is a thread: it need not import everything again."""
    import distributed

    cluster = distributed.LocalCluster
    distributed.LocalCluster = lambda **options: cluster(**(options | {"processes": False}))
    study_command(arguments)


def diagnose(project: Project, command: Callable = in_threads) -> BaseProcess:
    where = [str(project.config), "--results", str(project.results), "--quiet"]
    process = CONTEXT.Process(target=command, args=(["diagnose", *where, *SIZE],))
    process.start()
    return process


def finish(project: Project, command: Callable = in_threads) -> float:
    """How long it took."""
    before = time.monotonic()
    process = diagnose(project, command)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - before


def copied(project: Project, folder: Path) -> Project:
    shutil.copytree(project.results, folder / "results")
    return Project(project.config, folder / "results")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The cheapest experiment there is. Only to be looked at."""
    folder = tmp_path_factory.mktemp("ran")
    config = experiment_file(folder / "why.yaml", variants={"corrected": {}}, **TINY)
    project = Project(config, folder / "results")
    process = run(project)
    process.join()
    assert process.exitcode == 0
    return project


@pytest.fixture(scope="module")
def undisturbed(ran: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """Its diagnosis, and how long that took. Only to be looked at."""
    project = copied(ran, tmp_path_factory.mktemp("diagnosed"))
    return project, finish(project)


@pytest.fixture
def diagnosed(undisturbed: tuple[Project, float], tmp_path: Path) -> Project:
    return copied(undisturbed[0], tmp_path)


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.long)], ids=str)
def test_kills(ran: Project, undisturbed, tmp_path: Path, tried, kills: int) -> None:
    expected, duration = undisturbed
    kill_at_random(ran, expected, duration, tmp_path, kills, in_threads)
    for _ in range(kills):
        tried("SIGKILL of diagnose at a random moment", "next run: same bytes")


@pytest.mark.long
def test_kills_with_a_worker(ran: Project, undisturbed, tmp_path: Path, tried) -> None:
    """As when the machine goes down."""
    expected, _ = undisturbed
    project = copied(ran, tmp_path)
    duration = finish(project, study_command)
    assert project.digests() == expected.digests()
    kill_at_random(ran, expected, duration, tmp_path, 10, study_command)
    tried("SIGKILL of diagnose and its worker", "next run: same bytes")


def kill_at_random(
    ran: Project, expected: Project, duration: float, folder: Path, kills: int, command: Callable
) -> None:
    moments = random.Random(1701)
    for kill in range(kills):
        project = copied(ran, folder / str(kill))
        process = diagnose(project, command)
        process.join(timeout=moments.uniform(0, duration))
        kill_with_workers(process)
        check_manifest(project.directory)
        check_ledgers(project)
        finish(project)
        assert project.digests() == expected.digests()
        assert not list(project.results.rglob(f"*{PARTIAL}"))
        shutil.rmtree(project.results)


OF_A_DIAGNOSIS = (
    *("run/confidence/corrected-*.csv", "run/confidence/ledger.json"),
    *("chunks/000050-000100.npz", "chunks/ledger.json"),
    *("stages.csv", "replicates.csv", "interventions.csv", "statements.csv", "statements.md"),
    *("config.yaml", "pages.json", "figures/loss_split.png", "figures/loss_split.pdf"),
)
OFTEN = (("run/confidence/corrected-*.csv", flip), ("chunks/000050-000100.npz", truncate))


@pytest.mark.parametrize(("file", "damage"), cases(OF_A_DIAGNOSIS, OFTEN))
def test_a_diagnosis_repairs(diagnosed: Project, undisturbed, tried, file: str, damage) -> None:
    (path,) = (diagnosed.directory / "diagnose").glob(file)
    damage(path)
    finish(diagnosed)
    assert diagnosed.digests() == undisturbed[0].digests()
    tried(f"{damage.__name__} a file of a diagnosis", "diagnose repairs it to the same bytes")


def test_two_diagnoses_at_once(diagnosed: Project, monkeypatch, tried) -> None:
    stub(monkeypatch)
    before = diagnosed.digests()
    with locked(diagnosed.directory):
        result = diagnosed("diagnose", *SIZE)
    assert result.exit_code == 1
    assert f"in use by process {os.getpid()} since" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert diagnosed.digests() == before
    tried("two diagnoses into one directory", "the second stops, names process and time")


@pytest.mark.parametrize(
    ("limit", "gone", "first"),
    [
        pytest.param(0, (), ".lock-owner", marks=pytest.mark.long),
        pytest.param(3000, ("run",), "run/confidence/ledger.json", id="run"),
        pytest.param(20_000, ("chunks",), "000000-000050.npz", marks=pytest.mark.long),
        pytest.param(20_000, (), "replicates.csv", marks=pytest.mark.long),
    ],
)
def test_a_full_disk(
    diagnosed: Project, undisturbed, tried, limit: int, gone: Sequence[str], first: str
) -> None:
    """While it measures anew what is gone; and the first file that finds no room."""
    for folder in gone:
        shutil.rmtree(diagnosed.directory / "diagnose" / folder)
    before = diagnosed.digests()
    where = (diagnosed.config, "--results", diagnosed.results)
    limited = with_file_size_limit(limit, "diagnose", *where, *SIZE)
    line = one_line(limited)
    assert "cannot be written: File too large" in line
    assert first in line
    assert not list(diagnosed.results.rglob(f"*{PARTIAL}"))
    assert before.items() <= diagnosed.digests().items()
    finish(diagnosed)
    assert diagnosed.digests() == undisturbed[0].digests()
    tried("a full disk during diagnose", "one line, exit 1; the next run: same bytes")


def begun(environment, project: Project, line: str) -> subprocess.Popen[str]:
    """The command with a worker of its own, when it has printed a line that starts so."""
    where = (project.config, "--results", project.results)
    process = started(environment, "tests.study.quick", "diagnose", *where, *SIZE)
    assert process.stdout is not None
    assert any(printed.startswith(line) for printed in iter(process.stdout.readline, ""))
    return process


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("line", ["diagnose: corrected ", "diagnose: replicates "])
def test_signals(
    ran: Project, undisturbed, tmp_path: Path, environment, tried, line: str, number: int, code: int
) -> None:
    project = copied(ran, tmp_path)
    check_end(begun(environment, project, line), number, code)
    finish(project)
    assert project.digests() == undisturbed[0].digests()
    tried(f"{signal.Signals(number).name} during diagnose", f"exit {code}, one line; same bytes")


@pytest.mark.long
def test_a_worker_killed(ran: Project, undisturbed, tmp_path: Path, environment, tried) -> None:
    project = copied(ran, tmp_path)
    process = begun(environment, project, "diagnose: replicates ")
    for child in psutil.Process(process.pid).children(recursive=True):
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()
    _, errors = process.communicate(timeout=60)  # guards against hanging
    assert (process.returncode, errors) == (0, "")
    assert project.digests() == undisturbed[0].digests()
    tried("SIGKILL of diagnose's worker", "success, same bytes")
