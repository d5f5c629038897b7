"""The JSON Schema of an experiment file, by which editors complete and check it."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from mini_exp.config import KINDS, NAME, RESERVED, VARIANT, Compare, ImageSettings, Settings, Study

FILE = "mini-exp.schema.json"


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
    models = (Settings, Study, ImageSettings, Compare)
    _, made = models_json_schema([(model, "validation") for model in models])
    definitions: dict[str, Any] = _without_titles(made["$defs"])
    for rules in ("Choose", "Budget"):
        _exactly_one(definitions[rules])
    definitions["MiniExperiment"] = _experiment(definitions, "Settings", "Study")
    definitions["ImageExperiment"] = _experiment(definitions, "ImageSettings", "Compare")

    on_images = _with("data", _with("kind", {"enum": KINDS[1:]}))
    some_variant = _with("variants", {"not": {"additionalProperties": {"not": on_images}}})
    every_variant = _with("variants", {"additionalProperties": on_images})
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Experiment file of mini-exp",
        "type": "object",
        "required": ["name", "variants"],
        "properties": {"data": {"properties": {"kind": {"enum": KINDS}}}},
        "if": {"anyOf": [on_images, some_variant]},
        "then": {**_reference("ImageExperiment"), "anyOf": [on_images, every_variant]},
        "else": _reference("MiniExperiment"),
        "$defs": definitions,
    }
    plain: dict[str, Any] = json.loads(json.dumps(schema))
    return plain


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(experiment_schema(), indent=2, ensure_ascii=False) + "\n"


def _experiment(definitions: dict[str, Any], settings: str, of_all: str) -> dict[str, Any]:
    """A file's top level: the settings that all variants share, and what is not a variant's."""
    return {
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "pattern": f"^{NAME}$",
                "description": "of the experiment, and of its folder in results/",
            },
            **definitions[settings]["properties"],
            "variants": {
                "type": "object",
                "description": "Each overrides some of the settings above.",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{VARIANT}$", "not": {"enum": RESERVED}},
                "additionalProperties": {"anyOf": [_reference(settings), {"type": "null"}]},
            },
            of_all.lower(): _reference(of_all),
        },
        "required": ["name", "variants"],
        "additionalProperties": False,
    }


def _exactly_one(rules: dict[str, Any]) -> None:
    """Say of a model of optional fields what its validator does: one is given, and is no null."""
    rules["properties"] = {
        key: {"description": field["description"], **field["anyOf"][0]}
        for key, field in rules["properties"].items()
    }
    rules |= {"minProperties": 1, "maxProperties": 1}


def _with(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Of a mapping that has the key, with such a value."""
    return {"type": "object", "properties": {key: value}, "required": [key]}


def _reference(definition: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{definition}"}


def _without_titles(schema: Any) -> Any:
    """Without pydantic's titles, which repeat the keys."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_titles(value) for key, value in schema.items() if key != "title"}
