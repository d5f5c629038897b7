"""Ctrl-C and SIGTERM: 130 and 143, one line, and the next run gets on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import Project

STEPS_BEFORE = [0, 1, 2, 5]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("lines", STEPS_BEFORE)
def test_signals(
    empty: Project, tiny: Project, environment, tried, number: int, code: int, lines: int
) -> None:
    project = Project(tiny.config, empty.results)
    process = subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-m",
            "mini_exp",
            "run",
            str(project.config),
            "--results",
            str(project.results),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for _ in range(lines + 1):  # so many steps have ended; the next is on its way
        process.stdout.readline()
    os.killpg(process.pid, number)  # as a terminal does: the whole group
    _, errors = process.communicate(timeout=60)  # a guard against hanging, not a measurement
    assert process.returncode == code
    assert errors.splitlines() == [
        f"mini-exp: {'interrupted' if code == 130 else 'terminated'}; what had finished is kept"
    ]
    assert not list(project.results.rglob("*.partial"))
    tried(f"{signal.Signals(number).name} during run", f"exit {code}, one line")


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
