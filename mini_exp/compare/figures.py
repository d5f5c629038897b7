"""Figures of the comparison."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from mini_exp.report.figures import COLOURS, MARKERS, blank, style

SHOWN = (
    ("spectral θ=0.5", "reconstruct"),
    ("spectral θ=0.5", "slice"),
    ("Torch-Pruning magnitude", ""),
    ("Torch-Pruning Taylor", ""),
    ("random", "slice"),
    ("from scratch", ""),
)


def accuracy_figure(summary: pd.DataFrame) -> Figure:
    """Test accuracy over parameters, right after pruning and after fine-tuning.

    Lines join equal shares of every group; filled markers beside them are the exact widths for a
    budget, with spectral pruning. Bars are the intervals over networks.
    """
    with style():
        figure, axes = blank(6.8, 3.4, 1, 2)
        original = summary[summary["widths"] == "all"].iloc[0]
        titles = {"pruned": "right after pruning", "finetuned": "after fine-tuning"}
        for ax, (stage, title) in zip(axes[0], titles.items(), strict=True):
            for i, (method, weights) in enumerate(SHOWN):
                chosen = summary[(summary["method"] == method) & (summary["weights"] == weights)]
                even = chosen[chosen["widths"].str.startswith("keep")].dropna(
                    subset=[f"{stage}_test"]
                )
                ax.errorbar(
                    even["parameters"],
                    100 * even[f"{stage}_test"],
                    100 * even[f"{stage}_test_half"],
                    color=COLOURS[i],
                    marker=MARKERS[i],
                    capsize=2,
                    label=f"{method}, {weights}" if weights else method,
                )
            exact = summary[
                summary["widths"].str.endswith("exact")
                & (summary["method"] == SHOWN[0][0])
                & (summary["weights"] == SHOWN[0][1])
            ]
            ax.errorbar(
                exact["parameters"],
                100 * exact[f"{stage}_test"],
                100 * exact[f"{stage}_test_half"],
                color=COLOURS[0],
                marker="*",
                markersize=9,
                linestyle="none",
                capsize=2,
                label="the same, exact widths for a budget",
            )
            ax.axhline(100 * original["pruned_test"], color="0.5", linewidth=0.8, zorder=0)
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.xaxis.set_major_formatter(EngFormatter())
            ax.set_xlabel("parameters")
            ax.set_title(title)
            ax.set_ylim(0, 100)
        axes[0, 0].set_ylabel("test accuracy, %")
        handles, labels = axes[0, 1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=3, fontsize=7)
        figure.subplots_adjust(left=0.08, right=0.99, top=0.76, bottom=0.14, wspace=0.16)
    return figure
