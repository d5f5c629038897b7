"""Prune networks that nobody in this project made; score them before and after.

FOLDER holds a folder of each one's weights. From the repository's root:

    python -m scripts.foreign FOLDER --cifar10 data/cifar10 --reencoded

Calibration and recovery take no labels: training images of CIFAR-10, half of the states that an
agent visited, half of a recording. No score is on what a network is calibrated on. Where a network
cannot be read, pruned or scored, the table says why. Returns of agents need gymnasium and are left
out where it is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pandas as pd

from mini_exp import prune
from mini_exp.errors import MiniExpError
from mini_exp.experiment.formats import table
from mini_exp.files import write_bytes
from mini_exp.report.tables import markdown
from mini_exp.tasks.images.cifar10 import Cifar10
from scripts.foreign.catalogue import FOREIGN, Foreign

ORIGINAL = (1.0, False)
STAGES = (ORIGINAL, *((keep, recovered) for keep in (0.75, 0.5) for recovered in (False, True)))
"""Shares of every group, and whether the network is recovered afterwards."""
PARAMETERS = "parameters"


LEGEND = """\
Each network as its authors published it, calibrated on at most 2 000 samples without labels and
scored on others: pruned by `prune(network, batches, keep=…)`, and by the same with `recover=True`.
Where no labels are at hand, scores compare with the original's outputs.
"""


class Row(NamedTuple):
    """One number, or why there is none."""

    network: str
    source: str
    licence: str
    measure: str
    keep: float
    recovered: bool
    value: float | None
    refusal: str | None


def rows(foreign: Foreign, folder: Path, cifar10: Cifar10) -> Iterator[Row]:
    """Parameters and scores of the original, and of its pruned and recovered networks."""
    about = (foreign.name, foreign.source, foreign.licence)
    try:
        original = foreign.network(folder)
        trial = foreign.trial(folder, cifar10)
    except MiniExpError as error:
        yield Row(*about, PARAMETERS, *ORIGINAL, None, str(error))
        return
    for keep, recovered in STAGES:
        network = original
        if (keep, recovered) != ORIGINAL:
            try:
                network, _ = prune(original, trial.batches, keep=keep, recover=recovered)
            except MiniExpError as error:
                yield Row(*about, PARAMETERS, keep, recovered, None, str(error))
                continue
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        yield Row(*about, PARAMETERS, keep, recovered, n_parameters, None)
        for measure, score in trial.scores.items():
            yield Row(*about, measure, keep, recovered, score(original, network), None)


def markdown_table(results: Sequence[Row]) -> str:
    """A line per network and measure; why there is no number stands in the line of parameters."""
    lines: dict[tuple[str, str, str], dict[tuple[float, bool], str]] = {}
    for row in results:
        key = (row.network, f"{row.source}, {row.licence}", row.measure)
        lines.setdefault(key, {})[row.keep, row.recovered] = row.refusal or number(row)
    stages = [f"Keep {keep:g}{', recovered' * recovered}" for keep, recovered in STAGES[1:]]
    header = ["Network", "Source", "Measure", "Original", *stages]
    cells = [
        [*key, *(by_stage.get(stage, "–") for stage in STAGES)] for key, by_stage in lines.items()
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
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    help="write foreign.csv and foreign.md here as well",
)
def main(folder: Path, cifar10: Path, reencoded: bool, results: Path | None) -> None:
    data = Cifar10(root=str(cifar10), reencoded=reencoded)
    found: list[Row] = []
    for foreign in FOREIGN:
        click.echo(f"{foreign.name} …", err=True)
        found += rows(foreign, folder, data)
    page = markdown_table(found)
    click.echo(page)
    if results:
        try:
            write_bytes(results / "foreign.csv", table.to_bytes(pd.DataFrame(found)))
            write_bytes(
                results / "foreign.md", f"# Networks of others\n\n{LEGEND}\n{page}\n".encode()
            )
        except MiniExpError as error:
            raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
