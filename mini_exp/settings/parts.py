"""The parts of an experiment file: its name, what all variants share, what each sets itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    _refuse_alike(source, filter(lambda key: isinstance(key, str), variants))
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
        signs = "'_' and '-'" if key == "variants" else "'.', '_' and '-'"
        raise ConfigError(
            f"{source}: {key}: expected a name of letters, digits, {signs} (it becomes a folder), "
            f"got {shown(name)}{_quoted(name) or _why(name)}"
        )
    if name.lower() in reserved:
        raise ConfigError(f"{source}: {key}: {name!r} is the name of another folder")
    return name


def _why(name: Any) -> str:
    """What is wrong with a text that looks like a name."""
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        if len(name) > 64:
            return ", which has more than 64 characters"
        if name.endswith("."):
            return "; some systems drop a last dot"
        if not re.fullmatch(NAME, name):
            return ", which is a device on some systems; choose another"
    return ""


def _quoted(value: Any) -> str:
    """A hint where YAML reads a word as something else than text."""
    if isinstance(value, bool | int | float):
        return (
            f", which is {'a number' if not isinstance(value, bool) else value} in YAML; quote it"
        )
    return ""


def _refuse_alike(source: str, names: Iterable[str]) -> None:
    """Variants whose folders would be one where capitals do not count."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ConfigError(
                f"{source}: variants: {other!r} and {name!r} are one folder on some systems; "
                "choose names that differ in more than capitals"
            )


def _string_keyed(source: str, raw: Any, where: str = "") -> dict[str, Any]:
    """A copy in which every mapping's keys are known to be strings."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{source}: {where or 'top level'}: expected a mapping, got {shown(raw)}")
    for key in raw:
        if not isinstance(key, str):
            place = f"{where}{'.' if where else ''}{key}"
            raise ConfigError(f"{source}: {place}: expected a string{_quoted(key)}")
    return {
        key: _string_keyed(source, value, f"{where}.{key}".lstrip("."))
        if isinstance(value, dict)
        else value
        for key, value in raw.items()
    }
