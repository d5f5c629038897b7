"""Table 1 as distributions over the replicates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mini_exp.report import thesis
from mini_exp.report.drawing import COLOURS, DASHES, PAGE, arranged, blank, legend_above, style
from mini_exp.spectral import Floats
from mini_exp.study.variant_replicates import VariantReplicates

STAGES = {"original": "original", "compressed": "compressed", "finetuned": "fine-tuned"}


def table1_distributions(replicates: Sequence[VariantReplicates]) -> Figure:
    """Histogram of each of Table 1's six numbers, one outline per variant; vertical: the thesis's.

    Losses above the 99 % quantile of a panel are not shown.
    """
    marked = any(own.has_the_thesis_s_layers for own in replicates)
    with style():
        figure, axes = blank(PAGE, 4.3, 2, 3)
        for panels, measure, unit, published in (
            (axes[0], "loss", " (nats)", thesis.LOSS),
            (axes[1], "accuracy", "", thesis.ACCURACY),
        ):
            for ax, (stage, title) in zip(panels, STAGES.items(), strict=True):
                values = {own.variant: own.column(f"{stage}_test_{measure}") for own in replicates}
                marks = [published[stage]] if marked else []
                _outlines(ax, values, _bins(ax, np.concatenate([*values.values()]), marks, measure))
                for value in marks:
                    ax.axvline(value, color="black", linewidth=1.2, label="thesis")
                ax.set_title(title)
                ax.set_xlabel(f"test {measure}{unit}")
                ax.set_yticks([])
            panels[0].set_ylabel("share of replicates")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, left=0.3, right=0.2, top=height + 0.2, across=0.25, down=0.75)
    return figure


def _bins(ax: Axes, values: Floats, marks: Sequence[float], measure: str) -> Floats:
    """Edges of a panel's bins, over all variants and what is marked."""
    low, high = min([values.min(), *marks]), max([values.max(), *marks])
    if measure == "accuracy":  # multiples of about 1/100: two to a bin
        ax.set_xlim(low - 0.02, high + 0.02)
        return np.arange(0, 1.03, 0.02) - 0.005
    return np.linspace(low, max([np.quantile(values, 0.99), *marks]), 30)


def _outlines(ax: Axes, values: dict[str, Floats], bins: Floats) -> None:
    """One histogram per variant, of shares."""
    for i, (variant, own) in enumerate(values.items()):
        ax.hist(
            own,
            bins.tolist(),
            weights=np.full(len(own), 1 / len(own)),
            histtype="step",
            color=COLOURS[i % 6],
            linestyle=DASHES[i % 6],
            label=variant,
        )
