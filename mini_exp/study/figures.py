"""The study's figures: many replicates of what the thesis shows once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.config import Config, Settings
from mini_exp.report import thesis
from mini_exp.report.figures import (
    COLOURS,
    DASHES,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)
from mini_exp.report.tables import binomial_interval
from mini_exp.spectral import Floats
from mini_exp.study.claims import mean_interval, share_interval
from mini_exp.study.summary import rho_grids

SHOWN_REPLICATES = 100
STAGES = {"original": "original", "compressed": "compressed", "finetuned": "fine-tuned"}
CONTROLS = {
    "constant": "constant predictor",
    "original_400": "original, twice the epochs",
    "random_slice_finetuned": "random units, fine-tuned",
    "scratch_400": "from scratch, twice the epochs",
    "logistic_x": "logistic regression on $X$",
}


def table1_distributions(config: Config, rows: pd.DataFrame) -> Figure:
    """Histogram of each of Table 1's six numbers, one outline per variant; vertical: the thesis's.

    Losses above the 99 % quantile of a panel are not shown.
    """
    known = rows[rows["diverged"] == 0]
    marked = any(_is_the_thesis_s(settings) for settings in config.variants.values())
    with style():
        figure, axes = blank(PAGE, 4.3, 2, 3)
        for panels, measure, unit, published in (
            (axes[0], "loss", " (nats)", thesis.LOSS),
            (axes[1], "accuracy", "", thesis.ACCURACY),
        ):
            for ax, (stage, title) in zip(panels, STAGES.items(), strict=True):
                values = known[f"{stage}_test_{measure}"]
                marks = [published[stage]] if marked else []
                low, high = min([values.min(), *marks]), max([values.max(), *marks])
                if measure == "accuracy":  # multiples of about 1/100: two to a bin
                    bins = np.arange(0, 1.03, 0.02) - 0.005
                    ax.set_xlim(low - 0.02, high + 0.02)
                else:
                    high = max([np.quantile(values, 0.99), *marks])
                    bins = np.linspace(low, high, 30)
                _outlines(ax, config, values, known["variant"], bins)
                for value in marks:
                    ax.axvline(value, color="black", linewidth=1.2, label="thesis")
                ax.set_title(title)
                ax.set_xlabel(f"test {measure}{unit}")
                ax.set_yticks([])
            panels[0].set_ylabel("share of replicates")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, left=0.3, right=0.2, top=height + 0.2, across=0.25, down=0.75)
    return figure


def _outlines(
    ax: Axes, config: Config, values: pd.Series, variants: pd.Series, bins: Floats
) -> None:
    """One histogram per variant, of shares."""
    for i, variant in enumerate(config.variants):
        own = values[variants == variant].to_numpy()
        ax.hist(
            own,
            bins.tolist(),
            weights=np.full(len(own), 1 / len(own)),
            histtype="step",
            color=COLOURS[i % 6],
            linestyle=DASHES[i % 6],
            label=variant,
        )


def stages(config: Config, rows: pd.DataFrame) -> Figure:
    """Population scores of the three stages: replicates as thin lines, then means over all of them.

    Bands are the intervals of the means, at the study's confidence; with many replicates they are
    hardly wider than the lines. Stars are the thesis's Table 1, of 99 test samples, with the exact
    95 % interval of its accuracies.
    """
    with style():
        names = list(config.variants)
        figure, axes = blank(PAGE, 4.9, 2, len(names))
        for panels, measure in ((axes[0], "loss"), (axes[1], "accuracy")):
            highest = 0.0
            for ax, variant in zip(panels, names, strict=True):
                own = rows[(rows["variant"] == variant) & (rows["diverged"] == 0)]
                highest = max(highest, _stage_lines(ax, config, variant, own, measure))
            for ax in panels:
                ax.set_ylim(*((0, highest) if measure == "loss" else (0.3, 1)))
                ax.set_xticks(range(len(STAGES)), ["orig.", "compr.", "tuned"])
                ax.set_xlim(-0.3, 2.4)
                ax.tick_params(labelleft=ax is panels[0], labelbottom=measure == "accuracy")
        for ax, variant in zip(axes[0], names, strict=True):
            ax.set_title(variant)
        axes[0, 0].set_ylabel("population loss (nats)")
        axes[1, 0].set_ylabel("population accuracy")
        height = legend_above(figure, *axes[0])
        arranged(figure, bottom=0.3, top=height + 0.2, down=0.15)
    return figure


def _stage_lines(ax: Axes, config: Config, variant: str, own: pd.DataFrame, measure: str) -> float:
    """Draw one variant's scores; return what the axis must reach."""
    settings = config.variants[variant]
    place = np.arange(len(STAGES))
    values = own[[f"{stage}_population_{measure}" for stage in STAGES]].to_numpy()
    ax.plot(place, values[:SHOWN_REPLICATES].T, color="0.75", linewidth=0.4)
    means = [mean_interval(column, config.study, settings.seed) for column in values.T]
    centre, low, high = np.array([(m.estimate, m.low, m.high) for m in means]).T
    ax.plot(place, centre, "o-", color="black", linewidth=0.9, label="mean of replicates")
    ax.fill_between(place, low, high, color="black", alpha=0.35, linewidth=0)
    highest = float(np.quantile(values, 0.97))
    for i, (name, label) in enumerate(CONTROLS.items()):
        control = own[f"{name}_population_{measure}"].to_numpy()
        mean = mean_interval(control, config.study, settings.seed)
        look = {"color": COLOURS[i], "linestyle": DASHES[i + 1]}
        ax.axhline(mean.estimate, **look, linewidth=1, label=label)
        ax.axhspan(mean.low, mean.high, color=COLOURS[i], alpha=0.35, linewidth=0)
        highest = max(highest, 1.05 * mean.estimate)
    if _is_the_thesis_s(settings):
        _thesis_stars(ax, measure)
        highest = max(highest, 1.05 * max(thesis.LOSS.values()))
    return highest


def _thesis_stars(ax: Axes, measure: str) -> None:
    """Table 1 of the thesis, a little to the right of the means."""
    published = thesis.LOSS if measure == "loss" else thesis.ACCURACY
    place, values = np.arange(len(STAGES)) + 0.15, np.array([published[s] for s in STAGES])
    bars = None
    if measure == "accuracy":
        bounds = [
            binomial_interval(round(value * thesis.N_TEST), thesis.N_TEST) for value in values
        ]
        bars = np.abs(np.array(bounds).T - values)
    ax.errorbar(
        *(place, values, bars),
        fmt="*",
        color="black",
        markerfacecolor="white",
        markersize=7,
        elinewidth=0.8,
        label=f"thesis ({thesis.N_TEST} test samples)",
    )


def widths_over_rho(config: Config, sweeps: pd.DataFrame) -> Figure:
    """Figures 1 and 2 over many replicates: m̂_ℓ over ρ, the variant's own solver and the exact one.

    Lines are medians, bands reach from the 5 to the 95 % quantile. Dotted: the thesis's widths.
    """
    with style():
        names = list(config.variants)
        n_layers = int(sweeps["layer"].max())
        figure, axes = blank(PAGE, 1.45 * len(names) + 0.7, len(names), n_layers)
        for panels, variant in zip(axes, names, strict=True):
            settings = config.variants[variant]
            for layer, ax in enumerate(panels, start=1):
                if layer > len(settings.model.widths):
                    ax.set_axis_off()
                    continue
                own = sweeps[(sweeps["variant"] == variant) & (sweeps["layer"] == layer)]
                _median_lines(ax, settings, own)
                if _is_the_thesis_s(settings):
                    ax.hlines(
                        *(thesis.WIDTHS[layer - 1], own["rho"].min(), own["rho"].max()),
                        color="black",
                        linestyle=DASHES[3],
                        linewidth=1,
                        label=f"thesis: widths {thesis.WIDTHS}",
                    )
                ax.set_ylim(0, settings.model.widths[layer - 1] + 0.5)
                ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
                ax.set_title(f"{variant}, layer {layer}")
            panels[0].set_ylabel(r"$\hat m_\ell$ (units)")
        for ax in axes[-1]:
            ax.set_xlabel(r"$\rho$")
        height = legend_above(figure, *axes[:, 0])
        arranged(figure, top=height + 0.2, across=0.35, down=0.5)
    return figure


def _median_lines(ax: Axes, settings: Settings, own: pd.DataFrame) -> None:
    """Median and band of each solver."""
    kinds = [("exact", "exact solver", 1)]
    if settings.width.solver != "exact":
        kinds.insert(0, ("own", "published solver", 0))
    for solver, label, i in kinds:
        part = own[own["solver"] == solver]
        ax.plot(part["rho"], part["median"], color=COLOURS[i], linestyle=DASHES[i], label=label)
        band = (part["quantile_05"], part["quantile_95"])
        ax.fill_between(part["rho"], *band, color=COLOURS[i], alpha=0.2, linewidth=0)


def jump(config: Config, arrays: Mapping[str, Floats], rows: pd.DataFrame) -> Figure:
    """The jump of Figure 1 over many replicates.

    Left: histogram of the ρ from which on all widths are full; dash-dotted: the thesis's. Right:
    share of replicates with full widths at every ρ, with Wilson's interval as a band.
    """
    with style():
        names = [v for v, s in config.variants.items() if s.width.solver == "published"] or list(
            config.variants
        )
        figure, axes = blank(PAGE, 2.1 * len(names) + 0.6, len(names), 2)
        for (left, right), variant in zip(axes, names, strict=True):
            rho = rho_grids(config)[variant]
            own = rows[rows["variant"] == variant]
            kept = (own["diverged"] == 0).to_numpy()
            known = own.loc[kept, "full_from"].dropna()
            step = rho[1] - rho[0]
            left.hist(known, np.append(rho, rho[-1] + step) - step / 2, color=COLOURS[5])
            left.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            left.set_title(f"{variant}: {len(known)} of {kept.sum()} replicates jump")
            left.set_xlabel(r"smallest $\rho$ from which all widths are full")
            left.set_ylabel("replicates")
            _share_lines(right, config, variant, arrays, kept)
            right.set_title(variant)
            right.set_xlabel(r"$\rho$")
            right.set_ylabel("share of replicates")
            for ax in (left, right):
                ax.set_xlim(rho[0] - step, rho[-1] + step)
                if _has_the_thesis_s_jump(config.variants[variant]):
                    label = rf"thesis: full widths past $\rho \approx {thesis.JUMP:g}$"
                    ax.axvline(thesis.JUMP, color="black", linestyle=DASHES[2], lw=1, label=label)
        height = legend_above(figure, *axes[:, 1])
        arranged(figure, top=height + 0.2, across=0.65, down=0.75)
    return figure


def _share_lines(
    ax: Axes, config: Config, variant: str, arrays: Mapping[str, Floats], kept: np.ndarray
) -> None:
    """Shares at every ρ, with their intervals."""
    rho, full = rho_grids(config)[variant], config.variants[variant].model.widths
    for i, (kind, label) in enumerate(
        (
            ("widths", "all widths full"),
            ("at_start", "solver at its start"),
            ("exact_widths", "exact solver: all widths full"),
        )
    ):
        values = arrays[f"{variant}.{kind}"][kept]
        which = values == 1 if kind == "at_start" else np.equal(values, full).all(axis=2)
        shares = [share_interval(column, config.study) for column in np.asarray(which).T]
        centre, low, high = np.array([(s.estimate, s.low, s.high) for s in shares]).T
        ax.plot(rho, centre, color=COLOURS[i], linestyle=DASHES[i], label=label)
        ax.fill_between(rho, low, high, color=COLOURS[i], alpha=0.2, linewidth=0)
    ax.set_ylim(bottom=-0.03 * ax.get_ylim()[1])  # a share of 0 is seen


def _is_the_thesis_s(settings: Settings) -> bool:
    return settings.model.widths == thesis.MODEL


def _has_the_thesis_s_jump(settings: Settings) -> bool:
    """Figure 1's caption speaks of it, Figure 2's does not."""
    rho = settings.width.rho
    same = _is_the_thesis_s(settings) and not settings.model.bias
    return same and (rho.start, rho.stop) == thesis.RHO
