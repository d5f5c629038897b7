"""One line for each of pydantic's errors: the file's key, what was expected, what came."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from mini_exp.settings.sections import Choose
from mini_exp.settings.walk import Location, alternatives, keys, walked

PATTERNS = {"device": "cpu, cuda or cuda:N", "factory": "module:function"}


@dataclass(frozen=True)
class Place:
    """Where a model's settings stand in an experiment file."""

    model: type[BaseModel]
    prefix: tuple[str, ...] = ()  # the section's key
    variant: str = ""
    specific: Mapping[str, Any] = field(default_factory=dict)  # what the variant itself sets
    beside: tuple[str, ...] = ()  # keys of the file that are none of the model's

    def name(self, location: Sequence[str]) -> str:
        """The dotted key, beginning with ``variants.<variant>`` where that is who set it."""
        path = (*self.prefix, *location)
        inside: Any = self.specific
        for part in path:
            if isinstance(inside, Mapping) and part in inside:
                inside = inside[part]
            elif not isinstance(inside, list):
                break
        else:
            path = ("variants", self.variant, *path)
        return ".".join(part if part.isprintable() else repr(part) for part in path)


def messages(error: ValidationError, place: Place) -> Iterator[str]:
    """A line for every problem."""
    for problem in error.errors():
        yield _message(problem, place)


def _message(problem: Any, place: Place) -> str:
    location = walked(place.model, problem["loc"])
    where = place.name(location.keys)
    given = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key{_suggestion(location, place)}"
        case "value_error":  # one of our validators
            text = str(problem["ctx"]["error"])
            if location.keys:
                return f"{where}: {text}"
            key, _, text = text.partition(": ")
            return f"{place.name(key.split('.'))}: {text}"
        case "union_tag_invalid":
            annotation = location.section.model_fields[location.keys[-1]].annotation
            where = place.name((*location.keys, "kind"))
            expected, given = either(alternatives(annotation)), given["kind"]
        case "missing":
            expected, given = "a value", None
        case _:
            expected = _expected(problem, location)
    return f"{where}: expected {expected}, got {shown(given)}"


def _expected(problem: Any, location: Location) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if location.tag == "share":
        return "a whole number, or a share in (0, 1]"
    if kind in ("model_type", "model_attributes_type"):
        if location.keys[-1:] == ("choose",):
            return f"a list of widths, or a mapping with {either(Choose.model_fields)}"
        return "a mapping"
    return {
        "int_type": "an integer",
        "int_from_float": "an integer",
        "float_type": "a number",
        "finite_number": "a finite number",
        "bool_type": "true or false",
        "string_type": "a string",
        "tuple_type": "a list",
        "too_short": "at least one item",
        "string_pattern_mismatch": PATTERNS.get(location.keys[-1], "another form"),
        "greater_than_equal": f"at least {context.get('ge', 0):g}",
        "greater_than": f"more than {context.get('gt', 0):g}",
        "less_than_equal": f"at most {context.get('le', 0):g}",
        "less_than": f"less than {context.get('lt', 0):g}",
        "literal_error": str(context.get("expected")),
    }.get(kind, str(problem["msg"]))


def _suggestion(location: Location, place: Place) -> str:
    """The nearest key beside the unknown one, or the same key in another section."""
    *path, last = location.keys
    fields = location.section.model_fields
    known = list(keys(place.model))
    if ".".join(location.keys) in known:
        kind = ".".join((*place.prefix, *path, "kind"))
        return f" where {kind} is {location.tag}; expected one of {', '.join(fields)}"
    siblings = [*fields, *(() if path else place.beside)]
    close = difflib.get_close_matches(last, siblings, n=1)
    if close and close[0] != last:
        return f"; did you mean '{close[0]}'?"
    elsewhere = [key for key in known if key.rsplit(".", 1)[-1] == last]
    if elsewhere:
        return f"; did you mean '{'.'.join((*place.prefix, elsewhere[0]))}'?"
    return f"; expected one of {', '.join(fields)}"


def either(names: Iterable[str]) -> str:
    """Names as a list in a sentence.

    Examples
    --------
    >>> either(["mini", "digits", "cifar10"])
    'mini, digits or cifar10'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def shown(value: Any) -> str:
    """A value as a message quotes it: at most 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
