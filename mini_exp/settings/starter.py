"""A commented experiment file to start from: every setting, its default, what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from mini_exp import files
from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.settings.config import NAME, REPETITIONS
from mini_exp.settings.defaults import data_class
from mini_exp.settings.messages import either
from mini_exp.settings.schema import FILE, schema_text
from mini_exp.settings.sections import Choose
from mini_exp.settings.settings import Settings
from mini_exp.settings.yaml import dumped
from mini_exp.tasks import DATA, MODELS
from mini_exp.tasks.section import DataSection, kind_of

COLUMN = 32  # where the comments begin

HEAD = """\
# yaml-language-server: $schema={schema}
# An experiment of mini-exp. Every setting is here with its default; delete what you leave as it is.
# Check:  mini-exp validate {file}
# Run:    mini-exp run {file}

name: {name}
"""
SHARED = "\n# Shared by all variants.\n"


def write_starter(path: Path, kind: str) -> list[Path]:
    """Write a starter file, and the schema beside it where there is none.

    Parameters
    ----------
    path : Path
        Ends in .yaml or .yml; its stem gives the experiment's name.
    kind : str
        ``data.kind``.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ConfigError
        If the name has another ending, or there is no such kind.
    ArtifactError
        If the file is there already, or its folder is not.
    """
    if path.suffix not in (".yaml", ".yml") or not path.name.isprintable():
        raise ConfigError(f"{str(path)!r}: expected the name of a file that ends in .yaml")
    if path.exists() or path.is_symlink():
        raise ArtifactError(f"{path}: is there already, and nothing is overwritten; choose another")
    if not path.parent.is_dir():
        raise ArtifactError(f"{path.parent}: no such directory; make it first")
    content = {path: starter_text(path.name, kind)}
    schema = path.parent / FILE
    if not schema.exists():
        content[schema] = schema_text()
    for file, text in content.items():
        files.write_bytes(file, text.encode())
    return list(content)


def starter_text(file: str, kind: str) -> str:
    """A commented experiment file, generated from the settings' models.

    Parameters
    ----------
    file : str
        The file's name, which gives the experiment's.
    kind : str
        ``data.kind``.

    Raises
    ------
    ConfigError
        If there is no such kind.

    Examples
    --------
    >>> print(starter_text("my.yaml", "mini").splitlines()[5])
    name: my
    """
    data = data_class({"kind": kind})
    if data is None:
        kinds = either(kind_of(section) for section in DATA)
        raise ConfigError(f"--data: expected {kinds}, got {kind!r}")
    settings = Settings.model_validate({"data": {"kind": kind}})
    lines = [
        HEAD.format(schema=FILE, file=file, name=_flow(experiment_name(Path(file).stem))),
        SHARED,
        *_lines(settings, kinds=_kinds_beside(data)),
        *(line for command in data.beyond for line in _section_lines(command, file)),
        "\n# Each overrides some of the settings above.\nvariants:\n",
        *(f"  {name}: {_flow(changes)}\n" for name, changes in data.starter_variants.items()),
    ]
    return "".join(lines)


def _section_lines(command: str, file: str) -> Iterator[str]:
    """The section of a command that goes beyond one run."""
    yield f"\n# mini-exp {command} {file}\n{command}:\n"
    yield from _lines(REPETITIONS[command](), "  ")


def experiment_name(stem: str) -> str:
    """The nearest name that an experiment may have.

    Examples
    --------
    >>> experiment_name("my first try")
    'my-first-try'
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._")[:64].rstrip(".")
    return name if re.fullmatch(NAME, name) else "experiment"


def _kinds_beside(data: type[DataSection]) -> dict[str, list[str]]:
    """The kinds that would do in the same file, by section."""
    return {
        "data": [kind_of(section) for section in DATA if section.task == data.task],
        "model": [kind_of(model) for model in MODELS if model.fits(data)],
    }


def _lines(
    section: BaseModel, indent: str = "", kinds: Mapping[str, Sequence[str]] | None = None
) -> Iterator[str]:
    """A section's keys as YAML, each with its description and its other values."""
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        note = field.description or ""
        if isinstance(value, BaseModel) and key != "choose":
            note = note or (type(value).__doc__ or "").splitlines()[0]
            yield f"{f'{indent}{key}:':{COLUMN - 1}} # {note}\n"
            of_key = (kinds or {}).get(key)
            yield from _lines(value, f"{indent}  ", {"kind": of_key} if of_key else None)
            continue
        literal = get_origin(field.annotation) is Literal
        options = (kinds or {}).get(key) or (get_args(field.annotation) if literal else ())
        others = f" [{', '.join(map(str, options))}]" if len(options) > 1 else ""
        plain = section.model_dump(mode="json").get(key)
        yield f"{f'{indent}{key}: {_flow(plain)}':{COLUMN - 1}} # {note}{others}\n"
        if key == "choose":
            for rule, described in Choose.model_fields.items():
                yield f"{indent}  # {{{rule}: …}}  {described.description}\n"


def _flow(value: Any) -> str:
    """JSON data as YAML on one line."""
    if isinstance(value, str):  # as a value of a mapping, in quotes where it could be more
        return dumped({"": value}).partition(": ")[2].rstrip("\n")
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    return json.dumps(value)
