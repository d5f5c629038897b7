"""The report on MINI: the thesis's Table 1 and Figures 1–7, and what they are worth."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mini_exp.report import (
    dataset_figures,
    history_figures,
    moment_figures,
    selection_figures,
    tables,
    thesis,
    width_figures,
)
from mini_exp.report.document import last_finished, report_pages, taken_up, template, versions
from mini_exp.report.drawing import figure_files
from mini_exp.report.intervals import binomial_interval
from mini_exp.report.shown_steps import shown_steps
from mini_exp.report.verdicts import GUESS, improvements, mini_verdict
from mini_exp.settings.config import Config
from mini_exp.settings.settings import Settings
from mini_exp.spectral.published import STARTING_P
from mini_exp.spectral.width_path import WidthPath
from mini_exp.steps.evaluation import Evaluation
from mini_exp.steps.record import StepRecord

COMPARISON = "/compare/differences.md"  # of an experiment beside this one
PACKAGES = ("numpy", "scipy", "torch", "pandas", "matplotlib")


def pages(
    config: Config,
    results: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, bytes],
    records: Sequence[StepRecord],
) -> dict[str, bytes]:
    """The content of every file of the report.

    Parameters
    ----------
    config : Config
    results : mapping from variant to its artifacts by file name
    extra : mapping from path to content
        What ``study`` and ``diagnose`` wrote, and what ``compare`` wrote of other experiments
        beside this one.
    records : sequence of StepRecord
        How the steps were run. Their seconds and dates go into report.html only: every other
        file is the same after every run.

    Returns
    -------
    dict
        From path (relative to the experiment's directory) to content.
    """
    main = "published" if "published" in config.variants else next(iter(config.variants))
    biased = [name for name, settings in config.variants.items() if settings.model.bias]
    with_bias = "published_bias" if "published_bias" in biased else next(iter(biased), None)

    drawn = {
        f"{variant}/figures/{name}": figure
        for variant, files in results.items()
        for name, figure in variant_figures(config.variants[variant], files).items()
    }
    written = figure_files(drawn)
    numbered = _numbered(main, with_bias, len(config.variants[main].model.widths))
    for name, source in numbered.items():
        for suffix in ("png", "pdf"):
            written[f"figures/{name}.{suffix}"] = written[f"{source}.{suffix}"]
    drawn |= {f"figures/{name}": drawn[source] for name, source in numbered.items()}

    values = _values(config, results, main) | _taken_up(extra)
    counts = improvements(_evaluations(results))
    verdict = mini_verdict(config.variants[main], counts, _claims(extra))

    def text(records: Sequence[StepRecord]) -> str:
        return template("mini.md").render(
            **values,
            main=main,
            with_bias=with_bias,
            verdict=verdict,
            beats_guess=counts.beats_guess,
            steps=shown_steps(config, records, main, thesis.SETTINGS),
            finished=last_finished(records),
        )

    return {
        "config.yaml": config.as_yaml().encode(),
        **written,
        **tables.table1_pages(tables.table1(_evaluations(results))),
        **report_pages(text, records, drawn, extra),
    }


def variant_figures(settings: Settings, files: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure of a variant by its name.

    The thesis's own numbers are marked where its network and its range of ρ are drawn.
    """
    moments = files["covariance.npz"]
    width = settings.width
    same = settings.model.widths == thesis.MODEL
    same_epochs = settings.train.epochs == thesis.EPOCHS
    same_rho = (width.rho.start, width.rho.stop) == thesis.RHO
    jump = thesis.JUMP if same and same_rho and not settings.model.bias else None
    loss = thesis.LOSS["original"] if same and same_epochs else None
    drawn = {
        "widths": width_figures.widths_figure(
            files["widths.csv"],
            width.solver == "published",
            thesis.WIDTHS if same else (),
            jump,
        ),
        "dataset": dataset_figures.dataset_figure(files["dataset.npz"]),
        "loss": history_figures.loss_figure(files["history.csv"], loss),
        "selection": selection_figures.selection_figure(
            files["selection.json"], settings.number_of_theta()
        ),
    }
    for layer in range(len(moments.groups.sigma)):
        drawn[f"second_moment_{layer + 1}"] = moment_figures.second_moment_figure(
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


def _values(config: Config, results: Mapping[str, Mapping[str, Any]], main: str) -> dict[str, Any]:
    """What the text says of the run."""
    evaluations = _evaluations(results)
    table1 = tables.table1_cells(tables.table1(evaluations))
    layers = {
        variant: {
            f"layer {number}": kept
            for number, kept in enumerate(files["selection.json"].groups, start=1)
        }
        for variant, files in results.items()
    }
    paths = {variant: files["widths.csv"] for variant, files in results.items()}
    return {
        "name": config.name,
        "variants": config.variants,
        "n_layers": len(config.variants[main].model.widths),
        "guess": GUESS,
        "population_error": _population_error(evaluations),
        "sweeps": _sweeps_table(paths),
        "table1": tables.markdown(tables.TABLE1_HEADER, table1, 2),
        "selection": tables.markdown(
            tables.selection_header("Layer"), tables.selection_cells(layers), 3
        ),
        "scores": tables.markdown(
            tables.EVALUATION_HEADER, tables.evaluation_cells(evaluations), 3
        ),
        "versions": versions(*PACKAGES),
    }


def _taken_up(extra: Mapping[str, bytes]) -> dict[str, Any]:
    """The sections of study and diagnosis, empty where there is none; comparisons by name."""
    comparisons = {
        path.removeprefix("../").removesuffix(COMPARISON): taken_up(extra, path)
        for path in extra
        if path.endswith(COMPARISON)
    }
    return {
        "study": taken_up(extra, "study/claims.md"),
        "why": taken_up(extra, "diagnose/statements.md"),
        "comparisons": comparisons,
    }


def _claims(extra: Mapping[str, bytes]) -> pd.DataFrame | None:
    """The study's verdicts."""
    content = extra.get("study/claims.csv")
    return None if content is None else pd.read_csv(io.BytesIO(content))


def _evaluations(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[Evaluation]]:
    return {variant: files["evaluation.csv"] for variant, files in results.items()}


def _population_error(evaluations: Mapping[str, Sequence[Evaluation]]) -> str:
    """Largest half-width of the population accuracies' intervals, rounded up to 0.001."""
    rows = [row for scores in evaluations.values() for row in scores if row.split == "population"]
    intervals = [binomial_interval(round(row.accuracy * row.n), row.n) for row in rows]
    return f"{np.ceil(max(one.half_width for one in intervals) * 1000) / 1000:.3f}"


def _sweeps_table(paths: Mapping[str, WidthPath]) -> str:
    """What the sweeps over ρ show, in numbers."""
    cells = []
    for variant, path in paths.items():
        widths = [tuple(map(int, row)) for row in path.width]
        at_table1 = [rho for rho, row in zip(path.rho, widths, strict=True) if row == thesis.WIDTHS]
        cells.append(
            [
                variant,
                f"{path.rho[0]:g} … {path.rho[-1]:g}",
                str(widths[0]),
                str(widths[-1]),
                ", ".join(f"{rho:.3g}" for rho in at_table1) or "none",
                f"{(~path.converged).sum()} of {len(widths)}",
                str((path.lambda_ == STARTING_P**2).all(axis=1).sum()),
            ]
        )
    header = [
        "Variant",
        "ρ",
        "m̂ at the first ρ",
        "m̂ at the last",
        f"ρ with {thesis.WIDTHS}",
        "Not converged",
        "Stopped at the start",
    ]
    return tables.markdown(header, cells, 5)
