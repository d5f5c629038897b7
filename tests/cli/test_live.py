"""A run while it goes on: the epoch and the time left at a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rich.console
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.cli.live import _Running
from mini_exp.experiment import formats
from mini_exp.experiment.sequence import steps_of
from mini_exp.files import sha256
from mini_exp.settings.reading import load_config
from mini_exp.steps import train
from tests.cli.conftest import ESCAPE
from tests.conftest import Project, experiment_file

COLOR = re.compile(rb"\x1b\[[0-9;]*m")
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


def test_epochs_are_told_and_change_nothing(tiny: Project) -> None:
    settings = load_config(tiny.config).variants["published"]
    path = tiny.directory / "published" / "dataset.npz"
    samples = formats.read(path, sha256(path), "samples")
    heard: list[tuple[int, int, float]] = []
    alone, history = train.run(settings, samples)
    watched, same = train.run(settings, samples, on_epoch=lambda *epoch: heard.append(epoch))
    assert watched.keys() == alone.keys()
    assert all(watched[name].equal(alone[name]) for name in alone)
    np.testing.assert_array_equal(same["loss"], history["loss"])
    assert heard == [(n + 1, 3, loss) for n, loss in enumerate(history["loss"])]


def test_steps_that_train_are_those_with_a_history(tiny: Project) -> None:
    for step in steps_of(load_config(tiny.config)).values():
        assert (step.counts == "epoch") == any("history" in file for file in step.outputs), step


def shown(running: _Running, width: int) -> str:
    """As a terminal of that width shows it."""
    output = io.StringIO()
    console = rich.console.Console(file=output, width=width, force_terminal=True, no_color=True)
    console.print(running)
    return ESCAPE.sub(b"", output.getvalue().encode()).decode().rstrip("\n")


@pytest.mark.parametrize("width", [120, 80, 60, 30, 10])
@pytest.mark.parametrize("variant", ["published", "x" * 64, ""])
def test_a_running_step_is_one_line(width: int, variant: str) -> None:
    running = _Running(variant, "train", "epoch")
    before = shown(running, width)
    running(112, 200, 0.51234)
    after = shown(running, width)
    for text in (before, after):
        assert len(text) <= width
        assert "\n" not in text
    if len(variant) < 16 and width >= 60:
        assert "epoch 112/200  loss 0.512  0:00 left" in after
        assert "━" in after


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that trains long enough to be seen doing so."""
    path = tmp_path_factory.mktemp("longer") / "longer.yaml"
    return experiment_file(path, train={"epochs": 100_000})


def without_seconds(lines: list[str]) -> list[str]:
    return [re.sub(r"\d+\.\d\d s", "s", line).rstrip() for line in lines]


STEP_COMMANDS = ("gen-mini", "train", "covariance")


def test_what_stays_is_what_is_printed_elsewhere(tiny, tmp_path, terminal_of) -> None:
    for command in STEP_COMMANDS:
        arguments = (command, tiny.config, "--results")
        live = terminal_of(*arguments, tmp_path / "live")
        assert live.end() == 0
        plain = CliRunner().invoke(main, [*map(str, arguments), str(tmp_path / "plain")])
        assert without_seconds([line for line in live.lines() if line]) == without_seconds(
            plain.stdout.splitlines()
        )
        assert live.written.count(HIDE_CURSOR) == live.written.count(SHOW_CURSOR) == 1


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["color", "no color"])
def test_ctrl_c_while_a_bar_is_shown(longer, tmp_path, terminal_of, columns, variables) -> None:
    live = terminal_of("run", longer, "--results", tmp_path, columns=columns, **variables)
    live.until(rb"epoch +\d+/100000  loss \d\.\d\d\d  \d+:\d\d left")
    os.killpg(live.process.pid, signal.SIGINT)
    assert live.end() == 130
    assert live.lines()[-2:] == ["mini-exp: interrupted; what had finished is kept", ""]
    assert live.written.rindex(SHOW_CURSOR) > live.written.rindex(HIDE_CURSOR)
    assert live.written.rindex(b"epoch") < live.written.rindex(SHOW_CURSOR)
    assert bool(COLOR.search(live.written)) == (not variables and columns == 80)


def test_ctrl_c_with_the_messages_elsewhere(longer, tmp_path, terminal_of, environment) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mini_exp", "run", str(longer), "--results", str(tmp_path)],
        env={**environment, "TERM": "xterm"},
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    while b"loss" not in written:
        written += os.read(ours, 10_000)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    with contextlib.suppress(OSError):
        while content := os.read(ours, 10_000):
            written += content
    os.close(ours)
    assert errors == b"mini-exp: interrupted; what had finished is kept\n"
    assert written.rindex(SHOW_CURSOR) > written.rindex(HIDE_CURSOR)


def test_a_dumb_terminal_gets_plain_lines(tiny, tmp_path, terminal_of) -> None:
    plain = terminal_of("gen-mini", tiny.config, "--results", tmp_path, TERM="dumb")
    assert plain.end() == 0
    assert not ESCAPE.search(plain.written)
    assert len(plain.written.splitlines()) == 2


def test_quiet_is_quiet_at_a_terminal_too(tiny, tmp_path, terminal_of) -> None:
    quiet = terminal_of("gen-mini", tiny.config, "--results", tmp_path, "--quiet")
    assert (quiet.end(), quiet.written) == (0, b"")


def test_an_error_clears_the_bar(longer, tmp_path, terminal_of) -> None:
    live = terminal_of(
        *("run", longer, "--results", tmp_path),
        *("--set", "train.learning_rate=1e300", "--set", "train.epochs=2"),
    )
    assert live.end() == 1
    assert live.lines()[-2].startswith("mini-exp: published: train: the loss became")
    assert live.written.rindex(SHOW_CURSOR) > live.written.rindex(HIDE_CURSOR)
