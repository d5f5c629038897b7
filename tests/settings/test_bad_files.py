"""Files that are no experiment: each is refused in one line."""

from __future__ import annotations

import pytest

from tests.settings.experiment_files import (
    BASE,
    assert_one_line,
    assert_refused,
    refused,
    run,
    written,
)

# Text of the file; the key that the message must begin with; what else it must say.
BAD_FILES = {
    "too long": ("#" * 100_001, "", "100000 characters"),
    "empty": ("", "", "empty"),
    "only a comment": ("# nothing\n", "", "empty"),
    "null": ("~\n", "", "empty"),
    "list at the top": ("- name: x\n", "", "expected a mapping", "[{'name': 'x'}]"),
    "text at the top": ("mini\n", "", "expected a mapping", "'mini'"),
    "number at the top": ("3\n", "", "expected a mapping", "3"),
    "not YAML": ("name: [x\n", "", "not valid YAML", "line 2"),
    "tabs": ("name:\n\t- x\n", "", "not valid YAML", "line 2"),
    "two documents": (BASE + "---\n" + BASE, "", "not valid YAML", "document"),
    "control character": ("name: \x01\n", "", "not valid YAML"),
    "python tag": (BASE + "seed: !!python/object:os.system x", "", "not valid YAML", "tag"),
    "empty !!int": (BASE + "seed: !!int ''", "", "not valid YAML"),
    "empty !!float": (BASE + "seed: !!float ''", "", "not valid YAML"),
    "bad !!bool": (BASE + "model: {bias: !!bool maybe}", "", "not valid YAML"),
    "bad !!timestamp": (BASE + "seed: !!timestamp x", "", "not valid YAML"),
    "date": (BASE + "seed: 2019-03-05", "seed:", "an integer", "'2019-03-05'"),
    "hexadecimal number": (BASE + "seed: 0x10", "", "not valid YAML: line 3", "decimal"),
    "word of YAML 1.1": (BASE + "model: {bias: yes}", "model.bias:", "true or false", "'yes'"),
    "duplicate key": (BASE + "seed: 1\nseed: 2\n", "", "line 4", "'seed'", "twice"),
    "duplicate inner key": (BASE + "train: {epochs: 1, epochs: 2}", "", "'epochs'", "twice"),
    "alias": ("name: x\nselect: &s {theta: 1}\nvariants: {a: {select: *s}}", "", "aliases", "*s"),
    "merge key": (BASE + "<<: {seed: 1}", "", "not valid YAML"),
    "number as a key": (BASE + "1: 2\n", "1:", "expected a string"),
    "number as an inner key": (BASE + "train: {1: 2}", "train.1:", "expected a string"),
    "nothing as a key": (BASE + "train: {~: 2}", "train.None:", "expected a string"),
    "newline in a key": (BASE + '"a\\nb": 1', "", "unknown key"),
    "no name": ("variants: {a: {}}", "name:", "got nothing"),
    "number as the name": ("name: 1701\nvariants: {a: {}}", "name:", "1701"),
    "separator in the name": ("name: a/b\nvariants: {a: {}}", "name:", "'a/b'"),
    "other separator": ("name: a\\b\nvariants: {a: {}}", "name:", "'a\\\\b'"),
    "parent as the name": ("name: ..\nvariants: {a: {}}", "name:", "'..'"),
    "hidden name": ("name: .x\nvariants: {a: {}}", "name:", "'.x'"),
    "empty name": ("name: ''\nvariants: {a: {}}", "name:", "''"),
    "newline in the name": ('name: "x\\n"\nvariants: {a: {}}', "name:", "'x\\n'"),
    "long name": (f"name: {'x' * 65}\nvariants: {{a: {{}}}}", "name:", "xxx"),
    "no variants": ("name: x\n", "variants:", "a mapping", "nothing"),
    "empty variants": ("name: x\nvariants: {}", "variants:", "a mapping"),
    "list of variants": ("name: x\nvariants: [a, b]", "variants:", "a mapping", "['a', 'b']"),
    "text for a variant": ("name: x\nvariants: {a: b}", "variants.a:", "a mapping", "'b'"),
    "separator in a variant": ("name: x\nvariants: {a/b: {}}", "variants", "'a/b'"),
    "number as a variant": ("name: x\nvariants: {1: {}}", "variants", "1"),
    "name inside a variant": (
        *("name: x\nvariants: {a: {name: b}}", "variants.a.name:", "unknown key; expected one of"),
    ),
    **{
        f"variant {name}": (f"name: x\nvariants: {{{name}: {{}}}}", "variants", repr(name))
        for name in (
            *("study", "figures", "manifest.json", "config.yaml", "table1.csv"),
            *("table1.md", "table1.tex", "report.md", "report.html"),
        )
    },
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_refused_in_one_line_and_nothing_is_written(tmp_path, case):
    text, *said = BAD_FILES[case]
    assert_refused(written(tmp_path, text), *said)


def test_missing_file(tmp_path):
    path = tmp_path / "none.yaml"
    assert_one_line(refused(path), str(path), "no such file")
    result = run(path)
    assert (result.exit_code, result.stderr) == (2, f"mini-exp: {path}: no such file\n")
    assert list(tmp_path.iterdir()) == []


def test_folder_for_a_file(tmp_path):
    assert_one_line(refused(tmp_path), str(tmp_path), "cannot be read")


def test_file_that_is_not_utf_8(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"name: \xff\n")
    assert_one_line(refused(path), str(path), "cannot be read")


def test_deep_nesting(tmp_path):
    path = written(tmp_path, "[" * 10_000)
    assert_one_line(refused(path), str(path), "not valid YAML")
