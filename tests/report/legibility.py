"""What makes a figure legible: nothing covered or cut off, lines told apart without colour."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from mini_exp.report import drawing

SMALLEST = 7  # pt


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def drawn_texts(figure: Figure) -> list[Text]:
    """Every text that drawing the figure draws; not the tick labels outside the panels."""
    draw = Text.draw
    drawn: list[Text] = []

    def recording(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        draw(text, renderer)

    with drawing.style(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", recording)
        figure.draw_without_rendering()
    return drawn


def complaints(figure: Figure) -> list[str]:
    """What of a figure is covered, cut off, in the way of another, too small, or of another width.

    Data are drawn inside the panels, so a legend outside of them covers none.
    """
    width = figure.get_figwidth()
    texts = [(text.get_text(), text.get_window_extent(), text) for text in drawn_texts(figure)]
    legends = [legend.get_window_extent() for legend in figure.legends]
    panels = [ax.get_window_extent() for ax in figure.axes]
    inside = figure.bbox.contains
    boxes = [*((name, box) for name, box, _ in texts), *(("the legend", box) for box in legends)]
    return [
        *([] if width in (drawing.PAGE, drawing.COLUMN) else [f"{width} inches wide"]),
        *("a legend in a panel" for ax in figure.axes if ax.get_legend()),
        *("a covered panel" for a, b in itertools.product(legends, panels) if a.overlaps(b)),
        *(
            f"{name!r} is cut off"
            for name, box in boxes
            if not (inside(*box.p0) and inside(*box.p1))
        ),
        *(
            f"{a!r} overlaps {b!r}"
            for (a, box, _), (b, other, _) in itertools.combinations(texts, 2)
            if box.overlaps(other)
        ),
        # Sub- and superscripts are smaller than the text by 0.7.
        *(f"{name!r} is small" for name, _, t in texts if 0.7 * t.get_fontsize() < SMALLEST),
    ]


def looks(figure: Figure) -> dict[str, tuple[object, ...]]:
    """What a printer without colours leaves of every labelled line."""
    handles = {
        label: handle[0] if isinstance(handle, Container) else handle
        for ax in figure.axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    return {label: _look(handle) for label, handle in handles.items()}


def _look(handle: Any) -> tuple[object, ...]:
    if not isinstance(handle, Line2D):
        return str(handle.get_linestyle()), str(handle.get_linewidth())
    dashes = handle._unscaled_dash_pattern if handle.get_linestyle() != "None" else None
    hollow = handle.get_markerfacecolor() in ("none", "white")
    return str(dashes), handle.get_linewidth(), handle.get_marker(), hollow
