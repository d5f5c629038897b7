"""The report on a network and samples of your own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mini_exp.report import tables
from mini_exp.report.document import last_finished, report_pages, template
from mini_exp.report.drawing import figure_files
from mini_exp.report.images import report_values, variant_figures
from mini_exp.report.intervals import binomial_interval
from mini_exp.report.shown_steps import shown_steps
from mini_exp.settings.config import Config
from mini_exp.steps.evaluation import Evaluation
from mini_exp.steps.record import StepRecord

BOUNDS = [f"{stage}_{side}" for stage in tables.STAGES for side in ("low", "high")]


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
        What other commands publish.
    records : sequence of StepRecord
        How the steps were run. Their seconds and dates go into report.html only.

    Returns
    -------
    dict
        From path (relative to the experiment's directory) to content.
    """
    drawn: dict[str, Figure] = {}
    trained = [variant for variant, files in results.items() if _epochs(files)]
    for variant, files in results.items():
        for name, figure in variant_figures(config.variants[variant], files).items():
            drawn[f"{variant}/figures/{name}"] = figure
    evaluations = {variant: files["evaluation.csv"] for variant, files in results.items()}
    table = score_table(evaluations)
    cells = score_cells(table)
    main = next(iter(config.variants))
    values = {
        **report_values(config, results, ""),
        "verdict": verdict(evaluations),
        "trained": trained,
        "measure": _measure(evaluations[main]),
    }
    stages = tables.markdown(tables.TABLE1_HEADER, cells, 2)

    def text(records: Sequence[StepRecord]) -> str:
        return template("own.md").render(
            **values,
            main=main,
            stages=stages,
            steps=shown_steps(config, records, main),
            finished=last_finished(records),
        )

    return {
        "config.yaml": config.as_yaml().encode(),
        **figure_files(drawn),
        "table1.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        "table1.md": f"{stages}\n".encode(),
        "table1.tex": tables.latex(tables.TABLE1_HEADER, cells, 2).encode(),
        **report_pages(text, records, drawn, extra),
    }


def _epochs(files: Mapping[str, Any]) -> int:
    return sum(len(files[name]["loss"]) for name in ("history.csv", "finetune_history.csv"))


def score_table(evaluations: Mapping[str, Sequence[Evaluation]]) -> pd.DataFrame:
    """Scores of every variant on its test set, or without one on its validation set; parameters.

    Returns
    -------
    DataFrame
        Columns ``protocol``, ``measure``, ``n``, the three stages, and for shares the bounds of
        the exact 95 % interval, ``<stage>_low`` and ``<stage>_high``. Rows: loss and accuracy as
        far as there are labels, divergence from the original and agreement with it, parameters.
    """
    rows: list[dict[str, object]] = []
    for variant, scores in evaluations.items():
        split = _scored_split(scores)
        of_split = {row.stage: row for row in scores if row.split == split}
        n = of_split["original"].n
        for measure in ("loss", "accuracy", "divergence", "agreement"):
            values = {stage: getattr(row, measure) for stage, row in of_split.items()}
            if any(value is None or math.isnan(value) for value in values.values()):
                continue
            name = measure if (split, measure) == ("test", "accuracy") else f"{split} {measure}"
            row: dict[str, object] = {"protocol": variant, "measure": name, "n": n, **values}
            if measure in ("accuracy", "agreement"):
                for stage, value in values.items():
                    interval = binomial_interval(round(value * n), n)
                    row[f"{stage}_low"], row[f"{stage}_high"] = interval.low, interval.high
            rows.append(row)
        counts = {row.stage: float(row.parameters) for row in scores}
        rows.append({"protocol": variant, "measure": "parameters", **counts})
    return pd.DataFrame(rows, columns=["protocol", "measure", "n", *tables.STAGES, *BOUNDS])


def score_cells(table: pd.DataFrame) -> list[list[str]]:
    """The table as text: shares to 0.01 with their interval, other scores to three digits."""
    cells = []
    protocol = None
    for row in table.to_dict(orient="records"):
        shown = []
        for stage in tables.STAGES:
            text = f"{row[stage]:.3g}"
            if row["measure"] == "parameters":
                text = f"{row[stage]:,.0f}"
            elif not math.isnan(row[f"{stage}_low"]):
                low, high = row[f"{stage}_low"], row[f"{stage}_high"]
                text = f"{row[stage]:.2f} [{low:.2f}, {high:.2f}]"
            shown.append(text)
        first = str(row["protocol"]) if row["protocol"] != protocol else ""
        protocol = row["protocol"]
        n = "" if math.isnan(row["n"]) else f"{row['n']:.0f}"
        cells.append([first, str(row["measure"]), n, *shown])
    return cells


def verdict(evaluations: Mapping[str, Sequence[Evaluation]]) -> list[str]:
    """One sentence on every variant."""
    sentences = []
    for variant, rows in evaluations.items():
        split = _scored_split(rows)
        scored = {row.stage: row for row in rows if row.split == split}
        original, smaller, tuned = (scored[stage] for stage in tables.STAGES)
        share = smaller.parameters / original.parameters
        name, values = "loss", [row.loss for row in (smaller, tuned, original)]
        if not math.isnan(original.accuracy):
            name, values = "accuracy", [row.accuracy for row in (smaller, tuned, original)]
        elif math.isnan(original.loss):
            name, values = (
                "divergence",
                [row.divergence or 0.0 for row in (smaller, tuned, original)],
            )
        after, finetuned, before = (f"{value:.3g}" for value in values)
        sentences.append(
            f"With {100 * share:.0f} % of the parameters ({variant}) the {name} on {tuned.n} "
            f"{split} samples is {after} right after compression and {finetuned} at the "
            f"end, from {before}."
        )
    return sentences


def _scored_split(scores: Sequence[Evaluation]) -> str:
    return "test" if any(row.split == "test" for row in scores) else "validation"


def _measure(scores: Sequence[Evaluation]) -> str:
    """What the scores are, in words."""
    first = scores[0]
    if math.isnan(first.loss):
        loss = "There are no labels, so neither loss nor accuracy."
    elif math.isnan(first.accuracy):
        loss = "The loss is the mean squared error from y."
    else:
        loss = "The loss is the mean cross-entropy of the classes, in nats."
    classes = first.agreement is not None and not math.isnan(first.agreement)
    divergence = (
        "mean KL(original ‖ network) of the softmax outputs, in nats; the agreement the share of "
        "samples on which both have the same largest output"
        if classes
        else "mean squared difference from the original's outputs"
    )
    return f"{loss} The divergence is the {divergence}."
