"""What people see: a run while it goes on, tables, and plain lines where nobody looks."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rich.console
from click.testing import CliRunner
from rich.cells import cell_len

from mini_exp import artifacts, terminal
from mini_exp.cli import main
from mini_exp.config import load_config
from mini_exp.pipeline import IMAGE_STEPS, STEPS
from mini_exp.steps import train
from tests.conftest import Project, experiment_file

ROOT = Path(__file__).parent.parent
MINI, DIGITS = ROOT / "results" / "mini", ROOT / "results" / "digits"
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
COLOR = re.compile(rb"\x1b\[[0-9;]*m")
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


# Tables


@pytest.fixture(params=[80, 60])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def show(directory: Path) -> str:
    result = CliRunner().invoke(main, ["show", str(directory)])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("directory", [MINI, DIGITS], ids=lambda path: path.name)
def test_nothing_is_cut_off(width: int, directory: Path) -> None:
    printed = show(directory)
    assert max(map(cell_len, printed.splitlines())) <= width  # m̂ is one cell
    assert "…" not in printed
    parts = iter(printed.split())  # whole and in order, wherever lines were broken
    order = list(dict.fromkeys(row["protocol"] for row in rows(directory / "table1.csv")))
    table = sorted(rows(directory / "table1.csv"), key=lambda row: order.index(row["protocol"]))
    digits = 2 if directory == MINI else 3
    for row in table:
        exact = 0 if row["measure"] == "parameters" else digits
        numbers = [f"{float(row[stage]):.{exact}f}" for stage in terminal.STAGES]
        for number in numbers:
            assert number in parts, row


def test_table_1_has_the_thesis_first_and_n(tmp_path: Path) -> None:
    shutil.copy(MINI / "table1.csv", tmp_path)  # without a manifest, and anything else
    header, *lines = (tmp_path / "table1.csv").read_text().splitlines()
    (tmp_path / "table1.csv").write_text("\n".join([header, *lines[2:], *lines[:2]]) + "\n")
    printed = show(tmp_path).splitlines()
    assert printed[0].split() == ["Table", "1", "n", *terminal.STAGES]
    assert printed[2].strip() == "thesis (2019)"
    assert printed[3].split() == ["test", "loss", "99", "1.45", "0.90", "0.87"]
    assert printed[-1] == (
        "An accuracy on 99 or 100 test samples is worth ± 0.10 (exact intervals: report)."
    )
    assert not any("Claim" in line for line in printed)


@pytest.mark.parametrize("directory", [MINI, DIGITS], ids=lambda path: path.name)
def test_numbers_are_aligned_to_the_right(width: int, directory: Path) -> None:
    header, _, *lines = show(directory).partition("An accuracy")[0].splitlines()
    ends = [header.index(stage) + len(stage) for stage in terminal.STAGES]
    found = [[one.end() for one in re.finditer(r"\d[\d.]*", line)][-3:] for line in lines[1:]]
    with_numbers = [ends_of_line for ends_of_line in found if len(ends_of_line) == 3]
    assert with_numbers == [ends] * len(rows(directory / "table1.csv"))


def test_every_verdict_is_there(width: int) -> None:
    printed = " ".join(show(MINI).partition("Claims")[2].split())
    for row in rows(MINI / "study" / "claims.csv"):
        section = printed.partition(f" {row['claim']} ")[2]
        section = re.split(r" C\d+ ", section)[0]
        assert row["statement"] in section
        assert re.search(rf"{row['verdict']} (\w+, )*{row['variant']}\b", section), row


def test_differences_to_other_pruners_are_there() -> None:
    printed = show(DIGITS).partition("minus others")[2]
    for row in rows(DIGITS / "compare" / "differences.csv"):
        group = printed.partition(f"\n{row['widths']} ")[2]
        numbers = [f"{float(row['difference']):+.1f}", f"{float(row['half']):.1f}"]
        name = f"{row['stage']}, {row['other']}"
        line = next(line for line in group.splitlines() if name in line)
        assert line.split()[-2:] == numbers


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere: no such directory; `mini-exp run CONFIG.yaml` makes it"),
        ("empty", "empty: has no table1.csv; `mini-exp run CONFIG.yaml` makes it"),
        ("file", "file: expected a directory of results, e.g. results/mini, got a file"),
        ("above", "above: expected the results of one experiment, e.g. above/one"),
    ],
)
def test_no_results(tmp_path: Path, monkeypatch, path: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "above" / "one").mkdir(parents=True)
    (tmp_path / "above" / "one" / "table1.csv").touch()
    result = CliRunner().invoke(main, ["show", path])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"mini-exp: {message}\n"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"protocol,measure\n", b"a,b\n1,2\n", b"\xff\xfe\x00", b"\x00" * 300),
        (MINI / "table1.csv").read_bytes()[:450],
        (MINI / "table1.csv").read_bytes().replace(b"0.87", b"o.87"),
        (MINI / "table1.csv").read_bytes().replace(b"published", b"\x1b[31mpublished"),
        b'"' + b"x" * 200_000,
    ],
    ids=["empty", "header", "other", "bytes", "nul", "cut", "letter", "escape", "quote"],
)
def test_a_damaged_table_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table1.csv"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["show", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"mini-exp: {path}: damaged; `mini-exp report CONFIG.yaml --force` makes it anew\n"
    )


@pytest.mark.parametrize(
    ("source", "file", "maker"),
    [(MINI, "study/claims.csv", "study"), (DIGITS, "compare/differences.csv", "compare")],
)
def test_damaged_pages_name_what_makes_them(
    tmp_path: Path, source: Path, file: str, maker: str
) -> None:
    shutil.copy(source / "table1.csv", tmp_path)
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text("nothing\n1\n")
    result = CliRunner().invoke(main, ["show", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{file}: damaged; `mini-exp {maker} CONFIG.yaml`" in result.stderr


def test_long_names_wrap_and_numbers_do_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = (MINI / "table1.csv").read_text(encoding="utf-8")
    (tmp_path / "table1.csv").write_text(text.replace("corrected_bias", "x" * 64))
    printed = show(tmp_path)
    assert max(map(len, printed.splitlines())) <= 60
    assert printed.count("x") == 64 + "exact".count("x")
    assert re.search(r"test loss +100 +1.51 +1.33 +0.98$", printed, re.MULTILINE)


def test_show_imports_nothing_heavy(environment) -> None:
    code = (
        "import sys\n"
        "from mini_exp.cli import main\n"
        "main(['show', sys.argv[1]], standalone_mode=False)\n"
        "print({name.partition('.')[0] for name in sys.modules}\n"
        "      & {'torch', 'matplotlib', 'pandas', 'scipy', 'numpy', 'pydantic'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(MINI)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


# Epochs


@pytest.fixture
def trained(tiny: Project):
    """The settings and the inputs of a finished experiment's training."""
    settings = load_config(tiny.config).variants["published"]
    return settings, artifacts.read(
        tiny.directory / "published" / "dataset.npz",
        artifacts.sha256(tiny.directory / "published" / "dataset.npz"),
        "mini",
    )


def test_epochs_are_told_and_change_nothing(trained) -> None:
    heard: list[tuple[int, int, float]] = []
    alone, history = train.run(*trained)
    watched, same = train.run(*trained, on_epoch=lambda *epoch: heard.append(epoch))
    for ours, theirs in zip(watched.weights, alone.weights, strict=True):
        assert ours.equal(theirs)
    np.testing.assert_array_equal(same.loss, history.loss)
    assert heard == [(n + 1, 3, loss) for n, loss in enumerate(history.loss[0])]


def test_steps_that_train_are_those_with_a_history() -> None:
    for step in (*STEPS, *IMAGE_STEPS):
        assert step.trains == any("history" in file for file in step.outputs), step


# The live display


def shown(running: terminal._Running, width: int) -> str:
    """As a terminal of that width shows it."""
    output = io.StringIO()
    console = rich.console.Console(file=output, width=width, force_terminal=True, no_color=True)
    console.print(running)
    return ESCAPE.sub(b"", output.getvalue().encode()).decode().rstrip("\n")


@pytest.mark.parametrize("width", [120, 80, 60, 30, 10])
@pytest.mark.parametrize("variant", ["published", "x" * 64, ""])
def test_a_running_step_is_one_line(width: int, variant: str) -> None:
    running = terminal._Running(variant, "train")
    before = shown(running, width)
    running(112, 200, 0.51234)
    after = shown(running, width)
    for text in (before, after):
        assert len(text) <= width
        assert "\n" not in text
    if len(variant) < 16 and width >= 60:
        assert "epoch 112/200  loss 0.512  0:00 left" in after
        assert "━" in after


class Terminal:
    """A command in a terminal, and what it has written there so far."""

    def __init__(self, arguments: list[str], environment: dict[str, str], columns: int) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mini_exp", *arguments],
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.written = b""

    def until(self, pattern: bytes) -> None:
        while not re.search(pattern, self.written):
            self.written += os.read(self.ours, 10_000)

    def end(self) -> int:
        with contextlib.suppress(OSError):  # nobody holds the other end any more
            while content := os.read(self.ours, 10_000):
                self.written += content
        os.close(self.ours)
        return self.process.wait()

    def lines(self) -> list[str]:
        """What stays on the screen: a bar is wiped before the next line."""
        whole = [line.rpartition(b"\x1b[2K")[2] for line in self.written.split(b"\r\n")]
        return [ESCAPE.sub(b"", line).decode().rstrip() for line in whole]


@pytest.fixture
def terminal_of(environment) -> Iterator[object]:
    """Start commands in terminals of their own."""
    started: list[Terminal] = []

    def start(*arguments: object, columns: int = 80, **variables: str) -> Terminal:
        clean = {k: v for k, v in environment.items() if k not in ("COLUMNS", "NO_COLOR")}
        variables = {"TERM": "xterm-256color", **variables}
        started.append(Terminal([*map(str, arguments)], clean | variables, columns))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


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


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_tables_without_color(terminal_of, variables: dict[str, str]) -> None:
    printed = terminal_of("show", MINI, **variables)
    assert printed.end() == 0
    assert not COLOR.search(printed.written)


def test_tables_where_a_terminal_knows_only_ascii(environment) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "mini_exp", "show", str(MINI)],
        env={**environment, **ascii_only},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert done.stdout.isascii()
    assert b"\\xb1 0.10" in done.stdout
