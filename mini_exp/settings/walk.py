"""The keys of an experiment file: which there are, and what settings have at one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag


@dataclass(frozen=True)
class Location:
    """A place in a model, from one of pydantic's locations."""

    keys: tuple[str, ...]  # without the tags of unions
    section: type[BaseModel]  # that has the last key
    tag: str  # of the alternative that was taken last


def setting(settings: BaseModel, key: str) -> Any:
    """The value of a dotted key as plain JSON data; None where the settings have no such key."""
    value: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key of a model's sections, of all their kinds."""
    for name, field in model.model_fields.items():
        sections = alternatives(field.annotation).values()
        if all(_is_section(section) for section in sections):
            inner = (key for section in sections for key in keys(section, f"{prefix}{name}."))
            yield from dict.fromkeys(inner)
        else:
            yield prefix + name


def alternatives(annotation: Any, tag: str = "") -> dict[str, Any]:
    """The types that a value may have, without None, by their tags."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        tags = [item.tag for item in metadata if isinstance(item, Tag)]
        return alternatives(inner, *tags)
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        return {name: inner for m in members for name, inner in alternatives(m).items()}
    if _is_section(annotation) and "kind" in annotation.model_fields:
        tag = annotation.model_fields["kind"].default
    return {tag: annotation}


def walked(model: type[BaseModel], location: Sequence[int | str]) -> Location:
    """Where one of pydantic's locations in the model is."""
    path: list[str] = []
    section, tag = model, ""
    here: dict[str, Any] = {"": model}
    for part in map(str, location):
        if len(here) > 1 and part in here:
            tag, here = part, {"": here[part]}
            continue
        path.append(part)
        only = next(iter(here.values()))
        section = only if _is_section(only) else section
        field = only.model_fields.get(part) if _is_section(only) else None
        here = alternatives(field.annotation) if field else {"": object}
    return Location(tuple(path), section, tag)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
