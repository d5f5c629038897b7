"""Figures 1 and 2 of the thesis over many replicates."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.report import thesis
from mini_exp.report.drawing import COLOURS, DASHES, PAGE, arranged, blank, legend_above, style
from mini_exp.settings.settings import Settings
from mini_exp.study.variant_replicates import VariantReplicates


def widths_over_rho(replicates: Sequence[VariantReplicates], sweeps: pd.DataFrame) -> Figure:
    """m̂_ℓ over ρ, of the variant's own solver and of the exact one.

    Lines are medians, bands reach from the 5 to the 95 % quantile. Dotted: the thesis's widths.
    """
    with style():
        n_layers = int(sweeps["layer"].max())
        n_rows = len(replicates)
        figure, axes = blank(PAGE, 1.45 * n_rows + 0.7, n_rows, n_layers)
        for panels, own in zip(axes, replicates, strict=True):
            widths = own.settings.model.widths
            for layer, ax in enumerate(panels, start=1):
                if layer > len(widths):
                    ax.set_axis_off()
                    continue
                of_variant = sweeps["variant"] == own.variant
                _median_lines(ax, own.settings, sweeps[of_variant & (sweeps["layer"] == layer)])
                if own.has_the_thesis_s_layers:
                    ax.hlines(
                        thesis.WIDTHS[layer - 1],
                        own.rho[0],
                        own.rho[-1],
                        color="black",
                        linestyle=DASHES[3],
                        linewidth=1,
                        label=f"thesis: widths {thesis.WIDTHS}",
                    )
                ax.set_ylim(0, widths[layer - 1] + 0.5)
                ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
                ax.set_title(f"{own.variant}, layer {layer}")
            panels[0].set_ylabel(r"$\hat m_\ell$ (units)")
        for ax in axes[-1]:
            ax.set_xlabel(r"$\rho$")
        height = legend_above(figure, *axes[:, 0])
        arranged(figure, top=height + 0.2, across=0.35, down=0.5)
    return figure


def _median_lines(ax: Axes, settings: Settings, sweep: pd.DataFrame) -> None:
    """Median and band of each solver."""
    kinds = [("exact", "exact solver", 1)]
    if settings.width.solver != "exact":
        kinds.insert(0, ("own", "published solver", 0))
    for solver, label, i in kinds:
        part = sweep[sweep["solver"] == solver]
        ax.plot(part["rho"], part["median"], color=COLOURS[i], linestyle=DASHES[i], label=label)
        band = (part["quantile_05"], part["quantile_95"])
        ax.fill_between(part["rho"], *band, color=COLOURS[i], alpha=0.2, linewidth=0)
