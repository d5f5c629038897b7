"""The files of one folder of results, checked against the manifest when they are read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.experiment import formats
from mini_exp.files import sha256

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ResultFiles:
    """The files of one folder.

    Attributes
    ----------
    folder : Path
    formats : mapping from file to format
        A module of ``experiment.formats``.
    command : str
        Which of ours makes them.
    digests : mapping from path to SHA-256
        As the manifest names them.
    """

    folder: Path
    formats: Mapping[str, str]
    command: str
    digests: Mapping[Path, str] = field(default_factory=dict, repr=False)

    @property
    def advice(self) -> str:
        return (
            f"make it with `mini-exp {self.command}` and the experiment's file, then load the "
            "results anew"
        )

    @property
    def state(self) -> str:
        """Which files are there, in words."""
        missing = [name for name in self.formats if not os.access(self.folder / name, os.R_OK)]
        if len(missing) == len(self.formats):
            return f"none; `mini-exp {self.command}` makes them"
        return f"missing: {', '.join(missing)}" if missing else f"all {len(self.formats)} files"

    @contextlib.contextmanager
    def explained(self, name: str) -> Iterator[None]:
        """Whatever goes wrong with a file becomes one error that says what makes the file."""
        try:
            yield
        except Exception as error:  # whatever a hostile file brings about
            if isinstance(error, ArtifactError | ConfigError):  # these name the file
                text, *more = str(error).splitlines()
                text += f" (and {len(more)} more)" if more else ""
            else:
                text = " ".join(str(error).split())[:200]
                text = f"{self.folder / name}: cannot be parsed: {type(error).__name__}: {text}"
            raise ArtifactError(f"{text}; {self.advice}") from None

    def check_folder(self) -> None:
        """Refuse a folder that is not there."""
        if not self.folder.is_dir():
            raise ArtifactError(f"{self.folder}: not a directory; {self.advice}")

    def artifact(self, name: str) -> Any:
        """What a file holds, as its format gives it."""
        return self._read(name, self.formats[name])

    def frame(self, name: str) -> pd.DataFrame:
        """A CSV file as a table, whatever its format makes of it."""
        table: pd.DataFrame = self._read(name, "table")
        return table

    def _read(self, name: str, format_name: str) -> Any:
        path = self.folder / name
        with self.explained(name):  # a file that the manifest does not name is only parsed
            return formats.read(path, self.digests.get(path) or sha256(path), format_name)
