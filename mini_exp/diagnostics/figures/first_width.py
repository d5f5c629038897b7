"""Accuracy over the width of the first layer, inputs centred or not, beside controls."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mini_exp.diagnostics.evidence import CHOSEN, Evidence
from mini_exp.report.drawing import (
    COLOURS,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
)
from mini_exp.spectral import Floats

NARROWED = {
    "finetuned": "pruned, fine-tuned",
    "random_finetuned": "units at random, fine-tuned",
    "scratch_twice": "from scratch, as many epochs",
}
ARMS = ("as it is", "centred")


def first_width(evidence: Sequence[Evidence]) -> Figure:
    """Means over the replicates with their intervals; level lines are of the whole network."""
    with style():
        figure, axes = blank(PAGE, 4.6, len(ARMS), len(evidence))
        for row, arm in zip(axes, ARMS, strict=True):
            for ax, own in zip(row, evidence, strict=True):
                _panel(ax, own, arm)
                ax.set_ylim(0.45, 0.95)
                ax.set_xscale("log", base=2)
                ticks = widths_of(own)
                ax.set_xticks(ticks, [str(width) for width in ticks])
                ax.tick_params(labelleft=ax is row[0], labelbottom=arm == ARMS[-1])
                ax.minorticks_off()
            row[0].set_ylabel(f"accuracy, {arm}")
        for ax, own in zip(axes[0], evidence, strict=True):
            ax.set_title(own.variant)
        for ax in axes[-1]:
            ax.set_xlabel("units of layer 1")
        height = legend_above(figure, axes[0, 0], axes[1, 0])
        arranged(figure, top=height + 0.2, down=0.15)
    return figure


def widths_of(own: Evidence) -> list[int]:
    """The widths that the first layer was narrowed to, ascending."""
    every = {*own.diagnose.first_widths, own.thesis_width}
    return sorted(width for width in every if width <= own.whole_width)


def _panel(ax: Axes, own: Evidence, arm: str) -> None:
    widths = widths_of(own)
    for i, (network, label) in enumerate(NARROWED.items()):
        means = [own.mean(own.trial(network, arm=arm, width=width)) for width in widths]
        look = {"color": COLOURS[i], "linestyle": DASHES[i], "marker": MARKERS[i]}
        ax.plot(widths, [mean.estimate for mean in means], **look, label=label)
        low, high = [mean.low for mean in means], [mean.high for mean in means]
        ax.fill_between(widths, low, high, color=COLOURS[i], alpha=0.3, linewidth=0)
    _level(ax, own, own.trial("original_twice", arm=arm), "original, twice the epochs", 3)
    if arm == ARMS[0]:
        _level(ax, own, own.trial("decayed", decay=CHOSEN), "weight decay, not pruned", 4)


def _level(ax: Axes, own: Evidence, values: Floats, label: str, i: int) -> None:
    mean = own.mean(values)
    ax.axhline(mean.estimate, color=COLOURS[i], linestyle=DASHES[i], linewidth=1, label=label)
    ax.axhspan(mean.low, mean.high, color=COLOURS[i], alpha=0.3, linewidth=0)
