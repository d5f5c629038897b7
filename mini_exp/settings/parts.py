"""The parts of an experiment file: its name, what all variants share, what each sets itself."""

from __future__ import annotations

import re
from typing import Any

from mini_exp.errors import ConfigError
from mini_exp.settings.config import NAME, RESERVED, VARIANT
from mini_exp.settings.messages import shown


def file_parts(source: str, raw: Any) -> tuple[str, dict[str, Any], dict[str, dict[str, Any]]]:
    """The name, what all variants share, and what each sets itself."""
    if raw is None:
        raise ConfigError(f"{source}: empty; expected name and variants")
    shared = _string_keyed(source, raw)
    name = checked_name(source, "name", shared.pop("name", None))
    variants = shared.pop("variants", None)
    if not isinstance(variants, dict) or not variants:
        raise ConfigError(
            f"{source}: variants: expected a mapping from variant to the settings it changes, "
            f"got {shown(variants)}"
        )
    specific = {
        checked_name(source, "variants", key): {}
        if value is None
        else _string_keyed(source, value, f"variants.{key}")
        for key, value in variants.items()
    }
    return name, shared, specific


def checked_name(source: str, key: str, name: Any) -> str:
    """A name that is safe as a folder on every system."""
    pattern, reserved = (VARIANT, RESERVED) if key == "variants" else (NAME, ())
    if not isinstance(name, str) or not re.fullmatch(pattern, name):
        raise ConfigError(
            f"{source}: {key}: expected a name of letters, digits, '.', '_' and '-' "
            f"(it becomes a folder), got {shown(name)}"
        )
    if name in reserved:
        raise ConfigError(f"{source}: {key}: {name!r} is the name of another folder")
    return name


def _string_keyed(source: str, raw: Any, where: str = "") -> dict[str, Any]:
    """A copy in which every mapping's keys are known to be strings."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{source}: {where or 'top level'}: expected a mapping, got {shown(raw)}")
    for key in raw:
        if not isinstance(key, str):
            raise ConfigError(f"{source}: {where}{'.' if where else ''}{key}: expected a string")
    return {
        key: _string_keyed(source, value, f"{where}.{key}".lstrip("."))
        if isinstance(value, dict)
        else value
        for key, value in raw.items()
    }
