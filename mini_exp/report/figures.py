"""Every figure: arrays in, a matplotlib figure out; `rendered` makes the files' bytes."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mini_exp.datasets.mini import THRESHOLD
from mini_exp.spectral.published import STARTING_P
from mini_exp.types import Dataset, History, SecondMoments, Selection, WidthPath

# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "pdf.fonttype": 3,  # embedded; Type 42 would take four times as long to subset
    "svg.hashsalt": "mini-exp",  # the same bytes every time
}


def style() -> AbstractContextManager[None]:
    return mpl.rc_context(STYLE)  # type: ignore[arg-type]


def rendered(figure: Figure, suffix: str) -> bytes:
    """The figure as ``png``, ``pdf`` or ``svg``; the same bytes for the same figure."""
    buffer = io.BytesIO()
    undated = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[suffix]
    with style():
        figure.savefig(buffer, format=suffix, dpi=150, metadata=undated)
    return buffer.getvalue()


def blank(width: float, height: float, rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _legend_above(ax: Axes, columns: int) -> None:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def widths_figure(path: WidthPath, published: bool) -> Figure:
    """Figures 1 and 2: λ_ℓ and m̂_ℓ over ρ, one line per hidden layer.

    Hollow markers: SciPy reports no success. Shaded: the solver returned its starting point.
    """
    with style():
        figure, axes = blank(6.4, 5.2, 2, 1)
        rho, converged = path.rho, path.converged[0]
        at_start = (path.lambda_[0] == STARTING_P**2).all(axis=1) & published
        half_step = np.diff(rho).mean() / 2 if len(rho) > 1 else 0.01 * rho[0]
        panels = (
            (axes[0, 0], path.lambda_[0], r"\lambda", r"$\lambda_\ell$  (units of $\Sigma$)"),
            (axes[1, 0], path.width[0], r"\hat m", r"$\hat m_\ell = \lceil N_\ell\rceil$  (units)"),
        )
        for ax, values, symbol, y_label in panels:
            for layer in range(values.shape[1]):
                colour, marker = COLOURS[layer % 6], MARKERS[layer % 6]
                line = values[:, layer]
                ax.plot(rho, line, color=colour, linewidth=0.9, alpha=0.6)
                for chosen, face in ((converged, colour), (~converged, "none")):
                    ax.plot(
                        rho[chosen],
                        line[chosen],
                        marker,
                        color=colour,
                        markerfacecolor=face,
                        markeredgewidth=0.8,
                    )
                ax.plot([], [], marker=marker, color=colour, label=f"${symbol}_{layer + 1}$")
            for place in rho[at_start]:
                ax.axvspan(place - half_step, place + half_step, color="0.85", zorder=0)
            ax.set_ylabel(y_label)
        top, bottom = axes[:, 0]
        top.set_yscale("symlog", linthresh=STARTING_P**2)
        top.set_ylim(bottom=0)
        bottom.set_ylim(bottom=0)
        bottom.yaxis.set_major_locator(MaxNLocator(integer=True))
        bottom.set_xlabel(r"$\rho$")
        if not converged.all():
            top.plot([], [], "o", color="0.3", markerfacecolor="none", label="solver: no success")
        if at_start.any():
            top.axvspan(rho[0], rho[0], color="0.85", label="not converged: at its start")
        _legend_above(top, 5)
        figure.subplots_adjust(left=0.12, right=0.98, top=0.92, bottom=0.09, hspace=0.2)
    return figure


def dataset_figure(dataset: Dataset) -> Figure:
    """Figure 3: the mean X̄ and the label Y of every sample, training and test set."""
    with style():
        figure, axes = blank(6.4, 4.8, 2, 1)
        samples = (
            ("training set", dataset.x_train[0], dataset.y_train[0]),
            ("test set", dataset.x_test[0], dataset.y_test[0]),
        )
        for ax, (title, x, y) in zip(axes[:, 0], samples, strict=True):
            index = np.arange(1, len(y) + 1)
            ax.plot(index, x.mean(axis=1), color=COLOURS[0], label=r"$\bar X$ (left axis)")
            ax.axhline(THRESHOLD, color="0.4", linestyle=":", label=rf"threshold ${THRESHOLD}$")
            ax.set_ylabel(r"$\bar X$")
            ax.set_xlim(0, len(y) + 1)
            labels = ax.twinx()
            labels.grid(visible=False)
            labels.spines["right"].set_visible(True)
            labels.step(index, y, where="mid", color=COLOURS[1], linewidth=0.9)
            labels.set_yticks([0, 1])
            labels.set_ylim(-0.1, 3.5)  # the steps stay below the curve
            labels.set_ylabel("label $Y$", y=0.16)
            ax.plot([], [], color=COLOURS[1], label="$Y$ (right axis)")
            low, high = x.mean(axis=1).min(), x.mean(axis=1).max()
            spread = (high - low) or 1.0  # of a single sample
            ax.set_ylim(low - 0.5 * spread, high + 0.05 * spread)
            ax.set_title(title, loc="right")
            _legend_above(ax, 3)
        axes[1, 0].set_xlabel("sample")
        figure.subplots_adjust(left=0.11, right=0.92, top=0.93, bottom=0.1, hspace=0.3)
    return figure


def loss_figure(history: History) -> Figure:
    """Figure 4: training loss after every epoch, with the test loss."""
    with style():
        figure, axes = blank(6.4, 3.6, 1, 1)
        ax = axes[0, 0]
        epoch = np.arange(1, history.loss.shape[1] + 1)
        ax.plot(epoch, history.loss[0], color=COLOURS[0], label="training loss")
        ax.plot(epoch, history.test_loss[0], color=COLOURS[1], linestyle="--", label="test loss")
        ax.axhline(np.log(2), color="0.4", linestyle=":", label=r"always ½: $\ln 2$")
        ax.set_xlabel("epoch")
        ax.set_ylabel("binary cross-entropy (nats)")
        ax.set_ylim(bottom=0)
        _legend_above(ax, 3)
        figure.subplots_adjust(left=0.1, right=0.98, top=0.9, bottom=0.14)
    return figure


def second_moment_figure(moments: SecondMoments, layer: int, scale: str) -> Figure:
    """Figures 5, 6 and 7: the second moment of hidden layer ``layer`` (0-based) as a heat map."""
    with style():
        figure, axes = blank(4.4, 3.8, 1, 1)
        ax = axes[0, 0]
        sigma = moments.sigma[layer][0]
        m = len(sigma)
        extent = (0.5, m + 0.5, m + 0.5, 0.5)
        # ReLU outputs are not negative, so neither is Σ: a sequential map from 0.
        image = ax.imshow(sigma, cmap="viridis", vmin=0, extent=extent, interpolation="nearest")
        ax.grid(visible=False)
        ticks = np.arange(1, m + 1) if m <= 20 else np.linspace(1, m, 9).round()
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
        ax.set_xlabel(f"unit of layer {layer + 1}")
        ax.set_ylabel(f"unit of layer {layer + 1}")
        how = "sum" if scale == "sum" else "mean"
        figure.colorbar(
            image, ax=ax, label=rf"$\hat\Sigma_{{ij}}$ ({how} over {moments.n_samples} samples)"
        )
        figure.subplots_adjust(left=0.12, right=0.92, top=0.97, bottom=0.12)
    return figure


def selection_figure(selection: Selection, theta: float) -> Figure:
    """𝒞 and the operator-norm losses along the greedy path, beside the best of every size."""
    names = {
        "A": r"$L^{(A)}$",
        "B": r"$L^{(B)}$",
        "theta": rf"$L^{{(\theta)}},\ \theta={theta:g}$",
    }
    with style():
        n_layers = len(selection.layers)
        figure, axes = blank(2.5 * n_layers, 4.6, 2, n_layers)
        layers = zip(axes.T, selection.widths, selection.layers, strict=True)
        for number, ((top, bottom), width, layer) in enumerate(layers, start=1):
            size = np.arange(1, layer.index_path.shape[1] + 1)
            best = layer.exhaustive
            top.plot(
                size, layer.information_ratio[0], color=COLOURS[0], label=r"greedy $\mathcal{C}$"
            )
            if best:
                top.plot(size, best["information"][0], "k:", label="best of all sets")
            for colour, (name, label) in zip(COLOURS[1:], names.items(), strict=False):
                bottom.plot(size, layer.losses[name][0], color=colour, label=f"greedy {label}")
                if best:
                    bottom.plot(size, best[name][0], color=colour, linestyle=":")
            for ax in (top, bottom):
                ax.axvline(width, color="0.5", linewidth=0.8)
                ax.set_xlim(0.5, size[-1] + 0.5)
                ax.xaxis.set_major_locator(MaxNLocator(integer=True))
                ax.set_ylim(bottom=0)
            top.set_title(f"layer {number}: {width} of {size[-1]} kept")
            bottom.set_xlabel("units kept")
        axes[0, 0].set_ylabel(r"information ratio $\mathcal{C}(J)$")
        axes[1, 0].set_ylabel("operator-norm loss")
        axes[0, 0].legend(loc="lower right")
        axes[1, -1].plot([], [], color="0.3", linestyle=":", label="best of all sets")
        axes[1, -1].legend(loc="upper right", fontsize=7)
        figure.subplots_adjust(left=0.09, right=0.99, top=0.94, bottom=0.1, wspace=0.28, hspace=0.2)
    return figure
