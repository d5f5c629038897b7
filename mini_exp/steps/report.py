"""Step report: tables, figures and the report, from what the other steps saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mini_exp.config import Config
from mini_exp.report import document, figures, tables, thesis
from mini_exp.report.page import report_html
from mini_exp.types import StepRecord

COMPARISON = "/compare/differences.md"


def run(
    config: Config,
    results: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, bytes],
    records: Sequence[StepRecord],
) -> dict[str, bytes]:
    """Return the content of every file of the report.

    Parameters
    ----------
    config : Config
    results : mapping from variant to its artifacts by file name
    extra : mapping from path to content
        What ``study`` wrote, and what ``compare`` wrote of other experiments beside this one.
    records : sequence of StepRecord
        How the steps were run. Their seconds and dates go into report.html only: every other
        file is the same after every run.

    Returns
    -------
    dict
        From path (relative to the experiment's directory) to content.
    """
    main = "published" if "published" in config.variants else next(iter(config.variants))
    biased = [v for v in config.variants if config.variants[v].model.bias]
    with_bias = "published_bias" if "published_bias" in biased else next(iter(biased), None)

    pages: dict[str, bytes] = {"config.yaml": config.as_yaml().encode()}
    drawn: dict[str, Figure] = {}
    for variant, files in results.items():
        for name, figure in _variant_figures(config, variant, files).items():
            drawn[f"{variant}/figures/{name}"] = figure
    for path, figure in drawn.items():
        for suffix in ("png", "pdf"):
            pages[f"{path}.{suffix}"] = figures.rendered(figure, suffix)

    numbered = _numbered(main, with_bias, len(results[main]["covariance.npz"].sigma))
    for name, source in numbered.items():
        for suffix in ("png", "pdf"):
            pages[f"figures/{name}.{suffix}"] = pages[f"{source}.{suffix}"]

    evaluations = {variant: files["evaluation.csv"] for variant, files in results.items()}
    table = tables.table1(evaluations)
    cells = {
        "table1": tables.table1_cells(table),
        "selection": tables.selection_cells(
            {variant: files["selection.json"] for variant, files in results.items()}
        ),
        "scores": tables.evaluation_cells(evaluations),
    }
    paths = {variant: files["widths.csv"] for variant, files in results.items()}
    study = extra.get("study/claims.md", b"").decode().replace("](figures/", "](study/figures/")
    claims = extra.get("study/claims.csv")
    comparisons = {}
    for path, content in extra.items():
        if path.endswith(COMPARISON):
            folder = path.removesuffix(COMPARISON)
            found = content.decode().replace("](figures/", f"]({folder}/compare/figures/")
            comparisons[folder.removeprefix("../")] = found

    def text(records: Sequence[StepRecord]) -> str:
        return document.report_markdown(
            config,
            evaluations,
            paths,
            cells,
            main,
            with_bias,
            study,
            tables.read_csv(claims) if claims else None,
            comparisons,
            records,
        )

    undated = text([dataclasses.replace(record, seconds={}, finished={}) for record in records])
    shown = {f"figures/{name}.png": drawn[source] for name, source in numbered.items()}
    shown |= {f"{path}.png": figure for path, figure in drawn.items() if f"({path}.png)" in undated}
    images = {path: figures.rendered(figure, "svg") for path, figure in shown.items()}
    images |= {path: content for path, content in extra.items() if path.endswith(".png")}
    header = tables.TABLE1_HEADER
    pages |= {
        "table1.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        "table1.md": (tables.markdown(header, cells["table1"], 2) + "\n").encode(),
        "table1.tex": (tables.latex(header, cells["table1"], 2) + "\n").encode(),
        "report.md": undated.encode(),
        "report.html": report_html(text(records), images).encode(),
    }
    return pages


def _variant_figures(config: Config, variant: str, files: Mapping[str, Any]) -> dict[str, Figure]:
    settings = config.variants[variant]
    moments = files["covariance.npz"]
    width = settings.width
    # The thesis's own numbers are marked where its network and its range of ρ are drawn.
    same = settings.model.widths == thesis.MODEL
    same_epochs = settings.train.epochs == thesis.EPOCHS
    same_rho = (width.rho.start, width.rho.stop) == thesis.RHO
    jump = thesis.JUMP if same and same_rho and not settings.model.bias else None
    loss = thesis.LOSS["original"] if same and same_epochs else None
    drawn = {
        "widths": figures.widths_figure(
            files["widths.csv"],
            width.solver == "published",
            thesis.WIDTHS if same else (),
            jump,
        ),
        "dataset": figures.dataset_figure(files["dataset.npz"]),
        "loss": figures.loss_figure(files["history.csv"], loss),
        "selection": figures.selection_figure(files["selection.json"], settings.select.theta),
    }
    for layer in range(len(moments.sigma)):
        drawn[f"second_moment_{layer + 1}"] = figures.second_moment_figure(
            moments, layer, settings.covariance.scale
        )
    return drawn


def _numbered(main: str, with_bias: str | None, n_layers: int) -> dict[str, str]:
    """The thesis's figure numbers and the figures behind them."""
    numbered = {"figure1": f"{main}/figures/widths"}
    if with_bias:
        numbered["figure2"] = f"{with_bias}/figures/widths"
    numbered["figure3"] = f"{main}/figures/dataset"
    numbered["figure4"] = f"{main}/figures/loss"
    for layer in range(1, n_layers + 1):
        numbered[f"figure{layer + 4}"] = f"{main}/figures/second_moment_{layer}"
    return numbered
