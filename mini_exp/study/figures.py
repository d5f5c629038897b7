"""The study's figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.config import Config
from mini_exp.report.figures import COLOURS, blank, style
from mini_exp.report.tables import STAGES, THESIS_ACCURACY, THESIS_LOSS
from mini_exp.spectral import Floats
from mini_exp.study.summary import rho_grids

SHOWN_REPLICATES = 100
CONTROLS = {
    "constant": "constant predictor",
    "original_400": "original, twice the epochs",
    "random_slice_finetuned": "random units, fine-tuned",
    "scratch_400": "from scratch, twice the epochs",
    "logistic_x": "logistic regression on X",
}


def table1_distributions(config: Config, rows: pd.DataFrame) -> Figure:
    """Histogram of each of Table 1's six numbers, one outline per variant."""
    known = rows[rows["diverged"] == 0]
    with style():
        figure, axes = blank(7.2, 4.6, 2, 3)
        for panels, measure, published in (
            (axes[0], "loss", THESIS_LOSS),
            (axes[1], "accuracy", THESIS_ACCURACY),
        ):
            for ax, (stage, title) in zip(panels, STAGES.items(), strict=True):
                column = f"{stage}_test_{measure}"
                low, high = known[column].min(), np.quantile(known[column], 0.99)
                bins = np.linspace(min(low, published[stage]), max(high, published[stage]), 30)
                if measure == "accuracy":  # multiples of about 1/100: two to a bin
                    bins = np.arange(0, 1.03, 0.02) - 0.005
                for colour, variant in zip(COLOURS, config.variants, strict=False):
                    values = known.loc[known["variant"] == variant, column]
                    weights = np.full(len(values), 1 / len(values))
                    ax.hist(
                        values, bins, weights=weights, histtype="step", color=colour, label=variant
                    )
                if measure == "accuracy":
                    shown = [known[column].min(), known[column].max(), published[stage]]
                    ax.set_xlim(min(shown) - 0.02, max(shown) + 0.02)
                ax.axvline(published[stage], color="black", linewidth=1.2, label="thesis")
                ax.set_title(title.lower())
                ax.set_xlabel(f"test {measure}")
                ax.set_yticks([])
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=5)
        figure.subplots_adjust(left=0.03, right=0.98, top=0.86, bottom=0.1, hspace=0.55)
    return figure


def stages(config: Config, rows: pd.DataFrame) -> Figure:
    """Population scores of the three stages as paired lines, with the controls' means."""
    with style():
        names = list(config.variants)
        figure, axes = blank(7.2, 5.4, 2, len(names))
        place = np.arange(len(STAGES))
        for column, variant in enumerate(names):
            own = rows[(rows["variant"] == variant) & (rows["diverged"] == 0)]
            for ax, measure in zip(axes[:, column], ("loss", "accuracy"), strict=True):
                values = own[[f"{stage}_population_{measure}" for stage in STAGES]].to_numpy()
                ax.plot(place, values[:SHOWN_REPLICATES].T, color="0.75", linewidth=0.4)
                ax.plot(place, values.mean(axis=0), "o-", color="black", label="mean of replicates")
                high = np.quantile(values, 0.97)
                for colour, (name, label) in zip(COLOURS, CONTROLS.items(), strict=False):
                    control = own[f"{name}_population_{measure}"].mean()
                    high = max(high, 1.05 * control)
                    ax.axhline(control, color=colour, linestyle="--", linewidth=1, label=label)
                ax.set_xticks(place, ["orig.", "compr.", "tuned"])
                ax.set_ylim(*((0, high) if measure == "loss" else (0.4, 1)))
            axes[0, column].set_title(variant)
        axes[0, 0].set_ylabel("population loss (nats)")
        axes[1, 0].set_ylabel("population accuracy")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=3)
        figure.subplots_adjust(
            left=0.08, right=0.98, top=0.95, bottom=0.15, hspace=0.2, wspace=0.35
        )
    return figure


def widths_over_rho(config: Config, sweeps: pd.DataFrame) -> Figure:
    """m̂ over ρ: median and 5–95 % band, the variant's own solver and the exact one."""
    with style():
        names = list(config.variants)
        n_layers = int(sweeps["layer"].max())
        figure, axes = blank(7.2, 1.7 * len(names) + 0.6, len(names), n_layers)
        for row, variant in enumerate(names):
            for layer in range(1, n_layers + 1):
                ax = axes[row, layer - 1]
                if layer > len(config.variants[variant].model.widths):
                    ax.set_axis_off()
                    continue
                kinds = [("exact", "exact solver", COLOURS[1])]
                if config.variants[variant].width.solver != "exact":
                    kinds.insert(0, ("own", "published solver", COLOURS[0]))
                for solver, label, colour in kinds:
                    part = sweeps[
                        (sweeps["variant"] == variant)
                        & (sweeps["layer"] == layer)
                        & (sweeps["solver"] == solver)
                    ]
                    band = (part["quantile_05"], part["quantile_95"])
                    ax.plot(part["rho"], part["median"], color=colour, label=label)
                    ax.fill_between(part["rho"], *band, color=colour, alpha=0.2, linewidth=0)
                ax.set_ylim(0, config.variants[variant].model.widths[layer - 1] + 0.5)
                ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
                ax.set_title(f"{variant}, layer {layer}")
            axes[row, 0].set_ylabel(r"$\hat m_\ell$ (units)")
        for ax in axes[-1]:
            ax.set_xlabel(r"$\rho$")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=2)
        figure.subplots_adjust(left=0.08, right=0.98, top=0.91, bottom=0.08, hspace=0.6)
    return figure


def jump(config: Config, arrays: Mapping[str, Floats], rows: pd.DataFrame) -> Figure:
    """Histogram of the ρ from which on all widths are full; share of full widths at every ρ."""
    with style():
        names = [v for v, s in config.variants.items() if s.width.solver == "published"] or list(
            config.variants
        )
        figure, axes = blank(7.2, 2.6 * len(names), len(names), 2)
        for (left, right), variant in zip(axes, names, strict=True):
            rho = rho_grids(config)[variant]
            own = rows[rows["variant"] == variant]
            kept = (own["diverged"] == 0).to_numpy()
            own = own[kept]
            step = rho[1] - rho[0]
            bins = np.append(rho, rho[-1] + step) - step / 2
            known = own["full_from"].dropna()
            left.hist(known, bins, color=COLOURS[0])
            left.set_title(f"{variant}: {len(known)} of {len(own)} replicates jump")
            left.set_xlabel(r"smallest $\rho$ from which all widths are full")
            left.set_ylabel("replicates")
            full = config.variants[variant].model.widths
            for kind, label, colour in (
                ("widths", "all widths full", COLOURS[0]),
                ("at_start", "solver at its start", COLOURS[1]),
                ("exact_widths", "exact solver: all full", COLOURS[2]),
            ):
                values = arrays[f"{variant}.{kind}"][kept]
                share = (
                    values.mean(axis=0)
                    if kind == "at_start"
                    else np.equal(values, full).all(axis=2).mean(axis=0)
                )
                dashes = "--" if kind == "at_start" else "-"
                right.plot(rho, share, dashes, color=colour, label=label)
            right.set_xlabel(r"$\rho$")
            right.set_ylabel("share of replicates")
            right.set_ylim(bottom=0)
            right.legend(loc="upper left")
        bottom = 0.1 if len(names) > 1 else 0.2
        figure.subplots_adjust(
            left=0.09, right=0.98, top=0.93, bottom=bottom, hspace=0.45, wspace=0.25
        )
    return figure
