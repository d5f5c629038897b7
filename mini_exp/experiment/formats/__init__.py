"""How artifacts are written: a module per type, with ``to_bytes`` and ``from_bytes``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from mini_exp import files
from mini_exp.errors import ArtifactError


def write(path: Path, value: Any, format_name: str) -> str:
    """Write an artifact in a format; return its SHA-256."""
    return files.write_bytes(path, _format(format_name).to_bytes(value))


def read(path: Path, expected: str | None, format_name: str) -> Any:
    """Read an artifact and check that it is the one the manifest names.

    Parameters
    ----------
    path : Path
    expected : str or None
        SHA-256 that the file had when the step's state was taken; checked on the very bytes that
        are parsed.
    format_name : str

    Raises
    ------
    ArtifactError
        If the file is missing, differs, or does not parse.
    """
    content = files.read_bytes(path, expected)
    try:
        return _format(format_name).from_bytes(content)
    except Exception as error:  # whatever a parser makes of a hostile file
        text = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path}: cannot be parsed: {type(error).__name__}: {text}") from None


def _format(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")
