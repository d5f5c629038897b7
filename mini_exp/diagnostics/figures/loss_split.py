"""The loss of every stage, split into over-confidence and the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.stages import STAGES
from mini_exp.report.drawing import COLOURS, PAGE, arranged, blank, legend_above, style

SHORT = ("orig.", "compr.", "tuned")


def loss_split(evidence: Sequence[Evidence]) -> Figure:
    """Bars: the loss at the best scale of the logits and what over-confidence adds to it.

    Means over the replicates, or the run's; bars of error are the intervals of the whole loss.
    """
    with style():
        figure, axes = blank(PAGE, 2.6, 1, len(evidence))
        place = np.arange(len(STAGES))
        for ax, own in zip(axes[0], evidence, strict=True):
            rest, over, loss = (
                [own.mean(own.column(stage, quantity)) for stage in STAGES]
                for quantity in ("loss at best scale", "overconfidence", "loss")
            )
            floor = [one.estimate for one in rest]
            ax.bar(place, floor, color=COLOURS[0], width=0.6, label="at the best scale")
            ax.bar(
                place,
                [one.estimate for one in over],
                bottom=floor,
                color=COLOURS[4],
                width=0.6,
                hatch="///",
                label="over-confidence",
            )
            low, high = [one.low for one in loss], [one.high for one in loss]
            ax.vlines(place, low, high, color="black", linewidth=0.8)
            ax.axhline(np.log(2), color="black", linestyle=":", linewidth=1, label="ln 2")
            ax.set_xticks(place, SHORT)
            ax.set_title(own.variant)
        top = max(ax.get_ylim()[1] for ax in axes[0])
        for ax in axes[0]:
            ax.set_ylim(0, top)
            ax.tick_params(labelleft=ax is axes[0, 0])
        axes[0, 0].set_ylabel("population loss (nats)")
        height = legend_above(figure, axes[0, 0])
        arranged(figure, bottom=0.3, top=height + 0.2)
    return figure
