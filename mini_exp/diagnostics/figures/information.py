"""The information plane of the run, by three estimators side by side (2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.information import ESTIMATORS
from mini_exp.report.drawing import (
    COLOURS,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)

NAMES = {"absolute": "noise, absolute", "relative": "noise, relative", "bins": "bins"}


def information(evidence: Sequence[Evidence]) -> Figure:
    """I(T; Y) over I(T; X) of every hidden layer, from the first epoch to the last (marked).

    Bars are an estimator's bounds.
    """
    with style():
        figure, axes = blank(PAGE, 0.9 + 1.5 * len(evidence), len(evidence), len(ESTIMATORS))
        for row, own in zip(axes, evidence, strict=True):
            saturation, entropy = (
                float(own.of_run("", name)["estimate"]) for name in ("saturation", "label entropy")
            )
            for ax, estimator in zip(row, ESTIMATORS, strict=True):
                for i in range(len(own.settings.model.widths)):
                    x, y = (
                        own.of_run_over(f"{about} {estimator}", "original", layer=i + 1)
                        for about in ("input", "label")
                    )
                    ax.plot(
                        x,
                        y,
                        f"{MARKERS[i]}-",
                        color=COLOURS[i],
                        markersize=2,
                        label=f"layer {i + 1}",
                    )
                    ax.plot(x.iloc[-1], y.iloc[-1], MARKERS[i], color=COLOURS[i], markersize=5)
                    bars = {"color": COLOURS[i], "linewidth": 0.5, "alpha": 0.5}
                    ax.hlines(y, *_bounds(own, f"input {estimator}", i + 1), **bars)
                    ax.vlines(x, *_bounds(own, f"label {estimator}", i + 1), **bars)
                ax.axvline(saturation, color="black", linestyle=":", label="ln n")
                ax.axhline(entropy, color="black", linestyle="--", linewidth=0.8, label="H(Y)")
        left = min(ax.get_xlim()[0] for ax in figure.axes)
        low = min(ax.get_ylim()[0] for ax in figure.axes)
        for (row, column), ax in np.ndenumerate(axes):
            ax.set_xlim(left, saturation * 1.03)
            ax.set_ylim(low, entropy * 1.05)
            ax.tick_params(labelleft=column == 0, labelbottom=row == len(evidence) - 1)
            if row == 0:
                ax.set_title(NAMES[ESTIMATORS[column]])
            if row == len(evidence) - 1:
                ax.set_xlabel("I(T; X), nats")
            if column == 0:
                ax.set_ylabel(f"{evidence[row].variant}\nI(T; Y), nats")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, left=0.8, top=height + 0.2)
    return figure


def _bounds(own: Evidence, quantity: str, layer: int) -> tuple[pd.Series, pd.Series]:
    """Lower and upper, over the epochs."""
    low, high = (
        own.of_run_over(quantity, "original", column, layer) for column in ("lower", "upper")
    )
    return low, high
