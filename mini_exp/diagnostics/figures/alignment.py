"""Alignment with the true rule: against accuracy, and in the order of picking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.alignment import random_cosine
from mini_exp.diagnostics.stages import STAGES
from mini_exp.report.drawing import (
    COLOURS,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
    whole_numbers,
)
from mini_exp.tasks.mini.data import DIMENSION

NAMES = {"original": "original", "compressed": "compressed", "finetuned": "fine-tuned"}


def alignment(evidence: Sequence[Evidence]) -> Figure:
    """Cosine of the mean gradient with the true rule against accuracy, a mark per replicate."""
    with style():
        figure, axes = blank(PAGE, 2.6, 1, len(evidence))
        for ax, own in zip(axes[0], evidence, strict=True):
            for i, stage in enumerate(STAGES):
                ax.plot(
                    own.column(stage, "gradient cosine"),
                    own.column(stage, "accuracy"),
                    MARKERS[i],
                    color=COLOURS[i],
                    markersize=2.5,
                    alpha=0.6,
                    label=NAMES[stage],
                )
            ax.set_xlim(-1, 1)
            ax.set_xticks([-1, 0, 1])
            ax.set_title(own.variant)
            ax.set_xlabel("cosine")
        every = [own.column(stage, "accuracy") for own in evidence for stage in STAGES]
        known = [value for values in every for value in values if np.isfinite(value)] or [0, 1]
        for ax in axes[0]:
            ax.set_ylim(min(known) - 0.02, max(known) + 0.02)
            ax.tick_params(labelleft=ax is axes[0, 0])
        axes[0, 0].set_ylabel("population accuracy")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, right=0.2, top=height + 0.2, across=0.2)
    return figure


def picks(evidence: Sequence[Evidence]) -> Figure:
    """|cos| of the first layer's weights with the true rule, in the order of picking."""
    with style():
        figure, axes = blank(PAGE, 2.6, 1, len(evidence))
        for ax, own in zip(axes[0], evidence, strict=True):
            cosines = own.over_picks("weight cosine of pick")
            means = [own.mean(of_pick) for of_pick in cosines.T]
            place = np.arange(1, len(means) + 1)
            middle = np.array([mean.estimate for mean in means])
            ax.plot(place, middle, "o-", color=COLOURS[0], label="unit")
            low, high = [mean.low for mean in means], [mean.high for mean in means]
            ax.fill_between(place, low, high, color=COLOURS[0], alpha=0.3, linewidth=0)
            chance = random_cosine(DIMENSION)
            ax.axhline(chance, color="black", linestyle=":", label="random direction")
            ax.axvline(own.thesis_width + 0.5, color=COLOURS[1], linestyle="--", label="kept | not")
            ax.set_ylim(0, 1)
            ax.xaxis.set_major_locator(whole_numbers(4))
            ax.set_title(own.variant)
            ax.set_xlabel("place of the pick")
            ax.tick_params(labelleft=ax is axes[0, 0])
        axes[0, 0].set_ylabel("|cosine|")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, top=height + 0.2)
    return figure
