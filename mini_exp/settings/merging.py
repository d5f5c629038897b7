"""How settings override others: section by section, but ``choose``, which is one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def merged(shared: Mapping[str, Any], specific: Mapping[str, Any]) -> dict[str, Any]:
    """Sections merge key by key; everything else, ``choose`` too, is replaced.

    Examples
    --------
    >>> merged({"seed": 1, "train": {"epochs": 2}}, {"train": {"batch_size": 3}})
    {'seed': 1, 'train': {'epochs': 2, 'batch_size': 3}}
    """
    both = dict(shared)
    for key, value in specific.items():
        section = both.get(key)
        if key != "choose" and isinstance(section, Mapping) and isinstance(value, Mapping):
            both[key] = merged(section, value)
        else:
            both[key] = value
    return both


def put(settings: dict[str, Any], key: Sequence[str], value: Any) -> None:
    """Set a dotted key."""
    for part in key[:-1]:
        inner = settings.get(part)
        if not isinstance(inner, dict) or part == "choose":  # replaced, as in a file
            inner = {}
        settings[part] = inner
        settings = inner
    settings[key[-1]] = value


def drop(settings: dict[str, Any], key: Sequence[str]) -> None:
    """Forget what was set at a dotted key, if anything was."""
    if "choose" in key:
        key = key[: key.index("choose") + 1]
    for part in key[:-1]:
        settings = settings.get(part, {})
        if not isinstance(settings, dict):
            return
    settings.pop(key[-1], None)
