"""Worker processes import the script that starts them: without a guard each would start more."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType

from mini_exp.errors import ConfigError


def check_main_guard(command: str) -> None:
    """Refuse a call that the main script makes wherever it is imported.

    Raises
    ------
    ConfigError
        If this is called, however deep, from the top level of the script, and no ``if`` before or
        around the line looks at ``__name__``.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    line = _line_of(main.__dict__)
    if file is None or line is None:  # a notebook, or called from elsewhere
        return
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    if not any(
        node.lineno <= line and _names_main(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
    ):
        raise ConfigError(
            f"{command}: {file}, line {line}: expected the call under "
            '`if __name__ == "__main__":`, since the workers import the script'
        )


def _line_of(names: dict[str, object]) -> int | None:
    """The line of the script's top level that is being executed; None where none is."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is names and frame.f_code.co_name == "<module>":
            return frame.f_lineno
        frame = frame.f_back
    return None


def _names_main(node: ast.If) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))
