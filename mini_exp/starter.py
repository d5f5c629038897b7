"""A commented experiment file to start from: every setting, its default, what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from mini_exp import artifacts
from mini_exp.config import NAME, Budget, Choose, Compare, ImageSettings, Settings, Study, Width
from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.schema import FILE, schema_text

COLUMN = 32  # where the comments begin

# What differs from the defaults, since it must.
CIFAR10 = {
    "data": {"kind": "cifar10", "root": "data/cifar10", "download": True},
    "model": {"kind": "thesis_cnn"},
}
VARIANTS = {
    "mini": "  without_bias: {}\n  with_bias:\n    model: {bias: true}\n",
    "images": "  half: {}\n  budget:\n    width: {choose: {parameters: 0.25}}\n",
}
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
    kind : {"mini", "digits", "cifar10"}

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ConfigError
        If the name has another ending.
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
        artifacts.write_bytes(file, text.encode())
    return list(content)


def starter_text(file: str, kind: str) -> str:
    """A commented experiment file, generated from the settings' models.

    Parameters
    ----------
    file : str
        The file's name, which gives the experiment's.
    kind : {"mini", "digits", "cifar10"}

    Examples
    --------
    >>> print(starter_text("my.yaml", "mini").splitlines()[5])
    name: my
    """
    settings: Settings | ImageSettings
    of_all: Study | Compare
    if kind == "mini":
        settings, of_all, command, variants = Settings(), Study(), "study", VARIANTS["mini"]
    else:
        settings = ImageSettings.model_validate(CIFAR10 if kind == "cifar10" else {})
        of_all, command, variants = Compare(), "compare", VARIANTS["images"]
    lines = [
        HEAD.format(schema=FILE, file=file, name=experiment_name(Path(file).stem)),
        SHARED,
        *_lines(settings),
        f"\n# mini-exp {command} {file}\n{command}:\n",
        *_lines(of_all, "  "),
        "\n# Each overrides some of the settings above.\nvariants:\n",
        variants,
    ]
    return "".join(lines)


def experiment_name(stem: str) -> str:
    """The nearest name that an experiment may have.

    Examples
    --------
    >>> experiment_name("my first try")
    'my-first-try'
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._")[:64]
    return name if re.fullmatch(NAME, name) else "experiment"


def _lines(section: BaseModel, indent: str = "") -> Iterator[str]:
    """A section's keys as YAML, each with its description."""
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        note = field.description or ""
        if isinstance(value, BaseModel) and key != "choose":
            note = note or (type(value).__doc__ or "").splitlines()[0]
            yield f"{f'{indent}{key}:':{COLUMN}}# {note}\n"
            yield from _lines(value, f"{indent}  ")
            continue
        options = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        others = f" [{', '.join(options)}]" if len(options) > 1 else ""
        plain = section.model_dump(mode="json", exclude_none=True).get(key)
        yield f"{f'{indent}{key}: {_flow(plain)}':{COLUMN}}# {note}{others}\n"
        if key == "choose":
            rules = Choose if isinstance(section, Width) else Budget
            for rule, described in rules.model_fields.items():
                yield f"{'':{COLUMN}}#   {{{rule}: …}}  {described.description}\n"


def _flow(value: Any) -> str:
    """JSON data as YAML on one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    return json.dumps(value)
