"""Step report: tables, figures and the report, from what the other steps saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mini_exp.config import ImageConfig
from mini_exp.report import document, figures, image_figures, tables
from mini_exp.report.page import report_html
from mini_exp.types import StepRecord


def run(
    config: ImageConfig,
    results: Mapping[str, Mapping[str, Any]],
    compare: Mapping[str, bytes],
    records: Sequence[StepRecord],
) -> dict[str, bytes]:
    """Return the content of every file of the report.

    Parameters
    ----------
    config : ImageConfig
    results : mapping from variant to its artifacts by file name
    compare : mapping from path to content
        ``compare/compare.md`` and its figure; empty where there is no comparison.
    records : sequence of StepRecord
        How the steps were run. Their seconds and dates go into report.html only.

    Returns
    -------
    dict
        From path (relative to the experiment's directory) to content.
    """
    drawn: dict[str, Figure] = {}
    for variant, files in results.items():
        moments = files["covariance.npz"]
        drawn |= {
            f"{variant}/figures/widths": figures.widths_figure(files["widths.csv"], False),
            f"{variant}/figures/degrees_of_freedom": image_figures.dof_figure(moments),
            f"{variant}/figures/history": image_figures.history_figure(
                files["history.csv"], files["finetune_history.csv"]
            ),
        }
    pages: dict[str, bytes] = {"config.yaml": config.as_yaml().encode()}
    for path, figure in drawn.items():
        for suffix in ("png", "pdf"):
            pages[f"{path}.{suffix}"] = figures.rendered(figure, suffix)

    evaluations = {variant: files["evaluation.csv"] for variant, files in results.items()}
    table = tables.image_table1(evaluations)
    selections = {variant: files["selection.json"] for variant, files in results.items()}
    cells = {
        "stages": tables.table1_cells(table),
        "widths": tables.widths_cells(selections, evaluations),
    }
    found = {variant: files["covariance.npz"] for variant, files in results.items()}
    section = compare.get("compare/compare.md", b"").decode()

    def text(records: Sequence[StepRecord]) -> str:
        return document.image_report_markdown(config, found, evaluations, cells, section, records)

    undated = text([dataclasses.replace(record, seconds={}, finished={}) for record in records])
    shown = {path: figure for path, figure in drawn.items() if f"({path}.png)" in undated}
    images = {f"{path}.png": figures.rendered(figure, "svg") for path, figure in shown.items()}
    images |= {path: content for path, content in compare.items() if path.endswith(".png")}
    header = tables.TABLE1_HEADER
    return pages | {
        "table1.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        "table1.md": (tables.markdown(header, cells["stages"], 2) + "\n").encode(),
        "table1.tex": (tables.latex(header, cells["stages"], 2) + "\n").encode(),
        "report.md": undated.encode(),
        "report.html": report_html(text(records), images).encode(),
    }
