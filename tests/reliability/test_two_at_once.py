"""Two runs into one directory: the second stops with a line that names the first."""

from __future__ import annotations

import multiprocessing
import re
from multiprocessing.connection import Connection
from pathlib import Path

from mini_exp.experiment.lock import locked
from tests.conftest import Project

CONTEXT = multiprocessing.get_context("spawn")


def hold(directory: Path, connection: Connection) -> None:
    with locked(directory):
        connection.send("held")
        connection.recv()


def test_the_second_stops_and_the_dead_do_not_count(small: Project, tried) -> None:
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=hold, args=(small.directory, there))
    process.start()
    assert here.recv() == "held"
    before = small.digests()
    result = small("run", "--force")
    assert result.exit_code == 1
    assert re.fullmatch(
        rf"mini-exp: .*small: in use by process {process.pid} since \d{{4}}-\d\d-\d\d "
        r"\d\d:\d\d:\d\d; wait until it has ended\n",
        result.stderr,
    )
    assert small.digests() == before
    tried("two runs into one directory", "the second stops, names process and time")

    process.kill()  # leaves its lock behind
    process.join()
    assert small("run").exit_code == 0
    assert not (small.directory / ".lock-owner").exists()
    tried("a lock left by a dead process", "taken over")


def test_other_directories_are_free(small: Project, tmp_path: Path, tried) -> None:
    with locked(small.directory):
        other = Project(small.config, tmp_path / "other")
        assert other("gen-mini").exit_code == 0
    assert (other.directory / "published" / "dataset.npz").is_file()
    tried("two runs into two directories", "both go on")
