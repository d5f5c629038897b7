"""Pages of the study and of comparisons, for reports to take up: they publish, nobody knows them.

``pages.json`` in a folder of an experiment's results names the pages for its own report, and those
that sum them up for the reports of experiments that gather, each with its SHA-256. Where one of
them is missing or has other bytes, none is taken up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mini_exp.files import sha256, write_bytes
from mini_exp.settings.config import Config

PUBLICATION = "pages.json"
ONLY_LOOK = ("diagnose",)  # commands whose sections other commands' pages do not depend on


class _Publication(BaseModel):
    made_for: str  # SHA-256 of the config
    pages: dict[str, str]  # from a file to its SHA-256
    summary: dict[str, str]


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
        "pages": {page: sha256(folder / page) for page in pages},
        "summary": {page: sha256(folder / page) for page in summary},
    }
    write_bytes(folder / PUBLICATION, (json.dumps(content, indent=1) + "\n").encode())


def published_pages(config: Config, directory: Path) -> list[str]:
    """What an experiment's report takes up, relative to its results directory.

    Pages that were made for the same config and are there as a whole; and of every other experiment
    beside it, where this one gathers, a summary that is.
    """
    taken = []
    for folder, publication in _publications(directory):
        if publication.made_for == _identity(config, folder):
            taken += _whole(directory, folder.name, publication.pages)
    if config.first.data.gathers:
        others = (path for path in sorted(directory.parent.glob("*")) if path.name != config.name)
        for other in others:
            for folder, publication in _publications(other):
                place = f"../{other.name}/{folder.name}"
                taken += _whole(directory, place, publication.summary)
    return taken


def _whole(directory: Path, place: str, pages: Mapping[str, str]) -> list[str]:
    """The files, relative to the results directory, if all are as they were published."""
    files = {f"{place}/{page}": digest for page, digest in pages.items()}
    whole = all(sha256(directory / file) == digest for file, digest in files.items())
    return list(files) if whole else []


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
    """SHA-256 of the config, without what only looks at results, unless the folder is its own.

    Which instruments have looked does not count: more of them answer more, and nothing else.
    """
    read = config.model_copy(update={name: None for name in ONLY_LOOK if name != folder.name})
    if read.diagnose is not None:
        any_instruments = read.diagnose.model_copy(update={"instruments": None})
        read = read.model_copy(update={"diagnose": any_instruments})
    return hashlib.sha256(read.as_yaml().encode()).hexdigest()
