"""The width problem over ρ: Figures 1 and 2 of the thesis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mini_exp.report.drawing import (
    COLOURS,
    DASHES,
    MARKERS,
    PAGE,
    arranged,
    blank,
    legend_above,
    style,
    whole_numbers,
)
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.published import STARTING_P
from mini_exp.spectral.width_path import WidthPath


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
        sizes = np.linspace(4.2, 2.2, path.width.shape[1])  # of equal values, all are seen
        for ax, values in ((top, path.lambda_), (bottom, path.width)):
            for layer, size in enumerate(sizes):
                _width_line(ax, path, values[:, layer], layer, size)
            if published:
                _shade_the_start(ax, path)
            if thesis_jump is not None:
                label = rf"thesis: full widths past $\rho \approx {thesis_jump:g}$"
                ax.axvline(thesis_jump, color="black", linestyle=DASHES[2], lw=1, label=label)
        if not path.converged.all():
            top.plot([], [], "o", color="0.3", markerfacecolor="none", label="SciPy: no success")
        _mark_widths(bottom, thesis_widths)
        if path.lambda_.min() < STARTING_P**2:
            top.set_yscale("symlog", linthresh=STARTING_P**2)
            top.set_ylim(bottom=0)
        else:
            top.set_yscale("log")
        top.set_ylabel(r"$\lambda_\ell$ (units of $\hat\Sigma$)")
        top.tick_params(labelbottom=False)
        bottom.set_ylim(bottom=0)
        bottom.yaxis.set_major_locator(whole_numbers())
        bottom.set_ylabel(r"$\hat m_\ell = \lceil N_\ell(\lambda_\ell)\rceil$ (units)")
        bottom.set_xlabel(r"$\rho$")
        height = legend_above(figure, top, bottom)
        arranged(figure, top=height, right=0.55 if thesis_widths else 0.1, down=0.15)
    return figure


def _width_line(
    ax: Axes, path: WidthPath, values: Floats | Integers, layer: int, size: float
) -> None:
    """One layer's line, with markers that say where the solver succeeded."""
    colour, marker = COLOURS[layer % 6], MARKERS[layer % 6]
    ax.plot(path.rho, values, color=colour, linewidth=0.9, alpha=0.6)
    for chosen, face in ((path.converged, colour), (~path.converged, "none")):
        ax.plot(
            path.rho[chosen],
            values[chosen],
            marker,
            color=colour,
            markerfacecolor=face,
            markersize=size,
        )
    ax.plot([], [], marker=marker, color=colour, label=f"layer {layer + 1}")


def _shade_the_start(ax: Axes, path: WidthPath) -> None:
    """Shade every ρ at which the published solver returned its starting point."""
    rho = path.rho
    at_start = (path.lambda_ == STARTING_P**2).all(axis=1)
    half_step = np.diff(rho).mean() / 2 if len(rho) > 1 else 0.01 * rho[0]
    label = "not converged: solver at its start"
    for place in rho[at_start]:
        ax.axvspan(place - half_step, place + half_step, color="0.85", zorder=0, label=label)


def _mark_widths(ax: Axes, widths: Sequence[int]) -> None:
    """Dotted lines at the thesis's widths, each once, with the names of the layers beside it."""
    for width in sorted(set(widths)):
        label = f"thesis: widths ({', '.join(map(str, widths))})"
        ax.axhline(width, color="black", linestyle=DASHES[3], lw=1, zorder=1, label=label)
        names = [rf"\hat m_{n}" for n, w in enumerate(widths, start=1) if w == width]
        ax.annotate(
            f"${', '.join(names)}$",
            (1, width),
            (2, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            verticalalignment="center",
        )
