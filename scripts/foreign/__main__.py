"""Prune networks that nobody in this project made; score them before and after.

FOLDER holds a folder of each one's weights. From the repository's root:

    python -m scripts.foreign FOLDER --cifar10 data/cifar10 --reencoded

Calibration takes no labels: training images of CIFAR-10, half of the states that an agent visited,
half of a recording. No score is on what a network is calibrated on. Where a network cannot be
read, pruned or scored, the table says why. Returns of agents need gymnasium and are left out
where it is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pandas as pd
from torch import nn

from mini_exp import prune
from mini_exp.errors import MiniExpError
from mini_exp.experiment.formats import table
from mini_exp.files import write_bytes
from mini_exp.report.tables import markdown
from mini_exp.tasks.images.cifar10 import Cifar10
from scripts.foreign.catalogue import FOREIGN, Foreign
from scripts.foreign.trials import Trial

KEEP = (0.75, 0.5)  # shares of every group
ORIGINAL = 1.0
PARAMETERS = "parameters"


class Row(NamedTuple):
    """One number, or why there is none."""

    network: str
    source: str
    licence: str
    measure: str
    keep: float
    value: float | None
    refusal: str | None


def rows(foreign: Foreign, folder: Path, cifar10: Cifar10) -> Iterator[Row]:
    """Parameters and scores of the original and of its pruned networks."""
    about = (foreign.name, foreign.source, foreign.licence)
    try:
        original = foreign.network(folder)
        trial = foreign.trial(folder, cifar10)
    except MiniExpError as error:
        yield Row(*about, PARAMETERS, ORIGINAL, None, str(error))
        return
    for keep in (ORIGINAL, *KEEP):
        try:
            network = original if keep == ORIGINAL else pruned(original, trial, keep)
        except MiniExpError as error:
            yield Row(*about, PARAMETERS, keep, None, str(error))
            continue
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        yield Row(*about, PARAMETERS, keep, n_parameters, None)
        for measure, score in trial.scores.items():
            yield Row(*about, measure, keep, score(original, network), None)


def pruned(original: nn.Module, trial: Trial, keep: float) -> nn.Module:
    network, _ = prune(original, trial.batches, keep=keep)
    return network


def markdown_table(results: Sequence[Row]) -> str:
    """A line per network and measure; why there is no number stands in the line of parameters."""
    lines: dict[tuple[str, str, str], dict[float, str]] = {}
    for row in results:
        key = (row.network, f"{row.source}, {row.licence}", row.measure)
        lines.setdefault(key, {})[row.keep] = row.refusal or number(row)
    header = ["Network", "Source", "Measure", "Original", *(f"Keep {keep:g}" for keep in KEEP)]
    cells = [
        [*key, *(by_keep.get(keep, "–") for keep in (ORIGINAL, *KEEP))]
        for key, by_keep in lines.items()
    ]
    return markdown(header, cells, text_columns=3)


def number(row: Row) -> str:
    """Parameters whole, scores to four digits."""
    return f"{row.value:.0f}" if row.measure == PARAMETERS else f"{row.value:.4g}"


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--cifar10",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/cifar10"),
    show_default=True,
    help="folder of CIFAR-10's binary files",
)
@click.option("--reencoded", is_flag=True, help="its images were re-encoded with loss; say so")
@click.option(
    "--csv", type=click.Path(dir_okay=False, path_type=Path), help="write the numbers here as well"
)
def main(folder: Path, cifar10: Path, reencoded: bool, csv: Path | None) -> None:
    data = Cifar10(root=str(cifar10), reencoded=reencoded)
    results: list[Row] = []
    for foreign in FOREIGN:
        click.echo(f"{foreign.name} …", err=True)
        results += rows(foreign, folder, data)
    click.echo(markdown_table(results))
    if csv:
        try:
            write_bytes(csv, table.to_bytes(pd.DataFrame(results)))
        except MiniExpError as error:
            raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
