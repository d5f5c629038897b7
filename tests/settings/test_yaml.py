"""YAML: what is read as what, what is refused and how, and that what is written reads back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mini_exp.settings.yaml import MAX_DEPTH, YamlError, dumped, parsed

RESULTS = Path(__file__).parents[2] / "results"

CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL", "# only a comment", "---"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGERS = {"0": 0, "7": 7, "-7": -7, "+7": 7, "010": 10, "-08": -8, "9" * 30: 10**30 - 1}
EXPONENTS = {"1e-3": 1e-3, "1E-03": 1e-3, "+1e-3": 1e-3, "1e3": 1000.0, "1e999": math.inf}
FRACTIONS = {"1.5": 1.5, "1.": 1.0, ".5": 0.5, "-.5e1": -5.0, "010.5": 10.5, "-0.0": -0.0}
NOT_FINITE = {".inf": math.inf, "-.INF": -math.inf, "+.Inf": math.inf, ".nan": math.nan}
# What YAML 1.1, or a reader with other rules, has for something else.
WORDS = ("yes", "No", "on", "OFF", "y", "n", "=", "tRUE", "nan", "inf", "NONE", "Sørby 𝒞 😀")
DATES = ("2024-01-01", "2019-13-45", "2024-01-01 12:30:45", "2024-01-01T12:30:45Z")
NEARLY_NUMBERS = ("0b", "0xg", "12:60", "1.2.3", "_1", "a_1", "1e", "e3", "1-2", ".", "--1", "٣")
PLAIN = WORDS + DATES + NEARLY_NUMBERS
NUMBERS = ("1", "010", "1e3", ".5e1", "0x10", "1_000", ".5_0", "12:30")
QUOTED = (*NUMBERS, "true", "no", "~", "null", "", "<<", "a: b")
TEXTS = (
    {text: text for text in PLAIN}
    | {f"'{text}'": text for text in QUOTED}
    | {f'"{text}"': text for text in QUOTED}
)
DOCUMENTS = {
    '"a\\tb\\u00e9\\x41"': "a\tbéA",
    "|\n a\n 1\n": "a\n1\n",
    "|\n 1": "1",
    ">-\n a\n b\n": "a b",
    "\ufeffa: 1": {"a": 1},
    "---\na\n...\n": "a",
    "%YAML 1.2\n---\na": "a",
    "a: 1\r\nb: 2\r\n": {"a": 1, "b": 2},
    "[]": [],
    "{}": {},
    "[1, [a, {b: c}], ]": [1, ["a", {"b": "c"}]],
    "- 1\n- - 2\n  - 3\n": [1, [2, 3]],
    "{a, b: , 'c': d}": {"a": None, "b": None, "c": "d"},
    '{"a":1,"b":[true,null]}': {"a": 1, "b": [True, None]},
    "b: 1\na: 2": {"b": 1, "a": 2},
    "1: a\n~: b\n1.5: c": {1: "a", None: "b", 1.5: "c"},
    "? a\n: b": {"a": "b"},
    "'<<': 1\nb: <<": {"<<": 1, "b": "<<"},
}
VALUES = CONSTANTS | INTEGERS | EXPONENTS | FRACTIONS | NOT_FINITE | TEXTS | DOCUMENTS

REFUSED = {  # text; line; what is said of it
    "binary": ("a: 0b11", 1, "integers are decimal"),
    "octal": ("a:\n- 0o10", 2, "integers are decimal"),
    "hexadecimal": ("a: 0x1F", 1, "integers are decimal"),
    "negative hexadecimal": ("a: -0xff", 1, "integers are decimal"),
    "capital prefix": ("a: 0XFF", 1, "integers are decimal"),
    "underscores": ("\n\na: 1_000", 3, "integers are decimal"),
    "underscores in a fraction": ("a: 1_000.5", 1, "integers are decimal"),
    "underscores behind a point": ("a: .5_0", 1, "integers are decimal"),
    "base sixty": ("a: 12:30:45", 1, "integers are decimal"),
    "base sixty, two places": ("a: 1:30", 1, "integers are decimal"),
    "base sixty with a fraction": ("a: 190:20:30.15", 1, "integers are decimal"),
    "underscores in a key": ("a: 1\n1_0: 2", 2, "integers are decimal"),
    "too many digits": (f"a: 1\nb: {'9' * 5000}\nc: 1\n", 2, "too many digits"),
    "key twice": ("a: 1\nb: 2\na: 3", 3, "key 'a' appears twice"),
    "key twice, once quoted": ("a: 1\n'a': 3", 2, "key 'a' appears twice"),
    "key twice within": ("x: {a: 1, b: 2, a: 3}", 1, "key 'a' appears twice"),
    "equal keys of two types": ("1: a\n1.0: b", 2, "key 1.0 appears twice"),
    "anchor": ("a: 1\nb: &x [1]", 2, "anchors and aliases (&x, *x)"),
    "anchored key": ("&x a: 1", 1, "anchors and aliases (&x, *x)"),
    "alias": ("a: 1\nb: *x", 2, "anchors and aliases (&x, *x)"),
    "merge key": ("a: 1\n<<: {b: 1}", 2, "merge keys (<<)"),
    "merge key within": ("a: {<<: {b: 1}}", 1, "merge keys (<<)"),
    "python object": ("a: !!python/object/apply:os.system [ls]", 1, "tags ("),
    "empty integer": ('a: !!int ""', 1, "tags ("),
    "text by its tag": ("a: !!str 1", 1, "tags ("),
    "tag without a name": ("a: ! 1", 1, "tags ("),
    "tag of a list": ("\na: !!set {b}", 2, "tags ("),
    "local tag": ("a: !x 1", 1, "tags ("),
    "unknown handle": ("a: !x!y 1", 1, "undefined tag handle"),
    "second document": ("a: 1\n---\nb: 2", 2, "one document"),
    "second, empty document": ("a: 1\n---\n", 2, "one document"),
    "list as a key": ("a: 1\n? [b]\n: 2", 2, "a list or a mapping"),
    "mapping as a key": ("{{a: 1}: 2}", 1, "a list or a mapping"),
    "unclosed list": ("a: 1\nb: [1\n", 3, "begins in line 2: expected ',' or ']'"),
    "unclosed text": ("a: 'b", 1, "end of stream"),
    "two colons": ("a: b: c", 1, "mapping values are not allowed here"),
    "tab for indentation": ("a:\n\t- b", 2, r"character '\t'"),
    "control character": ("a: 1\nb: \x1b[31m", 2, r"character '\x1b'"),
    "escaped surrogate": ('a: 1\nb: "\\ud800"', 2, "no characters"),
    "escape beyond Unicode": ('a: 1\nb: "\\U00110000"', 2, "out of range"),
    "escape beyond C": ('a: 1\nb: "\\Uffffffff"', 2, "out of range"),
    "another YAML": ("%YAML 2.0\n---\na", 1, "incompatible"),
    "huge version of YAML": (f"%YAML {'9' * 5000}.0\n---\na", 1, "out of range"),
    "deep lists": ("a: 1\nb: " + "[" * 50_000, 2, "nested more than 20 deep"),
    "deep mappings": ("{a: " * 20_000, 1, "nested more than 20 deep"),
    "deep blocks": ("- " * 50_000, 1, "nested more than 20 deep"),
    "long number": ("1_" * 40_000, 1, "integers are decimal"),
    "long tag": (f"!!{'a' * 90_000} b", 1, "tags ("),
    "long handle": (f"!{'a' * 90_000}!b c", 1, "undefined tag handle"),
    "long anchor": (f"&{'a' * 90_000} b", 1, "anchors and aliases"),
    "long key": (f"? {'a' * 40_000}\n? {'a' * 40_000}\n", 2, "appears twice"),
}


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("text", VALUES)
def test_a_text_has_the_value_of_yaml_1_2(text):
    assert repr(parsed(text)) == repr(VALUES[text])  # tells 1 from 1.0 and True, and keeps order


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_meant_is_refused_in_one_line_that_names_the_text_s(case):
    text, line, said = REFUSED[case]
    with pytest.raises(YamlError, match=rf"^line {line}: ") as caught:
        parsed(text)
    message = str(caught.value)
    assert said in message
    assert message.isprintable()
    assert len(message) <= 300


def test_as_deep_as_is_allowed_is_read():
    assert parsed("[" * MAX_DEPTH + "]" * MAX_DEPTH) == nested(MAX_DEPTH)


def test_one_deeper_is_refused():
    with pytest.raises(YamlError, match=f"^line 1: nested more than {MAX_DEPTH} deep$"):
        parsed("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


# Writing


def test_what_is_written_is_in_blocks_in_the_order_given():
    data = {"b": {"name": "Sørby", "on": True}, "a": [[8, 3], [], {}], "rate": 1e-06, "none": None}
    assert dumped(data) == (
        "b:\n  name: Sørby\n  'on': true\na:\n- - 8\n  - 3\n- []\n- {}\nrate: 1.0e-06\nnone: null\n"
    )


@pytest.mark.parametrize("text", [*QUOTED, *PLAIN])
def test_text_that_may_look_like_something_else_reads_back(text):
    assert parsed(dumped({text: [text]})) == {text: [text]}


@pytest.mark.parametrize("text", ["no", "1.5", "010", "1e3", "2024-01-01", "null", "~", "", "0o7"])
def test_text_that_looks_like_something_else_is_quoted(text):
    assert dumped([text]) == f"- '{text}'\n"


def test_what_occurs_twice_is_written_twice():
    widths = [8, 3, 3]
    assert dumped({"a": widths, "b": widths}) == "a:\n- 8\n- 3\n- 3\nb:\n- 8\n- 3\n- 3\n"


@pytest.mark.parametrize(
    "path", sorted(RESULTS.rglob("config.yaml")), ids=lambda path: path.parent.name
)
def test_committed_settings_are_written_as_they_stand(path):
    text = path.read_text(encoding="utf-8")
    assert dumped(parsed(text)) == text


# Any data, any text

number_like = st.text(st.sampled_from("0123456789_.:+-eExXoObBaf"), max_size=8)
breaks = st.text(st.sampled_from("\n\r\t \x85\u2028\ufeff\xa0\x00\x1b#:-?'\"|>%@`&*!{}[],\\a1"))
long_text = st.text(st.sampled_from("ab \n"), min_size=70, max_size=200)
texts = st.text() | number_like | breaks | long_text | st.sampled_from(QUOTED + PLAIN)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts


def of_json(texts, leaves):
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )


property_based = settings(max_examples=300, deadline=None, derandomize=True)


@property_based
@given(of_json(texts, leaves))
def test_data_read_back_as_they_were_written(data):
    assert repr(parsed(dumped(data))) == repr(data)


@property_based
@given(of_json(texts, leaves))
def test_readers_of_yaml_1_1_read_the_same(data):
    assert repr(yaml.safe_load(dumped(data))) == repr(data)


# JSON escapes what lies beyond U+FFFF as two surrogates, which YAML has not.
short = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=20) | number_like
finite = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)


@property_based
@given(of_json(short, finite | short))
def test_json_is_yaml(data):
    assert repr(parsed(json.dumps(data))) == repr(data)


NODES = (
    "a",
    "1",
    "0x1",
    "1_0",
    "1:30",
    "~",
    "'",
    '"',
    "|\n",
    ">\n",
    "&s ",
    "*s",
    "!!int ",
    "!x ",
    "!<",
)
MARKS = (
    "- ",
    "? ",
    ": ",
    "<<: ",
    "\n",
    "\n  ",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "#",
    "\\",
    "\t",
    "\r",
    "\x85",
)
DIRECTIVES = ("%YAML 1.1\n", "%TAG ! x\n", "---\n", "...\n", "\ufeff")
tokens = st.sampled_from(NODES + MARKS + DIRECTIVES)


@property_based
@given(texts | st.lists(tokens | texts, max_size=20).map("".join))
def test_any_text_has_a_value_or_is_refused_in_one_line(text):
    try:
        parsed(text)
    except YamlError as error:
        message = str(error)
        assert message.startswith("line ")
        assert message.isprintable()
        assert len(message) <= 300
