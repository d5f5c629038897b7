"""What the terminal at hand can show."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def is_dumb() -> bool:
    """Whether the terminal takes no escape sequences."""
    return os.environ.get("TERM") in ("dumb", "unknown")


def has_viewer(quiet: bool) -> bool:
    """Whether there is somebody to look at a bar."""
    return not quiet and sys.stdout is not None and sys.stdout.isatty() and not is_dumb()


def new_console() -> Console:
    """Where everything goes: as it is, without a guess at what words mean."""
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR"))
    return Console(
        markup=False, emoji=False, highlight=False, color_system=None if plain else "auto"
    )
