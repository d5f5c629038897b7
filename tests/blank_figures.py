"""Files that stand for figures where a test need not draw."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import PIL.Image

from mini_exp.report import (
    dataset_figures,
    drawing,
    history_figures,
    moment_figures,
    selection_figures,
    width_figures,
)

MODULES = (dataset_figures, history_figures, moment_figures, selection_figures, width_figures)

_png = io.BytesIO()
PIL.Image.new("L", (9, 9)).save(_png, "png", dpi=(150, 150))
_BLANK = {
    "png": _png.getvalue(),
    "pdf": b"%PDF",
    "svg": b'<svg width="9pt" height="9pt"></svg>',
}


def blank_file(_: object, suffix: str) -> bytes:
    return _BLANK[suffix]


def leave_out_drawing(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """The report's figures are not drawn, and their files blank; ``setattr``, or a patch's."""
    for module in MODULES:
        for name in [name for name in vars(module) if name.endswith("_figure")]:
            set_attribute(module, name, lambda *_: None)
    set_attribute(drawing, "rendered", blank_file)
