"""The data set MINI: Figure 3 of the thesis."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mini_exp.report.drawing import (
    COLOURS,
    DASHES,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)
from mini_exp.tasks.mini.data import THRESHOLD
from mini_exp.tasks.task import Samples


def dataset_figure(samples: Samples) -> Figure:
    """Figure 3: the mean X̄ and the label Y of every sample, training and test set."""
    with style():
        figure, axes = blank(PAGE, 4.4, 2, 1)
        titles = {"train": "training set", "test": "test set"}
        for ax, (split, title) in zip(axes[:, 0], titles.items(), strict=True):
            x, y = samples[split]
            mean = x.mean(axis=1)
            index = np.arange(1, len(y) + 1)
            ax.plot(index, mean, color=COLOURS[0], marker=".", label=r"mean $\bar X$ (left axis)")
            ax.axhline(
                THRESHOLD, color="0.4", linestyle=DASHES[3], label=f"threshold ${THRESHOLD}$"
            )
            spread = np.ptp(mean) or 1.0  # of a single sample
            ax.set_ylim(mean.min() - 0.5 * spread, mean.max() + 0.05 * spread)
            ax.set_xlim(0, len(y) + 1)
            ax.set_ylabel(r"$\bar X$")
            ax.set_title(title)
            labels = ax.twinx()
            labels.grid(visible=False)
            labels.spines["right"].set_visible(True)
            labels.stairs(y, np.append(index, len(y) + 1) - 0.5, baseline=None, color=COLOURS[1])
            labels.set_yticks([0, 1])
            labels.set_ylim(-0.1, 3.5)  # the steps stay below the curve
            labels.set_ylabel("$Y$", y=0.16)
            ax.plot([], [], color=COLOURS[1], label="label $Y$ (right axis)")
        axes[1, 0].set_xlabel("sample")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, right=0.45, top=height + 0.2, down=0.5)
    return figure
