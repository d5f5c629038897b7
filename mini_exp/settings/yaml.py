"""YAML 1.2 (core schema) as far as JSON data need it: text to values and back.

PyYAML makes events of the text, and here they become values: its own constructors know YAML 1.1,
where 010 is 8 and no is false, and aliases, merge keys and tags beside.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml

MAX_DEPTH = 20

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
# What some reader takes for a number: beside the above 0b1, 0o7, 0xff, 1_000 and 12:30:45.
_NUMBER_LIKE = re.compile(
    r"""[-+]?(
        0[box][0-9a-f_]+
        | ([0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)? | \.[0-9][0-9_]*) (e[-+]?[0-9]+)?
    )\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class YamlError(Exception):
    """Not YAML, or more of YAML than is meant here; one line that names the text's line."""


def parsed(text: str) -> Any:
    """The value of a YAML document: None, bool, int, float, str, list or dict.

    Parameters
    ----------
    text : str
        One document, or none, which is None. Keys may be all of these but lists and dicts.

    Raises
    ------
    YamlError
        ``line N: …``, at most 300 characters. Refused is what is no YAML, and of YAML: a second
        document, anchors and aliases, merge keys, tags, a key given twice, nesting deeper than
        ``MAX_DEPTH``, and plain text that is a number elsewhere, such as 0x10 and 1_000.

    Notes
    -----
    10 µs per character at worst; memory in proportion to the text.

    References
    ----------
    YAML 1.2.2, section 10.3 (core schema); https://yaml.org/spec/1.2.2/

    Examples
    --------
    >>> parsed("a: [1e-3, no, 010, 2024-01-01, ~]")
    {'a': [0.001, 'no', 10, '2024-01-01', None]}
    """
    try:
        parser = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"line {line}: unexpected character {chr(error.character)!r}") from None
    try:
        return _document(parser)
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark or parser).line
        problem = str(error.problem)
        start = error.context_mark
        if start is not None and start.line != line:
            problem = f"{error.context} that begins in line {start.line + 1}: {problem}"
    except (ValueError, OverflowError) as error:  # PyYAML lets those of chr() through
        line, problem = parser.line, f"out of range: {error}"
    raise YamlError(f"line {line + 1}: {' '.join(problem.split())[:250]}")


def dumped(data: Any) -> str:
    """JSON data as YAML in block style; ``parsed`` gives the same data back.

    Parameters
    ----------
    data : None, bool, int, float, str, list or dict with str keys
        Nested at most ``MAX_DEPTH`` deep; keys keep their order.

    Examples
    --------
    >>> print(dumped({"name": "no", "rates": [1e-06, 0.5]}), end="")
    name: 'no'
    rates:
    - 1.0e-06
    - 0.5
    """
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Line breaks and the like are escaped: between single quotes some would become others."""
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text_node)
# Beside what PyYAML quotes, which is what YAML 1.1 does not take for text.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_LIKE, None)


def _document(parser: yaml.SafeLoader) -> Any:
    parser.get_event()  # start of the stream
    if parser.check_event(yaml.StreamEndEvent):
        return None
    parser.get_event()  # start of the document
    value = _value(parser, 0)
    parser.get_event()  # its end
    if not parser.check_event(yaml.StreamEndEvent):
        _refuse(parser.peek_event(), "expected one document, got a second one")
    return value


def _value(parser: yaml.SafeLoader, depth: int) -> Any:
    event = parser.get_event()
    if event.anchor is not None:
        name = event.anchor[:50]
        _refuse(
            event, f"anchors and aliases (&{name}, *{name}) are not supported; repeat the value"
        )
    if event.tag is not None:
        _refuse(event, f"tags ({_shown(event.tag)}) are not supported")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if depth == MAX_DEPTH:
        _refuse(event, f"nested more than {MAX_DEPTH} deep")
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not parser.check_event(yaml.SequenceEndEvent):
            items.append(_value(parser, depth + 1))
        parser.get_event()
        return items
    mapping: dict[Any, Any] = {}
    while not parser.check_event(yaml.MappingEndEvent):
        start = parser.peek_event()
        key = _value(parser, depth + 1)
        if isinstance(key, list | dict):
            _refuse(start, "expected a single value as a key, got a list or a mapping")
        if key == "<<" and start.implicit[0]:
            _refuse(start, "merge keys (<<) are not supported")
        if key in mapping:
            _refuse(start, f"key {_shown(key)} appears twice")
        mapping[key] = _value(parser, depth + 1)
    parser.get_event()
    return mapping


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = event.value
    if _SURROGATE.search(text):
        _refuse(event, f"{_shown(text)}: \\ud800 to \\udfff are no characters")
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text):
        try:
            return int(text)
        except ValueError:  # Python's limit, 4300 digits
            _refuse(event, f"{_shown(text)}: too many digits")
    if _FLOAT.match(text):
        return float(text)
    if _NUMBER_LIKE.match(text):
        _refuse(event, f"{_shown(text)}: integers are decimal, without _ and :; quote it as text")
    return text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse(event: Any, problem: str) -> NoReturn:
    raise YamlError(f"line {event.start_mark.line + 1}: {problem}")
