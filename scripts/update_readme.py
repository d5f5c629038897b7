"""Copy the tables of the committed reference runs, and every setting, into README.md."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args, get_origin

from pydantic import BaseModel

from mini_exp.report.tables import markdown
from mini_exp.settings.config import REPETITIONS
from mini_exp.settings.defaults import COLUMNS
from mini_exp.settings.sections import Choose
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import keys
from mini_exp.tasks import DATA, MODELS
from mini_exp.tasks.section import kind_of

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
TASKS = {  # by their kinds of data
    tuple(kind_of(data) for data in DATA if issubclass(data, task)): name
    for name, task in COLUMNS.items()
}

Rows: TypeAlias = dict[str, tuple[str, str]]
"""From a key, or a kind that has it, to its default and its meaning."""


def blocks() -> dict[str, str]:
    """The text of every marked block of the README, from the committed artifacts."""
    claims = (RESULTS / "mini" / "study" / "claims.md").read_text(encoding="utf-8")
    verdicts = [line for line in claims.splitlines() if line.startswith("|")]
    end = next(i for i, line in enumerate(verdicts) if line.startswith("| C10"))
    table = (RESULTS / "mini" / "table1.md").read_text(encoding="utf-8").strip()
    comparisons = {
        name + suffix: _table(name, header)
        for name in ("digits", "cifar10")
        for suffix, header in (("", "| Widths"), ("_budget", "| Budget"))
    }
    return {
        "verdicts": "\n".join(verdicts[: end + 1]),
        "why": _statements(),
        "table1": table,
        **comparisons,
        **settings_blocks(),
    }


def _statements() -> str:
    """The table of statements, linked to their evidence; empty until `make diagnose` has run."""
    path = RESULTS / "mini" / "diagnose" / "statements.md"
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    return table.replace("](#", f"]({path.relative_to(ROOT).as_posix()}#")


def settings_blocks() -> dict[str, str]:
    """Every key of an experiment file, its default and its description."""
    tables = {"settings": list(_settings())}
    for key, section in REPETITIONS.items():
        rows = _rows(section(), f"{key}.").items()
        tables[f"{key}_settings"] = [[f"`{name}`", *row] for name, row in rows]
    header = ["Key", "Default", "Meaning"]
    return {name: markdown(header, rows, 3) for name, rows in tables.items()}


def _settings() -> Iterator[list[str]]:
    """A variant's settings: where kinds differ, each one's default by its name."""
    kinds = [kind_of(data) for data in DATA]
    by_kind = {kind: _rows(Settings.model_validate({"data": {"kind": kind}})) for kind in kinds}
    networks = {kind_of(model): _rows(model(), "model.") for model in MODELS}
    for key in keys(Settings):
        rows = _of_key(by_kind, key) or _of_key(networks, key)
        default = _default({kind: default for kind, (default, _) in rows.items()})
        meaning = "; on images ".join(dict.fromkeys(meaning for _, meaning in rows.values()))
        if key.endswith(".kind"):
            named = _of_key(networks, key) or rows
            meaning = "; ".join(f"`{kind}` {described}" for kind, (_, described) in named.items())
        yield [f"`{key}`", f"`{kind_of(DATA[0])}`" if key == "data.kind" else default, meaning]


def _of_key(rows: Mapping[str, Rows], key: str) -> Rows:
    """What each kind says of one key, of those that have it."""
    return {kind: of_kind[key] for kind, of_kind in rows.items() if key in of_kind}


def _default(defaults: Mapping[str, str]) -> str:
    """One default where all kinds of data have it, else each with whose it is; MINI is first."""
    values = list(dict.fromkeys(defaults.values()))
    if len(values) == 1 and len(defaults) == len(DATA):
        return values[0]
    shown = []
    for value in values:
        owners = [kind for kind, default in defaults.items() if default == value]
        shown.append(f"{TASKS.get(tuple(owners), ', '.join(owners))} {value}")
    return "; ".join(shown).removeprefix("MINI " if len(shown) > 1 else "")


def _rows(section: BaseModel, prefix: str = "") -> Rows:
    """Every dotted key of a section."""
    rows: Rows = {}
    plain = section.model_dump(mode="json")
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel) and key != "choose":
            rows |= _rows(value, f"{prefix}{key}.")
            continue
        meaning = str(field.description)
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) > 1:
            meaning += f" ({', '.join(f'`{option}`' for option in get_args(field.annotation))})"
        if key == "choose":
            described = Choose.model_fields.items()
            meaning += "".join(f"; `{{{rule}: …}}` {text.description}" for rule, text in described)
        value = plain.get(key)
        shown = value if isinstance(value, str) else json.dumps(value)
        rows[f"{prefix}{key}"] = (f"`{shown}`", meaning)
    return rows


def _table(name: str, header: str) -> str:
    """A table of a comparison by how its header begins."""
    text = (RESULTS / name / "compare" / "compare.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    return "\n".join(itertools.takewhile(lambda line: line.startswith("|"), lines[start:]))


def updated(readme: str) -> str:
    """The README with its marked blocks replaced."""
    for name, text in blocks().items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        readme = re.sub(pattern, rf"\g<1>\n{text}\n\n\g<2>", readme, count=1, flags=re.S)
    return readme


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
