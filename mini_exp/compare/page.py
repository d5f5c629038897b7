"""The comparison as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mini_exp.compare.labels import TITLES, budget_label, method_label, widths_label
from mini_exp.compare.rows import METHOD, ORIGINAL, SCRATCH, WIDTHS
from mini_exp.compare.tables import POINTS, stages_of
from mini_exp.report.document import template
from mini_exp.report.tables import markdown, within
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings
from mini_exp.tasks.task import Samples

MILLION = 1e6


def differences_markdown(
    compare: Compare, settings: Settings, samples: Samples, differences: pd.DataFrame
) -> str:
    """The comparison in one table and one figure: nothing in it differs from run to run."""
    header = ["Widths", "Minus", *(TITLES[stage] for stage in stages_of(differences))]
    cells = [
        [_widths(part), str(other), *_signed(part)]
        for (*_, other), part in differences.groupby([*WIDTHS, "other"], sort=False)
    ]
    return template("differences.md").render(
        settings=settings,
        theta=settings.number_of_theta(),
        source=settings.data.source,
        compare=compare,
        n_train=len(samples["train"][1]),
        differences=markdown(header, cells, 2),
    )


def compare_markdown(
    compare: Compare,
    settings: Settings,
    samples: Samples,
    summary: pd.DataFrame,
    differences: str,
    budgets: pd.DataFrame,
    certificates: pd.DataFrame,
) -> str:
    """The comparison's page, with ``differences_markdown``'s text in it."""
    n_train = len(samples["train"][1])
    n_calibration = min(settings.covariance.n_samples or n_train, n_train)
    recover = settings.compress.recover
    pruned = summary[~summary["method"].isin([ORIGINAL, SCRATCH])]
    return template("compare.md").render(
        settings=settings,
        theta=settings.number_of_theta(),
        source=settings.data.source,
        compare=compare,
        n_train=n_train,
        n_validation=len(samples["validation"][1]),
        n_test=len(samples["test"][1]),
        n_recovery=min(recover.n_samples or n_calibration, n_train),
        n_calibration=n_calibration,
        n_methods=len(pruned[METHOD].drop_duplicates()),
        original=_section(summary[summary["method"] == ORIGINAL]),
        sections={
            _widths(part): _section(part)
            for _, part in summary[summary["rule"] != "all"].groupby(WIDTHS, sort=False)
        },
        summary=differences.replace("](figures/", "](compare/figures/"),
        budgets=_budgets(budgets),
        certificates=_certificates(certificates),
    )


def _section(part: pd.DataFrame) -> dict[str, Any]:
    """What the page says of one set of widths."""
    stages = [stage for stage in TITLES if f"{stage}_test" in part]
    header = ["Method", "Weights", "Pruning, s", *(f"{TITLES[stage]}, %" for stage in stages)]
    cells = [
        [
            method_label(row["method"], row["theta"]),
            row["weights"],
            f"{row['pruning_seconds']:.2f}" if row["method"] != SCRATCH else "",
            *(_percent(row[f"{stage}_test"], row[f"{stage}_test_half"]) for stage in stages),
        ]
        for _, row in part.iterrows()
    ]
    first = part.iloc[0]
    return {
        "accuracy": _percent(first["pruned_test"], first["pruned_test_half"]),
        "parameters": f"{first['parameters']:,.0f}",
        "flops": f"{first['flops'] / MILLION:.3g}",
        "latency": f"{first['latency_ms']:.3g}",
        "within": within(first["gap"]) if first["exact"] else "",
        "table": markdown(header, cells, 2),
    }


def _budgets(budgets: pd.DataFrame) -> str:
    """A line per budget; empty where there is none."""
    cells = []
    for _, part in budgets.groupby(["rule", "share"], sort=False):
        first = part.iloc[0]
        budget = budget_label(first["rule"], first["share"])
        cells.append([budget, within(first["gap"]), *_signed(part)])
    header = ["Budget", "Sum", *(TITLES[stage] for stage in stages_of(budgets))]
    return markdown(header, cells, 2) if cells else ""


def _certificates(certificates: pd.DataFrame) -> str:
    """A line per width set and stage."""
    header = ["Widths", "Stage", "Decided otherwise, %", "At most, %", "Lost, points", "Held"]
    cells = [
        [
            widths_label(row["rule"], row["share"], row["exact"]),
            TITLES[row["stage"]],
            *(f"{POINTS * row[key]:.1f}" for key in ("disagreement", "bound", "lost")),
            f"{row['held']} of {row['networks']}",
        ]
        for _, row in certificates.iterrows()
    ]
    return markdown(header, cells, 2)


def _widths(part: pd.DataFrame) -> str:
    """The label of rows with the same widths."""
    first = part.iloc[0]
    return widths_label(first["rule"], first["share"], first["exact"])


def _signed(differences: pd.DataFrame) -> list[str]:
    pairs = zip(differences["difference"], differences["half"], strict=True)
    return [f"{difference:+.1f} ± {half:.1f}" for difference, half in pairs]


def _percent(mean: float, half: float) -> str:
    return "" if np.isnan(mean) else f"{POINTS * mean:.1f} ± {POINTS * half:.1f}"
