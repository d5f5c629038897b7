"""The tables of ``show`` and ``run``, from CSV files alone."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import rich.box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mini_exp.cli.terminal import new_console
from mini_exp.compare.labels import widths_label
from mini_exp.errors import ArtifactError

STAGES = ("original", "compressed", "finetuned")

Texts = dict[str, str]
Numbers = dict[str, float | None]  # None where there is nothing


def show_results(directory: Path) -> None:
    """Print what a results directory says: Table 1, then verdicts, then other pruners.

    Parameters
    ----------
    directory : Path
        ``results/<name>``; read from its CSV files alone.

    Raises
    ------
    ArtifactError
        If there is none, or a file is damaged; the message names what makes it.
    """
    if not (directory / "table1.csv").is_file():
        raise ArtifactError(f"{directory}: {_missing(directory)}")
    show_table1(directory / "table1.csv")
    for file, function in (
        (directory / "study" / "claims.csv", show_claims),
        (directory / "compare" / "differences.csv", show_differences),
    ):
        if file.is_file():
            new_console().print()
            function(file)


def _missing(directory: Path) -> str:
    """Why a directory has no Table 1, and what to do."""
    finished = sorted(path.parent for path in directory.glob("*/table1.csv"))
    if finished:
        return f"expected the results of one experiment, e.g. {finished[0]}"
    if directory.is_file():
        return "expected a directory of results, e.g. results/mini, got a file"
    what = "has no table1.csv" if directory.is_dir() else "no such directory"
    return f"{what}; `mini-exp run CONFIG.yaml` makes it"


def show_table1(path: Path) -> None:
    """Print Table 1, the thesis's rows first."""
    bounds = [(f"{stage}_low", f"{stage}_high") for stage in STAGES]
    columns = ("n", *STAGES, *(name for pair in bounds for name in pair))
    rows = _rows(path, ("protocol", "measure"), columns, "report CONFIG.yaml --force")
    rows.sort(key=lambda row: not row[0]["protocol"].startswith("thesis"))
    samples = [numbers["n"] for _, numbers in rows if numbers["n"] is not None]
    digits = 2 if min(samples, default=0) < 200 else 3  # what the smallest sample is worth
    groups: dict[str, list[tuple[str, ...]]] = {}
    for texts, numbers in rows:
        exact = 0 if texts["measure"] == "parameters" else digits
        of_stages = [_fixed(numbers[stage], exact) for stage in STAGES]
        if texts["measure"].endswith("divergence"):  # may be small
            of_stages = [f"{numbers[stage] or 0:.3g}" for stage in STAGES]
        shown = (_fixed(numbers["n"], 0), *of_stages)
        groups.setdefault(texts["protocol"], []).append((texts["measure"], *shown))
    new_console().print(_grouped("Table 1", ("n", *STAGES), groups))

    accuracies = [numbers for texts, numbers in rows if texts["measure"] == "accuracy"]
    if not accuracies:  # of a network without classes
        return
    sizes = sorted({row["n"] or 0 for row in accuracies})
    halves = [
        ((row[high] or 0) - (row[low] or 0)) / 2 for row in accuracies for low, high in bounds
    ]
    new_console().print(
        f"An accuracy on {' or '.join(f'{n:.0f}' for n in sizes)} test samples is worth "
        f"± {max(halves, default=0):.2f} (exact intervals: report)."
    )


def show_claims(path: Path) -> None:
    """Print every claim with its verdicts, and the variants that have each."""
    claims: dict[tuple[str, str], dict[str, list[str]]] = {}
    columns = ("claim", "statement", "variant", "verdict")
    for row, _ in _rows(path, columns, (), "study CONFIG.yaml"):
        verdicts = claims.setdefault((row["claim"], row["statement"]), {})
        verdicts.setdefault(row["verdict"], []).append(row["variant"])
    widest = max(len(verdict) for verdicts in claims.values() for verdict in verdicts)
    table = Table.grid(padding=(0, 2, 0, 0))
    for (claim, statement), verdicts in claims.items():
        inner = Table.grid(padding=(0, 2, 0, 0))
        inner.add_column(width=widest)
        inner.add_column(overflow="fold")
        for verdict, variants in verdicts.items():
            inner.add_row(Text(verdict, "bold"), Text(", ".join(variants)))
        table.add_row(claim, statement)
        table.add_row("", inner)
    new_console().print("Claims of the thesis\n")
    new_console().print(table)


def show_differences(path: Path) -> None:
    """Print what spectral pruning gains over other pruners."""
    columns = (("rule", "exact", "stage", "other"), ("share", "difference", "half"))
    groups: dict[str, list[tuple[str, ...]]] = {}
    for texts, numbers in _rows(path, *columns, "compare CONFIG.yaml"):
        widths = widths_label(texts["rule"], numbers["share"] or 0.0, texts["exact"] == "True")
        name = f"{texts['stage']}, {texts['other']}"
        shown = (_fixed(numbers["difference"], 1, "+"), _fixed(numbers["half"], 1))
        groups.setdefault(widths, []).append((name, *shown))
    new_console().print(_grouped("Spectral minus others", ("points", "±"), groups))
    new_console().print(
        "Percentage points of test accuracy, on the same networks at the same widths; ± is half "
        "the confidence interval."
    )


def _grouped(
    title: str, header: Iterable[str], groups: Mapping[str, Iterable[tuple[str, ...]]]
) -> Table:
    """A table with a line above every group of rows; names may wrap, numbers never do."""
    table = Table(
        title,
        box=rich.box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    table.columns[0].overflow = "fold"
    for name in header:
        table.add_column(name, justify="right", no_wrap=True)
    for group, rows in groups.items():
        table.add_row(group)
        for label, *numbers in rows:
            table.add_row(Padding(label, (0, 0, 0, 2)), *numbers)
    return table


def _fixed(value: float | None, digits: int, sign: str = "-") -> str:
    return "" if value is None else f"{value:{sign}.{digits}f}"


def _rows(
    path: Path, texts: Sequence[str], numbers: Sequence[str], maker: str
) -> list[tuple[Texts, Numbers]]:
    """The rows of a CSV file: its columns of text, and those of numbers."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                (
                    {name: _printable(row[name]) for name in texts},
                    {name: float(row[name]) if row[name] != "" else None for name in numbers},
                )
                for row in csv.DictReader(file, strict=True)
            ]
        if not rows:
            raise ValueError
        return rows
    # AttributeError and TypeError: a row that ends too early
    except (ValueError, KeyError, AttributeError, TypeError, csv.Error):
        raise ArtifactError(
            f"{path}: damaged, or of another version; `mini-exp {maker}` makes it anew"
        ) from None


def _printable(text: str) -> str:
    """The text itself, unless it could steer a terminal."""
    if not text.isprintable():
        raise ValueError
    return text
