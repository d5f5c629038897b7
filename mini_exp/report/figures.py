"""Every figure of an experiment: arrays in, a matplotlib figure out; `rendered` makes the files'
bytes.

A figure is as wide as a page or as one of its two columns, to be printed at that size. Legends
stand above the panels, where no data are, and lines differ in dashes or markers besides colour.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.datasets.mini import THRESHOLD
from mini_exp.spectral import Floats
from mini_exp.spectral.published import STARTING_P
from mini_exp.types import Dataset, History, LayerSelection, SecondMoments, Selection, WidthPath

STYLE = Path(__file__).with_suffix(".mplstyle")
COLOURS: tuple[str, ...] = tuple(
    mpl.rc_params_from_file(STYLE, use_default_template=False)["axes.prop_cycle"].by_key()["color"]
)
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Any, ...] = (
    *("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1)), (0, (2.5, 1))),
    (0, (7, 1.5, 1, 1.5, 1, 1.5)),
)

PAGE, COLUMN = 7.0, 3.4  # inches
DPI = 150  # of the PNG files


def style() -> AbstractContextManager[None]:
    """The style sheet's settings, and matplotlib's own defaults for all others."""
    return mpl.rc_context(fname=STYLE)


def rendered(figure: Figure, suffix: str) -> bytes:
    """The figure as ``png``, ``pdf`` or ``svg``; the same bytes for the same figure."""
    buffer = io.BytesIO()
    undated = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[suffix]
    with style():
        figure.savefig(buffer, format=suffix, dpi=DPI, metadata=undated)
    return buffer.getvalue()


def blank(width: float, height: float, rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def arranged(
    figure: Figure,
    *,
    left: float = 0.7,
    right: float = 0.1,
    bottom: float = 0.5,
    top: float = 0.1,
    across: float = 0.1,
    down: float = 0.1,
) -> None:
    """Place the panels: margins of the figure and gaps between its panels, in inches."""
    width, height = figure.get_size_inches()
    grid: Any = figure.axes[0].get_gridspec()
    rows, columns = grid.get_geometry()
    panel_width = (width - left - right - (columns - 1) * across) / columns
    panel_height = (height - bottom - top - (rows - 1) * down) / rows
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=across / panel_width,
        hspace=down / panel_height,
    )


def legend_above(figure: Figure, *panels: Axes) -> float:
    """One legend of these panels' labels, each once, above all of them; its height in inches.

    In as few rows as the figure's width allows, to be read row by row.
    """
    handles: dict[str, Any] = {}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = list(handles)
    for rows in range(1, len(labels) + 1):
        columns = -(-len(labels) // rows)
        down = [label for first in range(columns) for label in labels[first::columns]]
        legend = figure.legend([handles[x] for x in down], down, loc="upper center", ncols=columns)
        extent = legend.get_window_extent()
        if extent.width <= figure.bbox.width:
            break
        if columns > 1:
            legend.remove()
    return float(extent.height / figure.dpi) + 0.08


def dots(n: int) -> str:
    """A marker where a line of ``n`` points would be hard to see, or not be seen at all."""
    return "." if n <= 30 else "none"


def widths_figure(
    path: WidthPath,
    published: bool,
    thesis_widths: Sequence[int] = (),
    thesis_jump: float | None = None,
) -> Figure:
    """Figures 1 and 2: λ_ℓ and m̂_ℓ over ρ, one line per hidden layer.

    Hollow markers: SciPy reports no success. Shaded: the solver returned its starting point.
    Dotted, if given: the widths that the thesis chose, and the ρ past which it reports full widths.
    """
    with style():
        figure, axes = blank(PAGE, 5.0, 2, 1)
        top, bottom = axes[:, 0]
        sizes = np.linspace(4.2, 2.2, path.width.shape[2])  # of equal values, all are seen
        for ax, values in ((top, path.lambda_[0]), (bottom, path.width[0])):
            for layer, size in enumerate(sizes):
                _width_line(ax, path, values[:, layer], layer, size)
            _shade_the_start(ax, path, published)
            if thesis_jump is not None:
                label = rf"thesis: full widths past $\rho \approx {thesis_jump:g}$"
                ax.axvline(thesis_jump, color="black", linestyle=DASHES[2], lw=1, label=label)
        if not path.converged.all():
            top.plot([], [], "o", color="0.3", markerfacecolor="none", label="SciPy: no success")
        for width in sorted(set(thesis_widths)):
            label = f"thesis: widths ({', '.join(map(str, thesis_widths))})"
            bottom.axhline(width, color="black", linestyle=DASHES[3], lw=1, zorder=1, label=label)
            names = [rf"\hat m_{n}" for n, w in enumerate(thesis_widths, start=1) if w == width]
            bottom.annotate(
                f"${', '.join(names)}$",
                (1, width),
                (2, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                verticalalignment="center",
            )
        if path.lambda_.min() < STARTING_P**2:
            top.set_yscale("symlog", linthresh=STARTING_P**2)
            top.set_ylim(bottom=0)
        else:
            top.set_yscale("log")
        top.set_ylabel(r"$\lambda_\ell$ (units of $\hat\Sigma$)")
        top.tick_params(labelbottom=False)
        bottom.set_ylim(bottom=0)
        bottom.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        bottom.set_ylabel(r"$\hat m_\ell = \lceil N_\ell(\lambda_\ell)\rceil$ (units)")
        bottom.set_xlabel(r"$\rho$")
        height = legend_above(figure, top, bottom)
        arranged(figure, top=height, right=0.55 if thesis_widths else 0.1, down=0.15)
    return figure


def _width_line(ax: Axes, path: WidthPath, values: Floats, layer: int, size: float) -> None:
    """One layer's line, with markers that say where the solver succeeded."""
    colour, marker = COLOURS[layer % 6], MARKERS[layer % 6]
    ax.plot(path.rho, values, color=colour, linewidth=0.9, alpha=0.6)
    for chosen, face in ((path.converged[0], colour), (~path.converged[0], "none")):
        ax.plot(
            *(path.rho[chosen], values[chosen], marker),
            color=colour,
            markerfacecolor=face,
            markersize=size,
        )
    ax.plot([], [], marker=marker, color=colour, label=f"layer {layer + 1}")


def _shade_the_start(ax: Axes, path: WidthPath, published: bool) -> None:
    """Shade every ρ at which the published solver returned its starting point."""
    rho = path.rho
    at_start = (path.lambda_[0] == STARTING_P**2).all(axis=1) & published
    half_step = np.diff(rho).mean() / 2 if len(rho) > 1 else 0.01 * rho[0]
    label = "not converged: solver at its start"
    for place in rho[at_start]:
        ax.axvspan(place - half_step, place + half_step, color="0.85", zorder=0, label=label)


def dataset_figure(dataset: Dataset) -> Figure:
    """Figure 3: the mean X̄ and the label Y of every sample, training and test set."""
    with style():
        figure, axes = blank(PAGE, 4.4, 2, 1)
        samples = (
            ("training set", dataset.x_train[0], dataset.y_train[0]),
            ("test set", dataset.x_test[0], dataset.y_test[0]),
        )
        for ax, (title, x, y) in zip(axes[:, 0], samples, strict=True):
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


def loss_figure(history: History, thesis_loss: float | None = None) -> Figure:
    """Figure 4: training loss after every epoch, with the test loss.

    Star, if given: the thesis's test loss after its last epoch, which is taken to be the last one.
    """
    with style():
        figure, axes = blank(COLUMN, 2.7, 1, 1)
        ax = axes[0, 0]
        n_epochs = history.loss.shape[1]
        epoch = np.arange(1, n_epochs + 1)
        for label, values, colour, dashes in (
            ("training loss", history.loss, COLOURS[0], DASHES[0]),
            ("test loss", history.test_loss, COLOURS[1], DASHES[1]),
        ):
            marker = dots(n_epochs)
            ax.plot(epoch, values[0], color=colour, linestyle=dashes, marker=marker, label=label)
        ax.axhline(np.log(2), color="0.4", linestyle=DASHES[3], label=r"always ½: $\ln 2$")
        if thesis_loss is not None:
            ax.plot(
                *(n_epochs, thesis_loss, "*"),
                color="black",
                markersize=8,
                clip_on=False,
                label=f"thesis: test loss {thesis_loss:.2f}",
            )
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_ylabel("binary cross-entropy (nats)")
        ax.set_ylim(bottom=0)
        height = legend_above(figure, ax)
        arranged(figure, left=0.6, top=height, right=0.15)
    return figure


def second_moment_figure(moments: SecondMoments, layer: int, scale: str) -> Figure:
    """Figures 5, 6 and 7: the second moment of hidden layer ``layer`` (0-based) as a heat map.

    All layers of a network share the colours' scale.
    """
    with style():
        figure, axes = blank(COLUMN, 2.6, 1, 1)
        arranged(figure, left=0.55, right=0.85, top=0.25)
        ax = axes[0, 0]
        sigma = moments.sigma[layer][0]
        m = len(sigma)
        # ReLU outputs are not negative, so neither is Σ: a sequential map from 0. A few units have
        # most of the second moment; on a linear scale all others would look like 0.
        largest = max(values[0].max() for values in moments.sigma)
        image = ax.imshow(
            sigma,
            norm=PowerNorm(0.5, vmin=0, vmax=largest or 1.0),
            extent=(0.5, m + 0.5, m + 0.5, 0.5),
            interpolation="nearest",
        )
        ax.grid(visible=False)
        ticks = np.arange(1, m + 1, -(-m // 7))
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
        ax.set_xlabel(f"unit of layer {layer + 1}")
        ax.set_ylabel(f"unit of layer {layer + 1}")
        how = "sum" if scale == "sum" else "mean"
        what = rf"$\hat\Sigma_{{ij}}$ ({how} over {moments.n_samples} samples)"
        bar = figure.colorbar(image, ax=ax, fraction=0.06, pad=0.04)
        bar.set_label(f"{what}\nsquare-root scale of colours")
    return figure


def selection_figure(selection: Selection, theta: float) -> Figure:
    """𝒞(J) and the operator-norm losses along the greedy path of every hidden layer.

    Dotted: the best of all index sets of that size. Vertical: the width that is kept.
    """
    with style():
        n_layers = len(selection.layers)
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
            layer, kept = selection.layers[number - 1], selection.widths[number - 1]
            _greedy_path(top, bottom, layer, kept, theta)
            top.set_title(f"layer {number}: {kept} of {layer.index_path.shape[1]} units kept")
        for top, bottom in pairs[::columns]:
            top.set_ylabel(r"information ratio $\mathcal{C}(J)$")
            bottom.set_ylabel(r"operator-norm loss (units of $\hat\Sigma$)")
        above = legend_above(figure, *pairs[0])
        arranged(figure, top=above + 0.2, across=0.5, down=0.45 if rows == 1 else 0.75)
    return figure


def _greedy_path(top: Axes, bottom: Axes, layer: LayerSelection, kept: int, theta: float) -> None:
    size = np.arange(1, layer.index_path.shape[1] + 1)
    best = layer.exhaustive
    lines = (
        (top, "information", layer.information_ratio, r"$\mathcal{C}$"),
        (bottom, "A", layer.losses["A"], "$L^{(A)}$"),
        (bottom, "B", layer.losses["B"], "$L^{(B)}$"),
        (bottom, "theta", layer.losses["theta"], rf"$L^{{(\theta)}},\ \theta = {theta:g}$"),
    )
    for (ax, name, values, label), colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
        ax.plot(size, values[0], color=colour, marker=marker, label=f"greedy {label}")
        if best:
            ax.plot(
                *(size, best[name][0]),
                color=colour,
                linestyle=DASHES[3],
                marker=marker,
                markerfacecolor="none",
            )
    if best:
        top.plot([], [], color="0.3", linestyle=DASHES[3], label="best of all sets")
    for ax in (top, bottom):
        ax.axvline(kept, color="0.5", linewidth=0.8, label="kept")
        ax.set_xlim(0.5, size[-1] + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_ylim(bottom=0)
    bottom.set_xlabel("units kept")
