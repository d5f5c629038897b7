"""`compare`, and an experiment of your own, keep the promises of `run` and `study`."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace

import pytest

from mini_exp.cli import main
from mini_exp.experiment.lock import locked
from mini_exp.files import PARTIAL, sha256
from tests.blank_figures import leave_out_drawing
from tests.conftest import Project
from tests.digits import digits_file
from tests.reliability.test_corruption import empty, flip, truncate
from tests.reliability.test_starvation import one_line, with_file_size_limit
from tests.tasks.own.examples import write_config, write_folders

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["mini_exp.tasks.images.task", "mini_exp.tasks.own.task", "mini_exp.compare.run"]
)
SMALL = {
    "data": {"kind": "digits", "n_train": 40, "n_validation": 20},
    "train": {"epochs": 1},
    "covariance": {"n_samples": 20, "flattened": False},
    "variants": {"half": {"width": {"choose": {"keep": 0.5}}}},
    "compare": {
        **{"networks": 2, "keep": [0.5], "parameters": [], "flops": [], "theta": [1.0]},
    },
}


def prepared(arguments: list[str], folder: str) -> None:
    """The command, with a clock that stands still: two comparisons differ in their times alone."""
    from mini_exp.compare import candidate, figures, latency, networks

    os.chdir(folder)
    os.fsync = lambda _: None
    leave_out_drawing(setattr)
    for module in (candidate, latency, networks):
        module.time = SimpleNamespace(perf_counter=lambda: 0.0)
    figures.accuracy_figure = lambda *_: None
    main(arguments, prog_name="mini-exp")


def started(command: str, project: Project, *options: str) -> BaseProcess:
    arguments = [command, str(project.config), "--results", str(project.results), "--quiet"]
    folder = str(project.config.parent)
    process = CONTEXT.Process(target=prepared, args=([*arguments, *options], folder))
    process.start()
    return process


def finish(command: str, project: Project, *options: str) -> None:
    process = started(command, project, *options)
    process.join()
    assert process.exitcode == 0


def undisturbed(command: str, config: Path) -> tuple[Project, float]:
    project = Project(config, config.parent / "results")
    finish(command, Project(config, config.parent / "warm"))
    before = time.monotonic()
    finish(command, project)
    return project, time.monotonic() - before


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """A small comparison, and how long it took. Only to be looked at."""
    folder = tmp_path_factory.mktemp("comparison")
    return undisturbed("compare", digits_file(folder / "compared.yaml", **SMALL))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """A network of your own, exported, and how long it took. Only to be looked at."""
    folder = tmp_path_factory.mktemp("own")
    write_folders(folder, per_class=6, tested=2)
    return undisturbed("run", write_config(folder, export="torch.export"))


def killed_at_random(
    command: str, expected: Project, duration: float, folder: Path, kills: int, told: Callable
) -> None:
    moments = random.Random(1701)
    for kill in range(kills):
        project = Project(expected.config, folder / str(kill))
        process = started(command, project)
        process.join(timeout=moments.uniform(0, duration))
        process.kill()
        process.join()
        check_ledgers(project)
        finish(command, project)
        assert project.digests() == expected.digests()
        assert not list(project.results.rglob(f"*{PARTIAL}"))
        told(f"SIGKILL of {command} at a random moment", "next run: same bytes")
        shutil.rmtree(project.results)


def check_ledgers(project: Project) -> None:
    for path in project.results.rglob("ledger.json"):
        for name, digest in json.loads(path.read_bytes())["parts"].items():
            assert sha256(path.parent / name) == digest


KILLS = [1, pytest.param(50, marks=pytest.mark.long)]


@pytest.mark.parametrize("kills", KILLS, ids=str)
def test_kills_of_a_comparison(comparison, tmp_path, tried, kills: int) -> None:
    killed_at_random("compare", *comparison, tmp_path, kills, tried)


@pytest.mark.parametrize("kills", KILLS, ids=str)
def test_kills_of_a_run_of_your_own(own, tmp_path, tried, kills: int) -> None:
    told = lambda fault, outcome: tried(f"{fault}, of your own", outcome)  # noqa: E731
    killed_at_random("run", *own, tmp_path, kills, told)


def copied(finished: tuple[Project, float], folder: Path) -> Project:
    project, _ = finished
    shutil.copytree(project.results, folder / "results")
    return Project(project.config, folder / "results")


def unlink(path: Path) -> None:
    path.unlink()


def swap(path: Path) -> None:
    """With the file beside it."""
    other = next(p for p in sorted(path.parent.iterdir()) if p.is_file() and p != path)
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


def nonsense(path: Path) -> None:
    path.write_bytes(b"[" * 10_000)


DAMAGES = (truncate, empty, flip, swap, nonsense, unlink)
OF_A_COMPARISON = (
    *("networks/000.csv", "networks/001.csv", "networks/ledger.json", "networks.csv", "pages.json"),
    *("summary.csv", "differences.csv", "budgets.csv", "compare.md", "differences.md"),
    *("config.yaml", "figures/accuracy.png"),
)


def cases(files: Sequence[str], ordinary: Sequence[tuple[str, Callable]]) -> list:
    """Every damage to every file; those that the ordinary suite leaves out are long."""
    return [
        pytest.param(
            file,
            damage,
            id=f"{damage.__name__} {file}",
            marks=[] if (file, damage) in ordinary else [pytest.mark.long],
        )
        for file in files
        for damage in DAMAGES
    ]


OFTEN = (("networks/000.csv", flip), ("networks/ledger.json", nonsense), ("pages.json", unlink))


@pytest.mark.parametrize(("file", "damage"), cases(OF_A_COMPARISON, OFTEN))
def test_a_comparison_repairs(comparison, tmp_path, tried, file: str, damage) -> None:
    project = copied(comparison, tmp_path)
    damage(project.directory / "compare" / file)
    finish("compare", project)
    assert project.digests() == comparison[0].digests()
    tried(f"{damage.__name__} a file of a comparison", "compare repairs it to the same bytes")


@pytest.mark.parametrize(
    "damage", [flip, *(pytest.param(d, marks=pytest.mark.long) for d in DAMAGES if d is not flip)]
)
def test_a_damaged_network_is_trained_again(comparison, tmp_path, tried, damage) -> None:
    project = copied(comparison, tmp_path)
    damage(project.directory / "compare" / "trained" / "001.safetensors")
    (project.directory / "compare" / "networks" / "001.csv").unlink()
    finish("compare", project)
    digests = comparison[0].digests()
    if damage is swap:  # the other network's rows are there, and so nobody looks at it
        digests = {name: digest for name, digest in digests.items() if "trained/000" not in name}
    assert digests.items() <= project.digests().items()
    tried(f"{damage.__name__} a comparison's network", "compare repairs it to the same bytes")


OF_YOUR_OWN = ("dataset.npz", "network.pt2", "evaluation.csv", "original.safetensors")


@pytest.mark.parametrize(("file", "damage"), cases(OF_YOUR_OWN, [("network.pt2", flip)]))
def test_a_run_of_your_own_repairs(own, tmp_path, tried, file: str, damage) -> None:
    project = copied(own, tmp_path)
    damage(project.directory / "half" / file)
    finish("run", project)
    assert project.digests() == own[0].digests()
    tried(f"{damage.__name__} an artifact of your own", "run repairs it to the same bytes")


def test_two_comparisons_at_once(comparison, tmp_path, tried) -> None:
    project = copied(comparison, tmp_path)
    before = project.digests()
    with locked(project.directory):
        result = project("compare", "--force")
    assert result.exit_code == 1
    assert f"in use by process {os.getpid()} since" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert project.digests() == before
    tried("two comparisons into one directory", "the second stops, names process and time")


@pytest.mark.parametrize("limit", [0, 3000])
def test_a_full_disk_during_a_comparison(comparison, tmp_path, tried, limit: int) -> None:
    project = copied(comparison, tmp_path)
    before = project.digests()
    where = (project.config, "--results", project.results)
    limited = with_file_size_limit(limit, "compare", *where, "--force")
    assert "cannot be written: File too large" in one_line(limited)
    assert not list(project.results.rglob(f"*{PARTIAL}"))
    if limit == 0:
        assert project.digests() == before
    finish("compare", project)
    assert project.digests() == before
    tried("a full disk during compare", "one line, exit 1; the next run: same bytes")
