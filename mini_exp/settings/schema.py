"""The JSON Schema of an experiment file, by which editors complete and check it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mini_exp.settings.config import NAME, REPETITIONS, RESERVED, VARIANT
from mini_exp.settings.defaults import NARROWER, different_defaults
from mini_exp.settings.settings import Settings
from mini_exp.tasks import DATA, MODELS
from mini_exp.tasks.section import DataSection, kind_of

FILE = "mini-exp.schema.json"

# Titles repeat the keys; what a file leaves out has a default; `discriminator` is no JSON Schema.
LEFT_OUT = ("title", "required", "discriminator")


def experiment_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what ``load_config`` reads, made from its models.

    Returns
    -------
    dict
        Plain JSON data.

    Notes
    -----
    Relations between keys (start < stop, widths that fit the network) stay with ``load_config``.
    A shared setting is checked also where every variant overrides it.

    Examples
    --------
    >>> sorted(experiment_schema()["$defs"]["Rho"]["properties"])
    ['num', 'start', 'stop']
    """
    models: list[type[BaseModel]] = [Settings, *REPETITIONS.values()]
    _, made = models_json_schema([(model, "validation") for model in models])
    definitions: dict[str, Any] = _plain(made["$defs"])
    _exactly_one(definitions["Choose"])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Experiment file of mini-exp",
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "pattern": f"^{NAME}$",
                "description": "of the experiment, and of its folder in results/",
            },
            **definitions["Settings"]["properties"],
            "variants": {
                "type": "object",
                "description": "Each overrides some of the settings above.",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{VARIANT}$", "not": {"enum": RESERVED}},
                "additionalProperties": {"anyOf": [_reference("Settings"), {"type": "null"}]},
            },
            **{key: _reference(section.__name__) for key, section in REPETITIONS.items()},
        },
        "required": ["name", "variants"],
        "additionalProperties": False,
        "allOf": _by_task(),
        "$defs": definitions,
    }
    plain: dict[str, Any] = json.loads(json.dumps(schema))
    return plain


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(experiment_schema(), indent=2, ensure_ascii=False) + "\n"


def _by_task() -> list[dict[str, Any]]:
    """What holds of a file on each task; a file that names no kind is on the first."""
    tasks = dict.fromkeys(section.task for section in DATA)
    first, *others = ([data for data in DATA if data.task == task] for task in tasks)
    conditions, rules = [], []
    for kinds in others:
        named = _with("data", _with("kind", {"enum": [kind_of(section) for section in kinds]}))
        some_variant = _with("variants", {"not": {"additionalProperties": {"not": named}}})
        every_variant = _with("variants", {"additionalProperties": named})
        conditions += [named, some_variant]
        consequence = {**_of_task(kinds), "anyOf": [named, every_variant]}
        rules.append({"if": {"anyOf": [named, some_variant]}, "then": consequence})
    return [{"if": {"not": {"anyOf": conditions}}, "then": _of_task(first)}, *rules]


def _of_task(kinds: Sequence[type[DataSection]]) -> dict[str, Any]:
    """What holds of a file on such data: its sections of data and networks, and its defaults."""
    models = [model for model in MODELS if any(model.fits(data) for data in kinds)]
    settings: dict[str, Any] = {
        "data": {"anyOf": [_reference(section.__name__) for section in kinds]},
        "model": {"anyOf": [_reference(section.__name__) for section in models]},
        **_annotated(different_defaults(kinds[0]))["properties"],
    }
    for key, narrower in NARROWER.get(kinds[0], {}).items():
        inside = settings
        for section in key.split(".")[:-1]:
            inside = inside.setdefault(section, {}).setdefault("properties", {})
        name = key.rpartition(".")[2]
        inside[name] = inside.get(name, {}) | narrower
    others = [key for key in REPETITIONS if key not in kinds[0].beyond]
    variants = {"additionalProperties": {"properties": settings}}
    return {"properties": {**settings, "variants": variants, **dict.fromkeys(others, False)}}


def _annotated(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that refuses nothing and says what the defaults are."""
    return {
        "properties": {
            key: _annotated(value)
            if isinstance(value, dict) and key != "choose"
            else {"default": value}
            for key, value in defaults.items()
        }
    }


def _exactly_one(rules: dict[str, Any]) -> None:
    """Say of a model of optional fields what its validator does: one is given, and is no null."""
    for key, field in rules["properties"].items():
        given = [value for value in field["anyOf"] if value != {"type": "null"}]
        described = {"description": field["description"]}
        rules["properties"][key] = described | (given[0] if len(given) == 1 else {"anyOf": given})
    rules |= {"minProperties": 1, "maxProperties": 1}


def _with(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Of a mapping that has the key, with such a value."""
    return {"type": "object", "properties": {key: value}, "required": [key]}


def _reference(definition: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{definition}"}


def _plain(schema: Any) -> Any:
    """Pydantic's schema as a part of a file has it; a 1 may count and be a share: ``anyOf``."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        "anyOf" if key == "oneOf" else key: {name: _plain(field) for name, field in value.items()}
        if key == "properties"
        else _plain(value)
        for key, value in schema.items()
        if key not in LEFT_OUT
    }
