"""Scores of the three stages, replicate by replicate, beside controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mini_exp.report import thesis
from mini_exp.report.drawing import COLOURS, DASHES, PAGE, arranged, blank, legend_above, style
from mini_exp.report.intervals import binomial_interval
from mini_exp.study.figures.distributions import STAGES
from mini_exp.study.labels import control_labels
from mini_exp.study.variant_replicates import VariantReplicates

SHOWN_REPLICATES = 100


def stages(replicates: Sequence[VariantReplicates]) -> Figure:
    """Population scores of the three stages: replicates as thin lines, then means over all of them.

    Bands are the intervals of the means, at the study's confidence; with many replicates they are
    hardly wider than the lines. Stars are the thesis's Table 1, of 99 test samples, with the exact
    95 % interval of its accuracies.
    """
    controls = control_labels({own.variant: own.settings for own in replicates})
    with style():
        figure, axes = blank(PAGE, 4.9, 2, len(replicates))
        for panels, measure in ((axes[0], "loss"), (axes[1], "accuracy")):
            highest = 0.0
            for ax, own in zip(panels, replicates, strict=True):
                highest = max(highest, _stage_lines(ax, own, controls, measure))
            for ax in panels:
                ax.set_ylim(*((0, highest) if measure == "loss" else (0.3, 1)))
                ax.set_xticks(range(len(STAGES)), ["orig.", "compr.", "tuned"])
                ax.set_xlim(-0.3, 2.4)
                ax.tick_params(labelleft=ax is panels[0], labelbottom=measure == "accuracy")
        for ax, own in zip(axes[0], replicates, strict=True):
            ax.set_title(own.variant)
        axes[0, 0].set_ylabel("population loss (nats)")
        axes[1, 0].set_ylabel("population accuracy")
        height = legend_above(figure, *axes[0])
        arranged(figure, bottom=0.3, top=height + 0.2, down=0.15)
    return figure


def _stage_lines(
    ax: Axes, own: VariantReplicates, controls: Mapping[str, str], measure: str
) -> float:
    """Draw one variant's scores; return what the axis must reach."""
    place = np.arange(len(STAGES))
    values = np.stack([own.column(f"{stage}_population_{measure}") for stage in STAGES])
    ax.plot(place, values[:, :SHOWN_REPLICATES], color="0.75", linewidth=0.4)
    means = [own.mean(of_stage) for of_stage in values]
    estimates = [mean.estimate for mean in means]
    ax.plot(place, estimates, "o-", color="black", linewidth=0.9, label="mean of replicates")
    low, high = [mean.low for mean in means], [mean.high for mean in means]
    ax.fill_between(place, low, high, color="black", alpha=0.35, linewidth=0)
    highest = float(np.quantile(values, 0.97))
    for i, (name, label) in enumerate(controls.items()):
        mean = own.mean(own.column(f"{name}_population_{measure}"))
        look = {"color": COLOURS[i], "linestyle": DASHES[i + 1]}
        ax.axhline(mean.estimate, **look, linewidth=1, label=label)
        ax.axhspan(mean.low, mean.high, color=COLOURS[i], alpha=0.35, linewidth=0)
        highest = max(highest, 1.05 * mean.estimate)
    if own.has_the_thesis_s_layers:
        _thesis_stars(ax, measure)
        highest = max(highest, 1.05 * max(thesis.LOSS.values()))
    return highest


def _thesis_stars(ax: Axes, measure: str) -> None:
    """Table 1 of the thesis, a little to the right of the means."""
    n, published = thesis.N_TEST, thesis.LOSS if measure == "loss" else thesis.ACCURACY
    values = [published[stage] for stage in STAGES]
    bars = None
    if measure == "accuracy":
        intervals = [binomial_interval(round(value * n), n) for value in values]
        bounds = np.array([(interval.low, interval.high) for interval in intervals])
        bars = np.abs(bounds.T - values)
    ax.errorbar(
        np.arange(len(STAGES)) + 0.15,
        values,
        bars,
        fmt="*",
        color="black",
        markerfacecolor="white",
        markersize=7,
        elinewidth=0.8,
        label=f"thesis ({n} test samples)",
    )
