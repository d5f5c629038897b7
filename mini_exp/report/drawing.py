"""What every figure is drawn with: one style, panels placed in inches, legends above them.

A figure is as wide as a page or as one of its two columns, to be printed at that size. Legends
stand above the panels, where no data are, and lines differ in dashes or markers besides colour.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

STYLE = Path(__file__).with_suffix(".mplstyle")
COLOURS: tuple[str, ...] = tuple(
    mpl.rc_params_from_file(STYLE, use_default_template=False)["axes.prop_cycle"].by_key()["color"]
)
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (1, 1)),
    (0, (2.5, 1)),
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


def figure_files(figures: Mapping[str, Figure]) -> dict[str, bytes]:
    """Figures by their path without suffix, each as PNG and as PDF."""
    return {
        f"{path}.{suffix}": rendered(figure, suffix)
        for path, figure in figures.items()
        for suffix in ("png", "pdf")
    }


def blank(width: float, height: float, rows: int, columns: int) -> tuple[Figure, Any]:
    """A figure of so many inches, and its panels: an array (rows, columns) of axes."""
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


def whole_numbers(most: int = 10) -> MaxNLocator:
    """Ticks of an axis that counts, at most so many intervals; one tick at least."""
    return MaxNLocator(most, integer=True, min_n_ticks=1)
