"""The tables of `show`: whole, aligned, from the CSV files, at every width."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from mini_exp.cli import main
from mini_exp.cli.printing import STAGES
from mini_exp.compare.labels import widths_label
from tests.conftest import ROOT

MINI, DIGITS = ROOT / "results" / "mini", ROOT / "results" / "digits"
COLOR = re.compile(rb"\x1b\[[0-9;]*m")


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
        numbers = [f"{float(row[stage]):.{exact}f}" for stage in STAGES]
        for number in numbers:
            assert number in parts, row


def test_table_1_has_the_thesis_first_and_n(tmp_path: Path) -> None:
    shutil.copy(MINI / "table1.csv", tmp_path)  # without a manifest, and anything else
    header, *lines = (tmp_path / "table1.csv").read_text().splitlines()
    (tmp_path / "table1.csv").write_text("\n".join([header, *lines[2:], *lines[:2]]) + "\n")
    printed = show(tmp_path).splitlines()
    assert printed[0].split() == ["Table", "1", "n", *STAGES]
    assert printed[2].strip() == "thesis (2019)"
    assert printed[3].split() == ["test", "loss", "99", "1.45", "0.90", "0.87"]
    assert printed[-1] == (
        "An accuracy on 99 or 100 test samples is worth ± 0.10 (exact intervals: report)."
    )
    assert not any("Claim" in line for line in printed)


@pytest.mark.parametrize("directory", [MINI, DIGITS], ids=lambda path: path.name)
def test_numbers_are_aligned_to_the_right(width: int, directory: Path) -> None:
    header, _, *lines = show(directory).partition("An accuracy")[0].splitlines()
    ends = [header.index(stage) + len(stage) for stage in STAGES]
    ends_of_numbers = [
        [one.end() for one in re.finditer(r"\d[\d.]*", line)][-3:] for line in lines[1:]
    ]
    with_numbers = [ends_of_line for ends_of_line in ends_of_numbers if len(ends_of_line) == 3]
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
        widths = widths_label(row["rule"], float(row["share"]), row["exact"] == "True")
        group = printed.partition(f"\n{widths} ")[2]
        numbers = [f"{float(row['difference']):+.1f}", f"{float(row['half']):.1f}"]
        name = f"{row['stage']}, {row['other']}"
        line = next(line for line in group.splitlines() if name in line)
        assert line.split()[-2:] == numbers


def test_differences_say_which_widths(tmp_path: Path) -> None:
    shutil.copy(MINI / "table1.csv", tmp_path)
    (tmp_path / "compare").mkdir()
    (tmp_path / "compare" / "differences.csv").write_text(
        "rule,share,exact,stage,other,difference,half\n"
        "keep,0.75,False,pruned,magnitude,6.14,3.83\n"
        "parameters,0.25,True,pruned,magnitude,-22.34,11.0\n"
        "parameters,0.25,False,finetuned,magnitude,0.04,\n"
    )
    printed = show(tmp_path).partition("minus others")[2].splitlines()
    assert [line.split() for line in printed[2:8]] == [
        ["keep", "0.75"],
        ["pruned,", "magnitude", "+6.1", "3.8"],
        ["parameters", "0.25,", "best"],
        ["pruned,", "magnitude", "-22.3", "11.0"],
        ["parameters", "0.25,", "uniform"],
        ["finetuned,", "magnitude", "+0.0"],
    ]


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
        f"mini-exp: {path}: damaged, or of another version; `mini-exp report CONFIG.yaml --force` "
        "makes it anew\n"
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
    assert (
        f"{file}: damaged, or of another version; `mini-exp {maker} CONFIG.yaml`" in result.stderr
    )


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
