"""How results are shown: at a prompt, by rich, in a notebook."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.console

WIDTH = 120  # characters of a printed table


@dataclass(frozen=True)
class Table:
    """A table of text under a title."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def rich_group(tables: Sequence[Table]) -> rich.console.Group:
    """The tables one below the other."""
    import rich.table
    from rich.console import Group
    from rich.text import Text

    parts: list[rich.console.RenderableType] = []
    for table in tables:
        grid = rich.table.Table(*table.header, box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for row in table.rows:
            grid.add_row(*(Text(_printable(cell)) for cell in row))
        parts += [Text(_printable(table.title), "bold"), grid, ""]
    return Group(*parts[:-1])


def plain_text(tables: Sequence[Table]) -> str:
    """The same without color, of a fixed width."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_jupyter=False)
    with console.capture() as capture:
        console.print(rich_group(tables))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def html_text(tables: Sequence[Table]) -> str:
    """The same as HTML tables."""
    text = ""
    for table in tables:
        head = _cells("caption", [table.title]) + f"<tr>{_cells('th', table.header)}</tr>"
        body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in table.rows)
        text += f"<table>{head}{body}</table>"
    return text


def _cells(tag: str, row: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(_printable(cell))}</{tag}>" for cell in row)


def _printable(text: str) -> str:
    """Without control characters, which could take hold of a terminal."""
    return text if text.isprintable() else repr(text)
