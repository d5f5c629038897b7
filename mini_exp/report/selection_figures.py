"""The greedy path of every layer beside the best of all index sets."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mini_exp.pruning.selection import GroupSelection, Selection
from mini_exp.report.drawing import (
    COLOURS,
    COLUMN,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
    whole_numbers,
)


def selection_figure(selection: Selection, theta: float) -> Figure:
    """𝒞(J) and the operator-norm losses along the greedy path of every hidden layer.

    Dotted: the best of all index sets of that size. Vertical: the width that is kept. A layer too
    wide for losses has 𝒞 alone.
    """
    with style():
        n_layers = len(selection.groups)
        columns = min(n_layers, 3)
        rows = -(-n_layers // columns)
        width, height = (PAGE if columns > 1 else COLUMN), 4.4 * rows + 0.5
        figure, axes = blank(width, height, 2 * rows, columns)
        pairs = axes.reshape(rows, 2, columns).transpose(0, 2, 1).reshape(-1, 2)
        for number, (top, bottom) in enumerate(pairs, start=1):
            if number > n_layers:
                top.set_axis_off()
                bottom.set_axis_off()
                continue
            kept = selection.groups[number - 1]
            _greedy_path(top, bottom, kept, theta)
            top.set_title(f"layer {number}: {kept.width} of {kept.group.width} units kept")
        for top, bottom in pairs[::columns]:
            top.set_ylabel(r"information ratio $\mathcal{C}(J)$")
            bottom.set_ylabel(r"operator-norm loss (units of $\hat\Sigma$)")
        above = legend_above(figure, *pairs.flat)
        arranged(figure, top=above + 0.2, across=0.5, down=0.45 if rows == 1 else 0.75)
    return figure


def _greedy_path(top: Axes, bottom: Axes, kept: GroupSelection, theta: float) -> None:
    path = kept.path
    size = np.arange(1, kept.group.width + 1)
    greedy = {"information": path.information_ratio, **path.losses}
    lines = (
        (top, "information", r"$\mathcal{C}$"),
        (bottom, "A", "$L^{(A)}$"),
        (bottom, "B", "$L^{(B)}$"),
        (bottom, "theta", rf"$L^{{(\theta)}},\ \theta = {theta:g}$"),
    )
    for (ax, name, label), colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
        if name in greedy:
            ax.plot(size, greedy[name], color=colour, marker=marker, label=f"greedy {label}")
        if name in path.exhaustive:
            ax.plot(
                size,
                path.exhaustive[name],
                color=colour,
                linestyle=DASHES[3],
                marker=marker,
                markerfacecolor="none",
            )
    if path.exhaustive:
        top.plot([], [], color="0.3", linestyle=DASHES[3], label="best of all sets")
    if not path.losses:
        middle = (0.5, 0.5)
        bottom.annotate("too wide for losses", middle, xycoords="axes fraction", ha="center")
    for ax in (top, bottom):
        ax.axvline(kept.width, color="0.5", linewidth=0.8, label="kept")
        ax.set_xlim(0.5, size[-1] + 0.5)
        ax.xaxis.set_major_locator(whole_numbers(10 if size[-1] < 100 else 4))
        ax.set_ylim(bottom=0)
    bottom.set_xlabel("units kept")
