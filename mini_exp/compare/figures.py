"""Figures of the comparison."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from mini_exp.report.figures import (
    COLOURS,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)

SHOWN = (
    ("spectral θ=0.5", "reconstruct"),
    ("spectral θ=0.5", "slice"),
    ("Torch-Pruning magnitude", ""),
    ("Torch-Pruning Taylor", ""),
    ("random", "slice"),
    ("from scratch", ""),
)
BESIDE = 1.02  # between two methods, so that none hides another


def accuracy_figure(summary: pd.DataFrame) -> Figure:
    """Test accuracy over parameters, right after pruning and after fine-tuning.

    Lines join equal shares of every group, the methods a little beside each other; stars are the
    exact widths for a budget, with spectral pruning and reconstruction. Bars are the intervals of
    the mean over networks.
    """
    with style():
        figure, axes = blank(PAGE, 3.6, 1, 2)
        original = summary[summary["widths"] == "all"].iloc[0]
        titles = {"pruned": "right after pruning", "finetuned": "after fine-tuning"}
        for ax, (stage, title) in zip(axes[0], titles.items(), strict=True):
            for i, (method, weights) in enumerate(SHOWN):
                rows = _rows(summary, method, weights)
                even = rows[rows["widths"].str.startswith("keep")].dropna(subset=[f"{stage}_test"])
                _bars(
                    *(ax, even, stage, BESIDE ** (i - len(SHOWN) // 2)),
                    color=COLOURS[i],
                    marker=MARKERS[i],
                    linestyle=DASHES[i],
                    label=f"{method}, {weights}" if weights else method,
                )
            rows = _rows(summary, *SHOWN[0])
            _bars(
                *(ax, rows[rows["widths"].str.endswith("exact")], stage, 1),
                color=COLOURS[0],
                marker="*",
                markersize=9,
                linestyle="none",
                label="spectral, exact widths for a budget",
            )
            unpruned = 100 * original["pruned_test"]
            ax.axhline(unpruned, color="0.5", linewidth=0.8, zorder=0, label="unpruned")
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.xaxis.set_major_formatter(EngFormatter())
            ax.set_xlabel("parameters")
            ax.set_title(title)
            ax.set_ylim(0, 100)
        axes[0, 0].set_ylabel("test accuracy (%)")
        axes[0, 1].tick_params(labelleft=False)
        height = legend_above(figure, axes[0, 1])
        arranged(figure, top=height + 0.2, across=0.15)
    return figure


def _rows(summary: pd.DataFrame, method: str, weights: str) -> pd.DataFrame:
    return summary[(summary["method"] == method) & (summary["weights"] == weights)]


def _bars(ax: Axes, rows: pd.DataFrame, stage: str, beside: float, **look: Any) -> None:
    """Accuracies with their intervals, in percent."""
    ax.errorbar(
        beside * rows["parameters"],
        100 * rows[f"{stage}_test"],
        100 * rows[f"{stage}_test_half"],
        capsize=2,
        **look,
    )
