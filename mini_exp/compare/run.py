"""`mini-exp compare`: every method on the same trained networks, at the same widths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mini_exp.compare import figures, page, tables
from mini_exp.compare.labels import method_label, widths_label
from mini_exp.compare.networks import network_rows, thetas
from mini_exp.compare.rows import Row, csv_bytes, frame_of, read_rows
from mini_exp.compare.training import TrainedNetworks
from mini_exp.errors import ConfigError
from mini_exp.experiment import formats
from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.ledger import Ledger
from mini_exp.experiment.lock import locked
from mini_exp.experiment.manifest import read_manifest
from mini_exp.experiment.publications import publish
from mini_exp.files import write_bytes
from mini_exp.report.drawing import figure_files
from mini_exp.settings.config import Config
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings
from mini_exp.tasks.task import Samples

Say = Callable[[str], None]

DATASET = "dataset.npz"


def run_compare(config: Config, directory: Path, force: bool, say: Say) -> None:
    """Compare on every network that is not done yet, then write the tables and the figure.

    Uses the data, network, training, calibration and recovery of the first variant. Trained
    networks are kept in ``compare/trained`` and a finished one's rows in ``compare/networks``, so
    an interrupted comparison goes on with the next one.

    Parameters
    ----------
    config : Config
    directory : Path
        The experiment's results directory, with the first variant's ``dataset.npz``; the
        comparison goes to ``compare/`` in it.
    force : bool
        Repeat what is done.
    say : callable

    Raises
    ------
    ConfigError
        If the experiment is none on images, or selects in a way that has no θ.
    """
    compare = comparable(config)
    variant, settings = next(iter(config.variants.items()))
    folder = directory / "compare"
    with locked(directory):
        data_step = f"{variant}/{settings.data.data_step}"
        expected = read_manifest(directory).steps[data_step].outputs[DATASET]
        samples: Samples = formats.read(directory / variant / DATASET, expected, "samples")
        keys = {"ridge", "recover"}
        made_for = {
            "settings": settings.model_dump(mode="json", exclude={"width", "compress"}),
            "losses": settings.width.losses,
            "compress": settings.compress.model_dump(mode="json", include=keys),
            "compare": compare.model_dump(
                mode="json", include={"keep", "parameters", "flops", "controls"}
            ),
            "theta": thetas(compare, settings),
            "images": expected,
            "code": code_hashes("mini_exp.compare.networks", type(settings.model).__module__),
        }
        ledger = Ledger(folder / "networks", made_for, force)
        trained = TrainedNetworks(folder / "trained", settings, samples, expected, force)
        for replicate in range(compare.networks):
            which = f"compare: network {replicate + 1} of {compare.networks}"
            if ledger.has(_part(replicate)):
                say(f"{which}: there, skipped")
                continue
            if not trained.has(replicate):
                say(f"{which}: trains for {settings.train.epochs} epochs")
            network = trained.network(replicate)
            rows = []
            for row in network_rows(compare, settings, samples, network, replicate):
                rows.append(row)
                say(f"{which}: {_progress(row)}")
            ledger.add(_part(replicate), csv_bytes(frame_of(rows)))
        parts = [read_rows(ledger.content(_part(r))) for r in range(compare.networks)]
        pages = compare_pages(compare, settings, samples, pd.concat(parts, ignore_index=True))
        pages["config.yaml"] = config.as_yaml().encode()
        for name, content in pages.items():
            write_bytes(folder / name, content)
        figure = "figures/accuracy.png"
        publish(folder, config, ["compare.md", figure], ["differences.md", figure])


def comparable(config: Config) -> Compare:
    """The settings of the comparison.

    Raises
    ------
    ConfigError
        If the experiment is none on images, or selects in a way that has no θ.
    """
    data, scope = config.first.data, config.first.select.scope
    theta = config.first.select.theta
    if config.compare is None:
        raise ConfigError(f"compare: data.kind: expected images, got {data.kind}; see `study`")
    if scope != "full":
        raise ConfigError(
            f"compare: select.scope: expected 'full', the selection that has a θ, got {scope!r}"
        )
    if theta == "auto":
        raise ConfigError("compare: select.theta: expected a number to speak of, got 'auto'")
    return config.compare


def compare_pages(
    compare: Compare, settings: Settings, samples: Samples, rows: pd.DataFrame
) -> dict[str, bytes]:
    """Every table, text and figure of ``compare/``, from the rows of all networks."""
    theta = settings.number_of_theta()
    summary = tables.summary_table(rows, compare.confidence)
    differences = tables.differences_table(rows, theta, compare.confidence)
    budgets = tables.budgets_table(rows, theta, compare.confidence)
    certificates = tables.certificates_table(rows, theta, compare.confidence)
    short = page.differences_markdown(compare, settings, samples, differences)
    text = page.compare_markdown(compare, settings, samples, summary, short, budgets, certificates)
    return {
        "networks.csv": csv_bytes(rows),
        "summary.csv": csv_bytes(summary),
        "differences.csv": csv_bytes(differences),
        "budgets.csv": csv_bytes(budgets),
        "certificates.csv": csv_bytes(certificates),
        "differences.md": short.encode(),
        "compare.md": text.encode(),
        **figure_files({"figures/accuracy": figures.accuracy_figure(summary, theta)}),
    }


def _part(replicate: int) -> str:
    return f"{replicate:03d}.csv"


def _progress(row: Row) -> str:
    widths = widths_label(row.rule, row.share, row.exact)
    method = method_label(row.method, row.theta, row.weights)
    return f"{widths}, {method}: {row.stage} {row.test_accuracy:.3f}"
