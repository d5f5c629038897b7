"""Figures of the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from mini_exp.compare.labels import TITLES, method_label
from mini_exp.compare.pruners.random_units import RANDOM_UNITS
from mini_exp.compare.rows import ORIGINAL, SCRATCH
from mini_exp.compare.tables import POINTS, main_rows, other_methods
from mini_exp.report.drawing import (
    COLOURS,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)

BESIDE = 1.02  # between two methods, so that none hides another


def accuracy_figure(summary: pd.DataFrame, theta: float) -> Figure:
    """Test accuracy over multiply-accumulates: a panel per stage.

    Lines join equal shares of every group, the methods a little beside each other; stars are the
    best widths for a budget, with spectral pruning at this θ and reconstruction. Bars are the
    intervals of the mean over networks.
    """
    with style():
        stages = [stage for stage in TITLES if f"{stage}_test" in summary]
        figure, axes = blank(PAGE, 3.6, 1, len(stages))
        even = summary[summary["rule"].isin(["all", "keep"])]
        lines = {label: rows for label, rows in _lines(even, theta) if len(rows)}
        original = summary[summary["method"] == ORIGINAL].iloc[0]
        best = main_rows(summary[summary["exact"]], theta)
        for ax, stage in zip(axes[0], stages, strict=True):
            for i, (label, rows) in enumerate(lines.items()):
                scored = rows.dropna(subset=[f"{stage}_test"])
                look = _look(i)
                _bars(ax, scored, stage, BESIDE ** (i - len(lines) // 2), label=label, **look)
            stars = {"color": COLOURS[0], "marker": "*", "markersize": 9, "linestyle": "none"}
            label = "spectral, best widths for a budget"
            _bars(ax, best, stage, 1, label=label, **stars)
            unpruned = POINTS * original["pruned_test"]
            ax.axhline(unpruned, color="0.5", linewidth=0.8, zorder=0, label="unpruned")
            ax.set_xscale("log")
            ax.margins(x=0.12)
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.xaxis.set_major_formatter(EngFormatter())
            ax.set_xlabel("multiply-accumulates")
            ax.set_title(TITLES[stage])
            ax.set_ylim(0, 100)
        axes[0, 0].set_ylabel("test accuracy (%)")
        for ax in axes[0, 1:]:
            ax.tick_params(labelleft=False)
        height = legend_above(figure, axes[0, -1])
        arranged(figure, top=height + 0.2, across=0.15)
    return figure


def _lines(summary: pd.DataFrame, theta: float) -> Iterator[tuple[str, pd.DataFrame]]:
    """The methods that are drawn: spectral pruning, what people would use instead, controls."""
    for weights in ("reconstruct", "slice"):
        rows = main_rows(summary, theta, weights)
        yield method_label("spectral", theta, weights), rows
    for other in other_methods(summary):
        yield other, summary[summary["method"] == other]
    random = RANDOM_UNITS.name
    chosen = summary[(summary["method"] == random) & (summary["weights"] == "slice")]
    yield method_label(random, None, "slice"), chosen
    yield SCRATCH, summary[summary["method"] == SCRATCH]


def _look(i: int) -> dict[str, Any]:
    """Of the i-th method: past the last colour the markers move on by one."""
    turn, place = divmod(i, len(COLOURS))
    return {
        "color": COLOURS[place],
        "marker": MARKERS[(place + turn) % len(MARKERS)],
        "linestyle": DASHES[place % len(DASHES)],
    }


def _bars(ax: Axes, rows: pd.DataFrame, stage: str, beside: float, **look: Any) -> None:
    """Accuracies with their intervals, in percent."""
    accuracy, half = rows[f"{stage}_test"], rows[f"{stage}_test_half"]
    ax.errorbar(beside * rows["flops"], POINTS * accuracy, POINTS * half, capsize=2, **look)
