"""SIGKILL at any moment: the next run ends with the bytes of an undisturbed one."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from pathlib import Path

import pytest

from mini_exp.artifacts import PARTIAL
from mini_exp.cli import main
from tests.conftest import Project, experiment_file

# A server that has everything imported and no threads: each run is a fork of it.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["mini_exp.steps.train", "mini_exp.steps.report", "mini_exp.steps.estimate_width"]
)


def command(arguments: list[str]) -> None:
    main(arguments, prog_name="mini-exp")


def run(project: Project) -> multiprocessing.process.BaseProcess:
    arguments = ["run", str(project.config), "--results", str(project.results), "--quiet"]
    process = CONTEXT.Process(target=command, args=(arguments,))
    process.start()
    return process


def finish(project: Project) -> None:
    process = run(project)
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


@pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=pytest.mark.long)], ids=["20", "200"]
)
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
