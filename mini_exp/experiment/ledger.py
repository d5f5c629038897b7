"""Parts of a long computation that are finished: the study's chunks, the comparison's networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mini_exp.files import read_bytes, sha256, write_bytes

LEDGER = "ledger.json"


class Ledger:
    """Which parts are on disk, and what they were made for.

    A part is a file; ``ledger.json`` beside it says its SHA-256. A part counts only while the
    ledger was made for the same settings and code, so that an interrupted computation goes on
    where it was, and a changed one starts anew.

    Parameters
    ----------
    folder : Path
        Of the parts. Nothing is written before the first is added.
    made_for : mapping
        What the parts depend on, as JSON data.
    anew : bool
        Let no part count that is there.
    """

    def __init__(self, folder: Path, made_for: Mapping[str, Any], anew: bool = False) -> None:
        self.folder = folder
        self.made_for = json.loads(json.dumps(made_for))  # as it reads back
        self._parts: dict[str, str] = {} if anew else self._finished()

    def _finished(self) -> dict[str, str]:
        try:
            ledger = json.loads((self.folder / LEDGER).read_bytes())
            if ledger["made_for"] == self.made_for:
                return dict(ledger["parts"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            pass  # none yet, or none that can be read: then no part counts
        return {}

    def has(self, name: str) -> bool:
        """Whether a part is there as it was added."""
        expected = self._parts.get(name)
        return expected is not None and sha256(self.folder / name) == expected

    def add(self, name: str, content: bytes) -> None:
        """Write a part, then the ledger; a process that dies between the two loses that part."""
        self._parts[name] = write_bytes(self.folder / name, content)
        ledger = {"made_for": self.made_for, "parts": dict(sorted(self._parts.items()))}
        write_bytes(self.folder / LEDGER, json.dumps(ledger, indent=1).encode())

    def content(self, name: str) -> bytes:
        """A part that is there.

        Raises
        ------
        ArtifactError
            If its file is missing or not the one that was added.
        """
        return read_bytes(self.folder / name, self._parts.get(name))
