"""One process at a time, and places that cannot be written."""

import subprocess
import sys

import pytest

from tests.experiment.running import failed, steps_run, succeeded

HOLD = """
import sys
from pathlib import Path
from mini_exp.experiment.lock import locked
with locked(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["returns", "is killed"])
def test_results_are_held_by_one_process(small, environment, end):
    before = small.identities()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(small.directory)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "ready\n"
        message = failed(small("run", "--force"))
        assert f"process {holder.pid} " in message
        assert str(small.directory) in message
        assert succeeded(small("status")).stdout.count("fresh") == 13
        assert small.identities() == before
        if end == "is killed":
            holder.kill()
        holder.stdin.close()
        holder.wait()
    assert steps_run(succeeded(small("run")).stdout) == set()


@pytest.mark.parametrize("command", ["run", "gen-mini", "train", "report", "status"])
@pytest.mark.parametrize("below", ["", "inner"], ids=["a file", "below a file"])
def test_results_that_cannot_be_a_directory(empty, command, below):
    empty.results.write_text("occupied")
    message = failed(empty(command, "--results", str(empty.results / below)))
    assert str(empty.results) in message
    assert "internal error" not in message
    assert empty.results.read_text() == "occupied"


def test_experiment_directory_that_is_a_file(empty):
    empty.results.mkdir()
    empty.directory.write_text("occupied")
    assert str(empty.directory) in failed(empty("run"))
