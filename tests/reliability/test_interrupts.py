"""Ctrl-C and SIGTERM: 130 and 143, one line, and the next run gets on."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, experiment_file

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
STEPS_BEFORE = [0, 1, 2, 5]
WHEN = [
    *((signal.SIGINT, 130, lines) for lines in STEPS_BEFORE),
    (signal.SIGTERM, 143, 1),
    *(pytest.param(signal.SIGTERM, 143, lines, marks=pytest.mark.long) for lines in (0, 2, 5)),
]
LINES = {
    130: "mini-exp: interrupted; what had finished is kept",
    143: "mini-exp: terminated; what had finished is kept",
}

HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


def started(environment, module: str, *arguments: object, **options) -> subprocess.Popen[str]:
    """In a group of its own, as a shell gives it."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", module, *map(str, arguments)],
        env=environment,
        text=True,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def check_end(process: subprocess.Popen[str], number: int, code: int) -> None:
    """The signal goes to the whole group, as from a terminal; no process of it is left."""
    os.killpg(process.pid, number)
    # Ends when nobody holds the pipes any more; the limit guards against hanging.
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert errors.splitlines() == [LINES[code]]


@pytest.mark.parametrize(("number", "code", "lines"), WHEN)
def test_signals(
    empty: Project, tiny: Project, environment, tried, number: int, code: int, lines: int
) -> None:
    project = Project(tiny.config, empty.results)
    process = started(environment, "mini_exp", "run", project.config, "--results", project.results)
    assert process.stdout is not None
    for _ in range(lines + 1):  # so many steps have ended; the next is on its way
        process.stdout.readline()
    check_end(process, number, code)
    tried(f"{signal.Signals(number).name} during run", f"exit {code}, one line")


def until(process: subprocess.Popen[str], line: str) -> None:
    """Read what the process prints, up to the line."""
    assert process.stdout is not None
    assert line in iter(process.stdout.readline, "")


@pytest.fixture(scope="module")
def many_replicates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment file; its study takes longer than these tests wait."""
    path = tmp_path_factory.mktemp("many") / "many.yaml"
    return experiment_file(path, study={"n_population": 200})


@pytest.mark.parametrize("times", [2, pytest.param(50, marks=pytest.mark.long)], ids=["2", "50"])
@pytest.mark.parametrize(
    ("command", "options", "since", "longest"),
    [
        ("run", ["--set", "train.epochs=50000"], "heeding", 3),
        ("study", [], "heeding", 5),
        ("study", [], "cluster", 2),
    ],
    ids=["run", "study", "start of a cluster"],
)
def test_signals_at_random_moments(
    many_replicates, tmp_path, environment, tried, command, options, since, longest, times
) -> None:
    """While it imports, while it starts its workers, while they work."""
    moments = random.Random(1701)
    arguments = (command, many_replicates, "--results", tmp_path, *options)
    for number, code in SIGNALS * (times // 2):
        process = started(environment, "tests.reliability.announcing", *arguments)
        until(process, f"{since}\n")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moments.uniform(0, longest))
        check_end(process, number, code)
        what = f"{signal.Signals(number).name} during {command}, at a random moment"
        tried(what, f"exit {code}, one line, no process left")


def test_a_background_job_ignores_ctrl_c(small: Project, environment, tried) -> None:
    """As its shell wants it to."""
    process = started(
        environment,
        "tests.reliability.announcing",
        *("run", small.config, "--results", small.results),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    until(process, "heeding\n")
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "Table 1" in output
    tried("SIGINT of a background job", "success")


def test_ctrl_c_at_a_progress_bar(many_replicates, tmp_path, environment, tried) -> None:
    """The line is not appended to the bar, and the cursor is not left hidden."""
    ours, theirs = pty.openpty()
    arguments = ("study", many_replicates, "--results", tmp_path)
    terminal = {**environment, "TERM": "xterm"}
    process = started(terminal, "mini_exp", *arguments, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"0/1000" not in shown:
        shown += os.read(ours, 10_000)
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(OSError):  # nobody holds the other end any more
        while content := os.read(ours, 10_000):
            shown += content
    os.close(ours)
    assert process.wait() == 130
    assert shown.decode().splitlines()[-1] == LINES[130]
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    tried("Ctrl-C at a progress bar", "exit 130, a line of its own, the cursor is there")


def test_a_run_after_an_interrupt(tiny: Project, empty: Project, monkeypatch, tried) -> None:
    """The steps that had finished are not repeated, and the bytes are the same."""
    monkeypatch.undo()  # draw in full, as the first run did
    project = Project(tiny.config, empty.results)
    from mini_exp.steps import covariance

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covariance, "run", interrupted)
        assert project("run").exit_code == 130
    result = project("run")
    assert result.exit_code == 0
    assert "train           fresh, skipped" in result.output
    assert project.digests() == tiny.digests()
    tried("run after an interrupt", "gets on; same bytes")
