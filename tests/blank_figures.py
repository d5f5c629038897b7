"""Files that stand for figures where a test need not draw."""

from __future__ import annotations

import io

import PIL.Image

_png = io.BytesIO()
PIL.Image.new("L", (9, 9)).save(_png, "png", dpi=(150, 150))
_BLANK = {
    "png": _png.getvalue(),
    "pdf": b"%PDF",
    "svg": b'<svg width="9pt" height="9pt"></svg>',
}


def blank_file(_: object, suffix: str) -> bytes:
    return _BLANK[suffix]
