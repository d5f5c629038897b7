"""The report on a network for images: the method carried from units to channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mini_exp.pruning.selection import GroupSelection, Selection
from mini_exp.report import history_figures, moment_figures, tables, width_figures
from mini_exp.report.document import last_finished, report_pages, taken_up, template, versions
from mini_exp.report.drawing import figure_files
from mini_exp.report.shown_steps import shown_steps
from mini_exp.report.verdicts import images_verdict
from mini_exp.settings.config import Config
from mini_exp.settings.settings import Settings
from mini_exp.spectral.exhaustive import MAX_ENUMERATED_WIDTH
from mini_exp.steps.record import StepRecord

COMPARISON = "compare/compare.md"
PACKAGES = ("numpy", "scipy", "torch", "torch-pruning", "pandas", "matplotlib")


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
        What ``compare`` wrote; empty where there is no comparison.
    records : sequence of StepRecord
        How the steps were run. Their seconds and dates go into report.html only.

    Returns
    -------
    dict
        From path (relative to the experiment's directory) to content.
    """
    drawn = {
        f"{variant}/figures/{name}": figure
        for variant, files in results.items()
        for name, figure in variant_figures(config.variants[variant], files).items()
    }
    evaluations = {variant: files["evaluation.csv"] for variant, files in results.items()}
    table1 = tables.table1_of_images(evaluations)
    main = next(iter(config.variants))
    compare = taken_up(extra, COMPARISON)
    verdict = images_verdict(evaluations, bool(compare))
    values = report_values(config, results, compare)
    stages = tables.markdown(tables.TABLE1_HEADER, tables.table1_cells(table1), 2)

    def text(records: Sequence[StepRecord]) -> str:
        return template("images.md").render(
            **values,
            verdict=verdict,
            main=main,
            stages=stages,
            steps=shown_steps(config, records, main),
            finished=last_finished(records),
        )

    return {
        "config.yaml": config.as_yaml().encode(),
        **figure_files(drawn),
        **tables.table1_pages(table1),
        **report_pages(text, records, drawn, extra),
    }


def variant_figures(settings: Settings, files: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure of a variant by its name."""
    drawn = {
        "widths": width_figures.widths_figure(
            files["widths.csv"], settings.width.solver == "published"
        ),
        "degrees_of_freedom": moment_figures.degrees_of_freedom_figure(files["covariance.npz"]),
    }
    histories = files["history.csv"], files["finetune_history.csv"]
    if any(len(history["loss"]) for history in histories):
        drawn["history"] = history_figures.history_figure(*histories)
    return drawn


def report_values(
    config: Config, results: Mapping[str, Mapping[str, Any]], compare: str
) -> dict[str, Any]:
    """What the text says of the run; the comparison's section is empty where there is none."""
    evaluations = {variant: files["evaluation.csv"] for variant, files in results.items()}
    selections = {variant: files["selection.json"] for variant, files in results.items()}
    moments = next(iter(results.values()))["covariance.npz"]
    tried = tables.selection_cells(_enumerated(selections))
    return {
        "name": config.name,
        "variants": config.variants,
        "first": config.first,
        "widths": tables.markdown(
            ["Group", "Original", *evaluations], tables.widths_cells(selections, evaluations), 1
        ),
        "n_samples": moments.n_samples,
        "flattened": bool(moments.flattened),
        "layers": ", ".join(moments.groups.eigenvalues),
        "recoveries": {
            variant: str(selection.recovered)
            for variant, selection in selections.items()
            if selection.recovered
        },
        "gaps": {
            variant: tables.within(selection.gap)
            for variant, selection in selections.items()
            if selection.gap is not None
        },
        "enumerated": MAX_ENUMERATED_WIDTH,
        "selection": tables.markdown(tables.selection_header("Group"), tried, 3) if tried else "",
        "compare": compare,
        "versions": versions(*PACKAGES),
    }


def _enumerated(selections: Mapping[str, Selection]) -> dict[str, dict[str, GroupSelection]]:
    """The groups of which every set of channels was tried."""
    return {
        variant: {f"`{kept.group.name}`": kept for kept in selection.groups if kept.path.exhaustive}
        for variant, selection in selections.items()
    }
