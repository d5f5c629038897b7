"""Prune every family of networks of torchvision, timm and transformers by half: `make zoo`.

One row for each: covered, or the reason why not; how far the pruned network is from the original
without the removed units; parameters and multiply-accumulates removed; seconds; and what
Torch-Pruning makes of the same network. Every trial runs in a process of its own, within limits of
time and memory. The tables go to results/zoo; rows of families that are not asked for stay.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pandas as pd

from mini_exp.files import write_bytes
from mini_exp.report.tables import markdown
from scripts.zoo_families import LIBRARIES

ROOT = Path(__file__).parent.parent
COLUMNS = {
    "library": "Library",
    "family": "Family",
    "model": "Network",
    "result": "Result",
    "reason": "Reason",
    "agreement": "Agreement",
    "difference": "Difference",
    "shapes": "Shapes",
    "training": "Training",
    "parameters_removed": "Parameters, %",
    "macs_removed": "MACs, %",
    "seconds": "Seconds",
    "peer": "Torch-Pruning",
    "peer_reason": "Its reason",
    "peer_parameters_removed": "Its parameters, %",
    "peer_macs_removed": "Its MACs, %",
}
FORMATS = {"agreement": ".0e", "difference": ".0e"}
NUMBERS = ("agreement", "difference", "parameters_removed", "macs_removed", "seconds")
RESULTS = ("covered", "refused", "broken", "wrong", "stopped")
PEER_RESULTS = ("works", "refused", "broken", "stopped")
LEGEND = """\
Random weights, half of every group of units. *Covered*: pruned, the same shapes on a batch of
another size, a training step, and on that batch the outputs of the original with the removed units'
weights set to zero. *Agreement* is what `prune` measures, *difference* what the zoo does (relative,
float32, sliced weights). *Refused*: an error that names the reason. *Broken*: another error, other
shapes or no training step. *Wrong*: other outputs. *Stopped*: over the limits of time or memory, or
not built. MACs are the multiply-accumulates of a pass. Torch-Pruning *works* where the pruned
network gives the same shapes; that it does not train is a remark. Without a result:
not run with this version.
"""


def trial(kind: str, library: str, family: str, time_limit: float) -> dict[str, Any]:
    """A row's columns from a process of its own; whatever ends it, there is a result."""
    command = (sys.executable, "-m", "scripts.zoo_trials", kind, library, family)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    try:
        process = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=time_limit,
        )
    except subprocess.TimeoutExpired:
        return stopped(kind, f"more than {time_limit:.0f} s")
    if process.returncode < 0:
        return stopped(kind, f"signal {-process.returncode}")
    if process.returncode:
        return stopped(kind, (process.stderr.strip().splitlines() or ["no message"])[-1])
    cells: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return cells


def stopped(kind: str, reason: str) -> dict[str, Any]:
    name = {"own": "result", "peer": "peer"}[kind]
    return {name: "stopped", "reason" if kind == "own" else "peer_reason": reason}


def with_rows(table: pd.DataFrame, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table with these rows in place of earlier ones, families in the order of the list."""
    order = [(library, family) for library in LIBRARIES for family in LIBRARIES[library]]
    new = {(row["library"], row["family"]): row for row in rows}
    old = {(row["library"], row["family"]): row for row in table.to_dict(orient="records")}
    chosen = old | new
    return pd.DataFrame([chosen[key] for key in order if key in chosen], columns=list(COLUMNS))


def known_peer(table: pd.DataFrame, library: str, family: str) -> dict[str, Any]:
    """What the table has of Torch-Pruning."""
    rows = table[(table["library"] == library) & (table["family"] == family)]
    peer = rows[[name for name in COLUMNS if name.startswith("peer")]]
    return {str(key): x for key, x in peer.iloc[0].items()} if len(peer) else {}


def counts(table: pd.DataFrame) -> str:
    """Families by library: of all, how many are covered and how the others end; and the peer's."""
    header = ["Library", "Families", *(name.capitalize() for name in RESULTS)]
    header += [f"Torch-Pruning: {name}" for name in PEER_RESULTS]
    cells = []
    for library, rows in table.groupby("library", sort=False):
        numbers = [len(rows), *((rows["result"] == name).sum() for name in RESULTS)]
        numbers += [(rows["peer"] == name).sum() for name in PEER_RESULTS]
        cells.append([str(library), *map(str, numbers)])
    return markdown(header, cells, 1)


def page(table: pd.DataFrame, versions: str) -> str:
    """The table as Markdown: counts first, then a section for every library."""
    parts = ["# The zoo", versions, LEGEND.strip(), counts(table)]
    columns = [name for name in COLUMNS if name != "library"]
    for library, rows in table.groupby("library", sort=False):
        cells = [[cell(name, row[name]) for name in columns] for _, row in rows.iterrows()]
        header = [COLUMNS[name] for name in columns]
        parts += [f"## {library}", markdown(header, cells, 4)]
    return "\n\n".join(parts) + "\n"


def cell(column: str, value: Any) -> str:
    if pd.isna(value):
        return ""
    return format(value, FORMATS.get(column, ".1f")) if isinstance(value, float) else str(value)


def chosen_families(library: str | None, families: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of library and family, all of them where nothing is asked for."""
    chosen = [
        (name, family)
        for name in LIBRARIES
        if library in (None, name)
        for family in LIBRARIES[name]
        if not families or family in families
    ]
    unknown = set(families) - {family for _, family in chosen}
    if unknown:
        raise click.UsageError(f"expected families of the zoo, got {', '.join(sorted(unknown))}")
    missing = sorted({name for name, _ in chosen if importlib.util.find_spec(name) is None})
    if missing:
        raise click.ClickException(f"{', '.join(missing)}: not installed; make zoo installs them")
    return chosen


@click.command(help=__doc__)
@click.option("--library", type=click.Choice(list(LIBRARIES)), help="Families of one library only.")
@click.option("--family", "families", multiple=True, help="This family only; may be repeated.")
@click.option("--own", is_flag=True, help="Leave Torch-Pruning's columns as they are.")
@click.option("--time-limit", default=600.0, show_default=True, help="Of one trial, in seconds.")
@click.option(
    "--results",
    default=ROOT / "results" / "zoo",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where zoo.csv and zoo.md go.",
)
def main(
    library: str | None, families: Sequence[str], own: bool, time_limit: float, results: Path
) -> None:
    chosen = chosen_families(library, families)
    path = results / "zoo.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(COLUMNS))
    packages = ("torch", *LIBRARIES, "torch-pruning")
    versions = ", ".join(f"{name} {version(name)}" for name in packages) + "."
    for name, family in chosen:
        row = {"library": name, "family": family, "model": LIBRARIES[name][family].model}
        row |= trial("own", name, family, time_limit)
        row |= known_peer(table, name, family) if own else trial("peer", name, family, time_limit)
        table = with_rows(table, [row])
        write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())
        write_bytes(results / "zoo.md", page(table, versions).encode())
        click.echo(f"{name:12} {family:16} {row['result']:8} Torch-Pruning: {row['peer']}")
    click.echo(counts(table))


if __name__ == "__main__":
    main()
