"""The JSON Schema of an experiment file: it is whole, and the shipped files fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from mini_exp.cli import main
from mini_exp.settings.defaults import DIFFERENT
from mini_exp.settings.schema import FILE, experiment_schema
from mini_exp.settings.sections import Choose, Compare, Study
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import alternatives
from mini_exp.tasks import DATA, MODELS
from mini_exp.tasks.section import kind_of
from tests.settings.experiment_files import CONFIGS, settings_of

SCHEMA = experiment_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_command_prints_what_is_committed() -> None:
    printed = CliRunner().invoke(main, ["schema"]).stdout
    assert json.loads(printed) == SCHEMA
    assert (CONFIGS / FILE).read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_files_name_it_and_fit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# yaml-language-server: $schema={FILE}\n")
    # YAML 1.2, as editors read it: there 1e-3 is a number.
    text = re.sub(r"(?<=: )(\d+)e", r"\1.0e", text)
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text))) == []


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and all that stand in it, of every kind."""
    yield model
    for field in model.model_fields.values():
        for inner in alternatives(field.annotation).values():
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from sections(inner)


ALL = [*sections(Settings), *sections(Study), *sections(Compare)]


def test_every_section_is_looked_at() -> None:
    assert {Settings, Choose, Study, Compare, *DATA, *MODELS} <= set(ALL)


@pytest.mark.parametrize("section", dict.fromkeys(ALL), ids=lambda section: section.__name__)
def test_every_key_has_a_description(section: type[BaseModel]) -> None:
    assert section.__doc__
    for name, field in section.model_fields.items():
        inner = alternatives(field.annotation).values()
        is_section = all(isinstance(i, type) and issubclass(i, BaseModel) for i in inner)
        assert field.description or is_section, name


@pytest.mark.parametrize("kind", [kind_of(section) for section in DATA])
def test_every_key_has_a_default(kind: str) -> None:
    settings = settings_of(data={"kind": kind})
    assert settings == Settings.model_validate(settings.model_dump())


def test_the_schema_has_the_description_of_every_key() -> None:
    for name, definition in SCHEMA["$defs"].items():
        assert definition["additionalProperties"] is False, name
        for key, field in definition["properties"].items():
            if key not in ("data", "model"):
                inner = field.get("$ref", "").rpartition("/")[2]
                assert "description" in (SCHEMA["$defs"].get(inner) or field), (name, key)


def without_default(name: str, prefix: str = "") -> Iterator[str]:
    """Dotted keys of a definition, but for sections by kind."""
    for key, field in SCHEMA["$defs"][name]["properties"].items():
        inner = field.get("$ref", "").rpartition("/")[2]
        if inner:
            yield from without_default(inner, f"{prefix}{key}.")
        elif "default" not in field and key not in ("data", "model"):
            yield prefix + key


def test_a_key_has_one_default_or_one_of_each_task() -> None:
    assert set(without_default("Settings")) == set(DIFFERENT)


@pytest.mark.parametrize("section", [*DATA, *MODELS, Study, Compare])
def test_a_key_of_one_task_has_a_default(section: type[BaseModel]) -> None:
    assert list(without_default(section.__name__)) == []


@pytest.mark.parametrize(("rule", "column"), [(0, 0), (1, 1)], ids=["MINI", "images"])
def test_the_schema_has_the_defaults_of_a_task(rule: int, column: int) -> None:
    shared = SCHEMA["allOf"][rule]["then"]["properties"]
    for settings in (shared, shared["variants"]["additionalProperties"]["properties"]):
        for key, values in DIFFERENT.items():
            *path, last = key.split(".")
            inside = settings
            for part in path:
                inside = inside[part]["properties"]
            assert inside[last]["default"] == values[column], key
