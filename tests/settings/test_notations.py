"""Numbers, names and encodings that other readers take for something else: a table of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.settings.reading import load_config
from tests.settings.experiment_files import BASE, assert_one_line, loaded, refused, written

DECIMAL = {"10": 10, "010": 10, "0008": 8, "+7": 7, "016": 16}
OTHER_NOTATIONS = (
    *("0x10", "0X1F", "0o17", "0b101", "1_000", "1:30", "12:30:45", "-0x1", "1_0.5", "0_1"),
)
NO_INTEGERS = ("1e3", "10.0", "1,000", "'10'", "ten", "true", "~", "10 000", "１０", "0o18x", ".5")


@pytest.mark.parametrize("text", DECIMAL)
@pytest.mark.parametrize("by", ["file", "--set"])
def test_integers_are_decimal(tmp_path, text, by):
    file = BASE + (f"train: {{epochs: {text}}}" if by == "file" else "")
    config = loaded(tmp_path, file, *([f"train.epochs={text}"] if by == "--set" else []))
    assert config.first.train.epochs == DECIMAL[text]


@pytest.mark.parametrize("by", ["file", "--set"])
def test_integers_in_a_list_are_decimal(tmp_path, by):
    text = "[016, 012, 010]"
    file = BASE + (f"model: {{widths: {text}}}" if by == "file" else "")
    config = loaded(tmp_path, file, *([f"model.widths={text}"] if by == "--set" else []))
    assert config.first.model.widths == (16, 12, 10)


@pytest.mark.parametrize("text", OTHER_NOTATIONS)
def test_other_notations_are_refused_with_a_hint(tmp_path, text):
    for message in (
        refused(written(tmp_path, BASE + f"train: {{epochs: {text}}}")),
        refused(written(tmp_path, BASE), f"train.epochs={text}"),
    ):
        assert len(message.splitlines()) == 1
        assert "integers are decimal, without _ and :; quote it as text" in message


@pytest.mark.parametrize("text", NO_INTEGERS)
def test_what_is_no_integer_is_refused(tmp_path, text):
    path = written(tmp_path, BASE + f"train:\n  epochs: {text}\n")
    assert_one_line(refused(path), str(path), "train.epochs:", "expected an integer")


STEMS = (
    *("2024", "010", "0x10", "1.5", "1e5", "no", "on", "off", "yes", "true", "null", "~", ".nan"),
    *("2024-01-01", "12:30", "1_000", "CON", "con", "aux.old", "LPT1", "nul", "a.", "a b", "…"),
    *("-x", "x" * 90, "x" * 63 + ".y", "a: b", "#a", "'", '"', "{a}", "[a]", "&a", "*a", "!a", "%"),
    *("study", "figures", "name", "Größe", "a\tb", "=", "<<", "None", "0", "+1", "1.", "١"),
)


@pytest.mark.parametrize("kind", ["mini", "folder"])
@pytest.mark.parametrize("stem", STEMS)
def test_what_init_writes_is_valid(tmp_path, stem, kind):
    path = tmp_path / f"{stem}.yaml"
    done = CliRunner().invoke(main, ["init", str(path), "--data", kind])
    if not path.name.isprintable():
        assert done.exit_code == 2
        return
    assert done.exit_code == 0, done.output
    result = CliRunner().invoke(main, ["validate", str(path)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert load_config(path).name


NOT_TEXT = {
    "2024": "a number",
    "010": "a number",
    "1.5": "a number",
    "1e5": "a number",
    "-1": "a number",
    "true": "True",
    "False": "False",
    ".inf": "a number",
}


@pytest.mark.parametrize("word", NOT_TEXT)
def test_a_name_that_is_no_text_in_yaml_gets_the_hint_to_quote_it(tmp_path, word):
    hint = f", which is {NOT_TEXT[word]} in YAML; quote it"
    path = written(tmp_path, f"name: {word}\nvariants: {{a: {{}}}}")
    assert_one_line(refused(path), str(path), "name:", hint)
    path = written(tmp_path, f"name: x\nvariants:\n  {word}: {{}}\n")
    assert_one_line(refused(path), str(path), "variants.", hint)
    message = refused(written(tmp_path, BASE), f"name={word}")
    assert_one_line(message, "--set", "name:", hint)


@pytest.mark.parametrize("word", ["no", "on", "2024-01-01", "y", "off"])
def test_a_name_that_only_yaml_1_1_takes_for_something_else_is_text(tmp_path, word):
    config = loaded(tmp_path, f"name: {word}\nvariants: {{{word}: {{}}}}")
    assert (config.name, list(config.variants)) == (word, [word])


UNSAFE = (
    *("CON", "con", "Aux", "NUL", "PRN", "COM1", "lpt9", "con.txt", "nul.a.b"),
    *("a.", "a..", "x" * 65, "", "'.'", "..", "a/b", "a\\b", "'a:b'", "'a '", "'a*'", "ä"),
)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_some_file_systems_cannot_hold_is_refused(tmp_path, name):
    path = written(tmp_path, f"name: {name}\nvariants: {{a: {{}}}}")
    assert_one_line(refused(path), str(path), "name:", "expected a name of letters")


@pytest.mark.parametrize("name", ["console", "auxiliary", "com", "lpt", "COM10x", "nullify"])
def test_a_name_that_only_begins_like_a_device_is_fine(tmp_path, name):
    assert loaded(tmp_path, f"name: {name}\nvariants: {{{name}: {{}}}}").name == name


@pytest.mark.parametrize("name", ["CON", "nul", "Com1", "a.b", "a."])
def test_a_variant_that_some_file_systems_cannot_hold_is_refused(tmp_path, name):
    path = written(tmp_path, f"name: x\nvariants: {{{name}: {{}}}}")
    assert_one_line(refused(path), str(path), "variants:", "expected a name of letters")


@pytest.mark.parametrize("names", [("A", "a"), ("half", "Half"), ("x_1", "b", "X_1")])
def test_variants_that_differ_in_capitals_alone_are_refused(tmp_path, names):
    path = written(tmp_path, f"name: x\nvariants: {{{', '.join(f'{n}: {{}}' for n in names)}}}")
    message = f"{names[0]!r} and {names[-1]!r} are one folder on some systems"
    assert_one_line(refused(path), str(path), "variants:", message)


@pytest.mark.parametrize("name", ["Study", "FIGURES", "comParE"])
def test_a_variant_named_like_another_folder_but_for_capitals_is_refused(tmp_path, name):
    path = written(tmp_path, f"name: x\nvariants: {{{name}: {{}}}}")
    assert_one_line(refused(path), str(path), "variants:", "is the name of another folder")


TEXT = "name: x  # größer\nvariants: {a: {}}\n"
ENCODINGS = {
    "utf-16": "UTF-16 or UTF-32",
    "utf-16-le": "UTF-16 or UTF-32",
    "utf-16-be": "UTF-16 or UTF-32",
    "utf-32": "UTF-16 or UTF-32",
    "latin-1": "the byte 0xf6 in line 1, as Latin-1 or Windows-1252 has it",
    "cp1252": "the byte 0xf6 in line 1, as Latin-1 or Windows-1252 has it",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding_is_named(tmp_path, encoding):
    path = tmp_path / "c.yaml"
    path.write_bytes(TEXT.encode(encoding))
    message = refused(path)
    assert_one_line(message, str(path), "cannot be read: expected UTF-8, got")
    assert ENCODINGS[encoding] in message
    assert message.endswith("save it as UTF-8")


@pytest.mark.parametrize(
    "content", [TEXT.encode("utf-8-sig"), TEXT.replace("\n", "\r\n").encode(), TEXT.encode()]
)
def test_utf_8_is_read_with_a_mark_and_with_other_line_ends(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    assert load_config(path).name == "x"
