"""Copy the tables of the committed reference runs, and every setting, into README.md."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from mini_exp.config import (
    Budget,
    Choose,
    Compare,
    ImageSettings,
    ImageWidth,
    Settings,
    Study,
    Width,
)
from mini_exp.report.tables import markdown

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"


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
        "table1": table,
        **comparisons,
        "settings": _reference(Settings()),
        "study_settings": _reference(Study(), "study."),
        "image_settings": _reference(ImageSettings()),
        "compare_settings": _reference(Compare(), "compare."),
    }


def _reference(section: BaseModel, prefix: str = "") -> str:
    """Every key of a section of an experiment file, its default and its description."""
    return markdown(["Key", "Default", "Meaning"], list(_settings(section, prefix)), 3)


def _settings(section: BaseModel, prefix: str) -> Iterator[list[str]]:
    rules: dict[type[BaseModel], type[BaseModel]] = {Width: Choose, ImageWidth: Budget}
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel) and key != "choose":
            yield from _settings(value, f"{prefix}{key}.")
            continue
        default = section.model_dump(mode="json", exclude_none=True).get(key)
        meaning = str(field.description)
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) > 1:
            meaning += f" ({', '.join(f'`{option}`' for option in get_args(field.annotation))})"
        if key == "choose":
            described = rules[type(section)].model_fields.items()
            meaning += "".join(f"; `{{{rule}: …}}` {text.description}" for rule, text in described)
        shown = default if isinstance(default, str) else json.dumps(default)
        yield [f"`{prefix}{key}`", f"`{shown}`", meaning]


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
