"""Pages of the study and of comparisons, for reports to take up: they publish, nobody knows them.

``pages.json`` in a folder of an experiment's results names the pages for its own report, and those
that sum them up for the reports of experiments that gather.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mini_exp.files import write_bytes
from mini_exp.settings.config import Config

PUBLICATION = "pages.json"
ONLY_LOOK = ("diagnose",)  # commands whose sections other commands' pages do not depend on


class _Publication(BaseModel):
    made_for: str  # SHA-256 of the config
    pages: list[str]
    summary: list[str]


def publish(
    folder: Path, config: Config, pages: Sequence[str], summary: Sequence[str] = ()
) -> None:
    """Offer files of a folder to reports; they must be there.

    Parameters
    ----------
    folder : Path
        In the experiment's results directory.
    config : Config
        What they were made for: the experiment's own report takes them up for no other.
    pages : sequence of str
        For the experiment's own report, relative to the folder.
    summary : sequence of str
        For reports of other experiments.
    """
    content = {
        "made_for": _identity(config, folder),
        "pages": list(pages),
        "summary": list(summary),
    }
    write_bytes(folder / PUBLICATION, (json.dumps(content, indent=1) + "\n").encode())


def published_pages(config: Config, directory: Path) -> list[str]:
    """What an experiment's report takes up, relative to its results directory.

    Pages that were made for the same config, as far as they are there; and of every other
    experiment beside it, where this one gathers, a summary that is there as a whole.
    """
    taken = []
    for folder, publication in _publications(directory):
        if publication.made_for == _identity(config, folder):
            pages = [f"{folder.name}/{page}" for page in publication.pages]
            taken += [page for page in pages if (directory / page).is_file()]
    if config.first.data.gathers:
        others = (path for path in sorted(directory.parent.glob("*")) if path.name != config.name)
        for other in others:
            for folder, publication in _publications(other):
                pages = [f"../{other.name}/{folder.name}/{page}" for page in publication.summary]
                if all((directory / page).is_file() for page in pages):
                    taken += pages
    return taken


def _publications(directory: Path) -> Iterator[tuple[Path, _Publication]]:
    """What each folder of a results directory offers; what cannot be read counts as nothing."""
    for path in sorted(directory.glob(f"*/{PUBLICATION}")):
        try:
            publication = _Publication.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if all(map(_is_below, [*publication.pages, *publication.summary])):
            yield path.parent, publication


def _is_below(page: str) -> bool:
    """Whether a file stands in the folder that names it."""
    return not Path(page).is_absolute() and ".." not in Path(page).parts


def _identity(config: Config, folder: Path) -> str:
    """SHA-256 of the config, without what only looks at results, unless the folder is its own."""
    read = config.model_copy(update={name: None for name in ONLY_LOOK if name != folder.name})
    return hashlib.sha256(read.as_yaml().encode()).hexdigest()
