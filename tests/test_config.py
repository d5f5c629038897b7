"""Experiment files: what is refused and how, what is resolved and to what."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mini_exp.cli import main
from mini_exp.config import Choose, Config, Settings, keys, load_config, setting
from mini_exp.errors import ConfigError, MiniExpError

CONFIGS = Path(__file__).parent.parent / "configs"
BASE = "name: x\nvariants: {a: {}}\n"

# Text of the file; the key that the message must begin with; what else it must say.
BAD_FILES = {
    "unknown key": (BASE + "flux: 1\n", "flux:", "unknown key"),
    "misspelt": (BASE + "width: {regulariser: abs}", "width.regulariser:", "'regularizer'"),
    "misspelt section": (BASE + "trian: {epochs: 1}", "trian:", "unknown key", "'train'"),
    "misspelt in a variant": (
        *("name: x\nvariants: {a: {width: {sover: exact}}}", "variants.a.width.sover:"),
        "'solver'",
    ),
    "misspelt rule": (BASE + "width: {choose: {roh: 1}}", "width.choose.roh:", "'rho'"),
    "key of another section": (BASE + "theta: 1", "theta:", "'select.theta'"),
    "key of an outer section": (BASE + "width: {rho: {solver: exact}}", "width.rho.solver:"),
    "text for a number": (BASE + "seed: many", "seed:", "an integer", "'many'"),
    "number for a section": (BASE + "train: 5", "train:", "a mapping", "5"),
    "nothing for a section": (BASE + "train:", "train:", "a mapping", "nothing"),
    "list for a section": (BASE + "train: [1]", "train:", "a mapping", "[1]"),
    "mapping for a number": (BASE + "seed: {a: 1}", "seed:", "an integer", "a mapping"),
    "fraction for a count": (BASE + "train: {epochs: 2.5}", "train.epochs:", "integer", "2.5"),
    "flag for a count": (BASE + "train: {epochs: true}", "train.epochs:", "integer", "True"),
    "number for a flag": (BASE + "model: {bias: 1}", "model.bias:", "true or false", "1"),
    "quoted number": (BASE + "select: {theta: '1'}", "select.theta:", "a number", "'1'"),
    "number for a choice": (BASE + "dtype: 64", "dtype:", "'float64' or 'float32'", "64"),
    "unknown choice": (BASE + "select: {scope: all}", "select.scope:", "'full'", "'all'"),
    "unknown solver": (BASE + "width: {solver: magic}", "width.solver:", "'exact'", "'magic'"),
    "text for widths": (BASE + "model: {widths: wide}", "model.widths:", "a list", "'wide'"),
    "text for choose": (BASE + "width: {choose: 8}", "width.choose:", "a list of widths", "8"),
    "zero samples": (BASE + "data: {n_train: 0}", "data.n_train:", "at least 1", "0"),
    "negative samples": (BASE + "data: {n_test: -9}", "data.n_test:", "at least 1", "-9"),
    "no population": (BASE + "data: {n_population: 0}", "data.n_population:", "at least 1", "0"),
    "zero epochs": (BASE + "finetune: {epochs: 0}", "finetune.epochs:", "at least 1", "0"),
    "zero batch": (BASE + "train: {batch_size: 0}", "train.batch_size:", "at least 1", "0"),
    "zero width": (BASE + "model: {widths: [4, 0, 4]}", "model.widths.1:", "at least 1", "0"),
    "negative width": (BASE + "width: {choose: [8, -3, 3]}", "width.choose.1:", "at least 1", "-3"),
    "no widths": (BASE + "model: {widths: []}", "model.widths:", "at least one", "[]"),
    "nothing chosen": (BASE + "width: {choose: []}", "width.choose:", "at least one", "[]"),
    "zero learning rate": (
        *(BASE + "train: {learning_rate: 0}", "train.learning_rate:", "more than 0"),
        "0",
    ),
    "negative epsilon": (BASE + "data: {epsilon: -0.1}", "data.epsilon:", "at least 0", "-0.1"),
    "negative ridge": (BASE + "compress: {ridge: -1}", "compress.ridge:", "at least 0", "-1"),
    "negative seed": (BASE + "seed: -1", "seed:", "at least 0", "-1"),
    "huge seed": (BASE + f"seed: {2**63}", "seed:", "less than", str(2**63)),
    "wider than the layer": (
        *(BASE + "width: {choose: [8, 13, 3]}", "width.choose:"),
        *("at most 12", "layer 2", "13"),
    ),
    "too few widths": (BASE + "width: {choose: [8, 3]}", "width.choose:", "3 widths", "got 2"),
    "too many widths": (BASE + "width: {choose: [8, 3, 3, 1]}", "width.choose:", "3", "got 4"),
    "wider in a variant": (
        *("name: x\nvariants: {a: {width: {choose: [17, 3, 3]}}}", "variants.a.width.choose:"),
        *("at most 16", "17"),
    ),
    "bad item in a variant": (
        *("name: x\nvariants: {a: {width: {choose: [8, 3, z]}}}", "variants.a.width.choose"),
        *("an integer", "'z'"),
    ),
    "nothing in a variant": (
        *("name: x\nvariants: {a: {select: {theta: }}}", "variants.a.select.theta:"),
        *("a number", "nothing"),
    ),
    "rho starts at 0": (BASE + "width: {rho: {start: 0}}", "width.rho.start:", "more than 0", "0"),
    "negative rho": (BASE + "width: {rho: {start: -1}}", "width.rho.start:", "more than 0", "-1"),
    "no rho": (BASE + "width: {rho: {num: 0}}", "width.rho.num:", "at least 1", "0"),
    "rho backwards": (
        BASE + "width: {rho: {start: 9, stop: 2}}",
        "width.rho:",
        "start < stop",
        "9",
    ),
    "one rho many times": (
        BASE + "width: {rho: {start: 2, stop: 2}}",
        "width.rho:",
        "start < stop",
    ),
    "chosen rho is 0": (
        BASE + "width: {choose: {rho: 0}}",
        "width.choose.rho:",
        "more than 0",
        "0",
    ),
    "alpha above 1": (
        *(BASE + "width: {choose: {information: 1.5}}", "width.choose.information:"),
        *("at most 1", "1.5"),
    ),
    "alpha is 0": (
        *(BASE + "width: {choose: {information: 0}}", "width.choose.information:"),
        *("more than 0", "0"),
    ),
    "no parameters": (
        *(BASE + "width: {choose: {parameters: 0}}", "width.choose.parameters:"),
        *("at least 1", "0"),
    ),
    "two rules": (
        *(BASE + "width: {choose: {rho: 1, parameters: 9}}", "width.choose:"),
        *("exactly one of rho, parameters, information", "got"),
    ),
    "no rule": (BASE + "width: {choose: {}}", "width.choose:", "exactly one of", "got"),
    "theta above 1": (BASE + "select: {theta: 1.01}", "select.theta:", "at most 1", "1.01"),
    "theta below 0": (BASE + "select: {theta: -0.01}", "select.theta:", "at least 0", "-0.01"),
    "theta not a number": (
        BASE + "select: {theta: .nan}",
        "select.theta:",
        "a finite number",
        "nan",
    ),
    "infinite epsilon": (BASE + "data: {epsilon: .inf}", "data.epsilon:", "a finite number", "inf"),
    "overflowing epsilon": (
        BASE + "data: {epsilon: 1e999}",
        "data.epsilon:",
        "a finite number",
        "inf",
    ),
    "absurd size": (BASE + "data: {n_train: 10000001}", "data.n_train:", "at most", "10000001"),
    "misspelt rule of the study": (
        *(BASE + "study: {rules: {majorty: 1}}", "study.rules.majorty:", "'majority'"),
    ),
    "number for the study": (BASE + "study: 5", "study:", "a mapping", "5"),
    "study in a variant": (
        *("name: x\nvariants: {a: {study: {rho_num: 5}}}", "variants.a.study:", "unknown key"),
    ),
    "confidence above 1": (
        *(BASE + "study: {confidence: 95}", "study.confidence:", "less than 1", "95"),
    ),
    "too long": ("#" * 100_001, "", "100000 characters"),
    "unknown device": (BASE + "device: tpu", "device:", "cpu, cuda or cuda:N", "'tpu'"),
    "device with a newline": (BASE + 'device: "cpu\\n"', "device:", "cpu, cuda or cuda:N"),
    "published with parameters": (
        BASE + "width: {solver: published}",
        *("width", "hidden", "'parameters'"),
    ),
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
    "impossible date": (BASE + "seed: 2019-13-45", "", "not valid YAML", "month"),
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

BAD_OVERRIDES = {
    "no equals": ("select.theta", "", "dotted.key=value", "'select.theta'"),
    "no key": ("=1", "", "dotted.key=value", "'=1'"),
    "empty part": ("select..theta=1", "", "dotted.key=value", "'select..theta=1'"),
    "empty text": ("", "", "dotted.key=value", "''"),
    "not YAML": ("seed=[1", "", "not valid YAML"),
    "bad tag": ("seed=!!int ''", "", "not valid YAML"),
    "alias": ("seed=*s", "", "aliases"),
    "no value": ("seed=", "seed:", "an integer", "nothing"),
    "misspelt": ("width.regulariser=abs", "width.regulariser:", "'regularizer'"),
    "unknown section": ("flux.theta=1", "flux:", "unknown key"),
    "key of another section": ("theta=1", "theta:", "'select.theta'"),
    "below a number": ("select.theta.x=1", "select.theta", "a number"),
    "below the name": ("name.x=1", "name", "expected"),
    "wrong type": ("seed=many", "seed:", "an integer", "'many'"),
    "out of range": ("select.theta=2", "select.theta:", "at most 1", "2"),
    "section": ("train=5", "train:", "a mapping", "5"),
    "number as a key": ("train={1: 2}", "train.1:", "expected", "string"),
    "wider than the layer": ("width.choose=[17,3,3]", "width.choose:", "at most 16", "17"),
    "wider in one variant": (
        *("variants.a.width.choose=[17,3,3]", "variants.a.width.choose:", "at most 16", "17"),
    ),
    "out of range in one variant": (
        *("variants.a.select.theta=2", "variants.a.select.theta:", "at most 1", "2"),
    ),
    "rho backwards": ("width.rho.start=99", "width.rho", "start < stop", "99"),
    "published with parameters": ("width.solver=published", "width", "hidden", "'parameters'"),
    "unknown variant": ("variants.b.seed=1", "variants.b.seed:", "a variant of a"),
    "whole variant": ("variants.a={}", "variants.a:", "variants.VARIANT.KEY"),
    "all variants": ("variants={}", "variants:", "variants.VARIANT.KEY"),
    "separator in the name": ("name=a/b", "name:", "'a/b'"),
    "study": ("study.rules.majority=2", "study.rules.majority:", "less than 1", "2"),
    "unknown device": ("device=tpu", "device:", "cpu, cuda or cuda:N", "'tpu'"),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def loaded(folder: Path, text: str, *overrides: str) -> Config:
    return load_config(written(folder, text), overrides)


def refused(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError, match=r"^\S") as caught:
        load_config(path, overrides)
    return str(caught.value)


def run(path: Path, *options: str) -> Result:
    """`mini-exp gen-mini` with a results directory beside the file."""
    where = ("--results", str(path.parent / "results"))
    return CliRunner().invoke(main, ["gen-mini", str(path), *where, *options])


def assert_one_line(message: str, source: str, key: str, *said: str) -> None:
    assert message.startswith(f"{source}: {key}")
    assert len(message.splitlines()) == 1
    rest = message.removeprefix(f"{source}: ")
    assert [text for text in said if text not in rest] == []


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_refused_in_one_line(tmp_path, case):
    text, *said = BAD_FILES[case]
    path = written(tmp_path, text)
    assert_one_line(refused(path), str(path), *said)


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_exits_2_and_writes_nothing(tmp_path, case):
    path = written(tmp_path, BAD_FILES[case][0])
    result = run(path)
    assert result.stderr == f"mini-exp: {refused(path)}\n"
    assert len(result.stderr.splitlines()) == 1
    assert (result.exit_code, result.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("case", BAD_OVERRIDES)
def test_bad_override_is_refused_in_one_line(tmp_path, case):
    option, key, *said = BAD_OVERRIDES[case]
    message = refused(written(tmp_path, BASE), option)
    assert message.startswith("--set")
    assert_one_line(message, message.partition(":")[0], key, *said)


@pytest.mark.parametrize("case", BAD_OVERRIDES)
def test_bad_override_exits_2_and_writes_nothing(tmp_path, case):
    path = written(tmp_path, BASE)
    result = run(path, "--set", BAD_OVERRIDES[case][0])
    assert result.stderr.startswith("mini-exp: --set")
    assert len(result.stderr.splitlines()) == 1
    assert (result.exit_code, result.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == [path]


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


def test_unknown_device_option_exits_2(tmp_path):
    result = run(written(tmp_path, BASE), "--device", "tpu")
    assert result.exit_code == 2
    assert "device: expected cpu, cuda or cuda:N, got 'tpu'" in result.stderr


def test_every_problem_has_a_line(tmp_path):
    path = written(tmp_path, BASE + "seed: many\nselect: {theta: 2}")
    lines = refused(path).splitlines()
    assert [line.removeprefix(f"{path}: ").partition(":")[0] for line in lines] == [
        "seed",
        "select.theta",
    ]
    assert len(run(path).stderr.splitlines()) == 2


def test_shared_problem_is_told_once(tmp_path):
    path = written(tmp_path, "name: x\nseed: many\nvariants: {a: {}, b: {}}")
    assert_one_line(refused(path), str(path), "seed:")


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", "1E-03", "+1e-3"])
def test_exponent_is_a_number(tmp_path, text):
    config = loaded(tmp_path, BASE + f"train: {{learning_rate: {text}}}")
    assert config.variants["a"].train.learning_rate == 1e-3


def test_integer_is_a_number(tmp_path):
    theta = loaded(tmp_path, BASE + "select: {theta: 1}").variants["a"].select.theta
    assert (theta, type(theta)) == (1.0, float)


def test_one_rho_may_start_where_it_stops(tmp_path):
    rho = loaded(tmp_path, BASE + "width: {rho: {start: 2, stop: 2, num: 1}}").variants["a"].width
    assert (rho.rho.start, rho.rho.num) == (2.0, 1)


def test_override_holds_for_every_variant(tmp_path):
    text = "name: x\nselect: {theta: 0.1}\nvariants: {a: {}, b: {select: {theta: 0.9}}}"
    config = loaded(tmp_path, text, "select.theta=0.3")
    assert {name: s.select.theta for name, s in config.variants.items()} == {"a": 0.3, "b": 0.3}


def test_override_of_a_section_holds_for_every_variant(tmp_path):
    text = "name: x\nvariants: {a: {}, b: {width: {rho: {start: 5}}}}"
    config = loaded(tmp_path, text, "width.rho={start: 2, stop: 3, num: 4}")
    assert {s.width.rho.start for s in config.variants.values()} == {2.0}


CHOICES = ("[4, 2, 2]", "{parameters: 300}", "{rho: 7}")


@pytest.mark.parametrize("choose", CHOICES)
@pytest.mark.parametrize(
    "text",
    [
        "name: x\nwidth: {choose: CHOICE}\nvariants: {a: {}}",
        "name: x\nvariants: {a: {width: {choose: CHOICE}}}",
    ],
    ids=["shared", "variant"],
)
def test_override_of_a_rule_replaces_any_other(tmp_path, text, choose):
    config = loaded(tmp_path, text.replace("CHOICE", choose), "width.choose.rho=5")
    assert config.variants["a"].width.choose == Choose(rho=5.0)


def test_override_of_one_variant(tmp_path):
    text = "name: x\nvariants: {a: {}, b: {}}"
    config = loaded(tmp_path, text, "variants.b.select.theta=0.3")
    assert {name: s.select.theta for name, s in config.variants.items()} == {"a": 0.5, "b": 0.3}


def test_last_override_wins(tmp_path):
    text = "name: x\nvariants: {a: {}, b: {}}"
    config = loaded(tmp_path, text, "variants.b.seed=1", "seed=2", "seed=3", "variants.a.seed=4")
    assert {name: s.seed for name, s in config.variants.items()} == {"a": 4, "b": 3}


def test_override_of_the_name(tmp_path):
    assert loaded(tmp_path, BASE, "name=other").name == "other"


def test_override_beats_a_bad_value_in_the_file(tmp_path):
    assert loaded(tmp_path, BASE + "seed: many", "seed=3").variants["a"].seed == 3


def test_sections_merge_and_choose_is_replaced(tmp_path):
    text = """
name: x
width: {regularizer: abs, choose: {rho: 3}, rho: {num: 7}}
variants:
  a: {width: {choose: {parameters: 300}, rho: {start: 2}}}
  b: {width: {choose: [4, 3, 2]}}
  c:
"""
    config = loaded(tmp_path, text)
    widths = {name: settings.width for name, settings in config.variants.items()}
    assert {width.regularizer for width in widths.values()} == {"abs"}
    assert {width.rho.num for width in widths.values()} == {7}
    assert {name: width.choose for name, width in widths.items()} == {
        "a": Choose(parameters=300),
        "b": (4, 3, 2),
        "c": Choose(rho=3.0),
    }


@pytest.mark.parametrize("choose", CHOICES)
def test_resolved_settings_read_back_the_same(tmp_path, choose):
    text = BASE + f"seed: 7\nselect: {{theta: 0.1}}\nwidth: {{choose: {choose}}}"
    config = loaded(tmp_path, text)
    printed = CliRunner().invoke(main, ["validate", str(tmp_path / "c.yaml")])
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert loaded(tmp_path, printed.stdout) == config


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_committed_config_reads_back_the_same(tmp_path, path):
    config = load_config(path)
    printed = CliRunner().invoke(main, ["validate", str(path)]).stdout
    assert printed == config.as_yaml()
    assert loaded(tmp_path, printed) == config


def test_validate_prints_every_key(tmp_path):
    printed = yaml.safe_load(
        CliRunner().invoke(main, ["validate", str(written(tmp_path, BASE))]).stdout
    )
    settings = loaded(tmp_path, BASE).variants["a"]
    assert printed["variants"]["a"] == settings.model_dump(mode="json")
    assert [key for key in keys() if setting(settings, key) is None] == []


CORRECTED = {
    "seed": 1701,
    "device": "cpu",
    "dtype": "float64",
    "data.kind": "mini",
    "data.n_train": 100,
    "data.n_test": 100,
    "data.n_population": 100_000,
    "data.epsilon": 0.1,
    "data.labels": "thesis",
    "model.kind": "mlp",
    "model.widths": [16, 12, 10],
    "model.bias": False,
    "train.epochs": 200,
    "train.batch_size": 32,
    "train.learning_rate": 1e-3,
    "covariance.scale": "mean",
    "width.solver": "exact",
    "width.regularizer": "square",
    "width.boundary": "parameters",
    "width.rho.start": 1.0,
    "width.rho.stop": 10.0,
    "width.rho.num": 91,
    "width.choose": [8, 3, 3],
    "select.scope": "full",
    "select.theta": 0.5,
    "compress.weights": "reconstruct",
    "compress.ridge": 0.0,
    "finetune.epochs": 200,
    "finetune.batch_size": 32,
    "finetune.learning_rate": 1e-3,
}
PUBLISHED = {
    **CORRECTED,
    "data.n_test": 99,
    "data.labels": "swapped",
    "covariance.scale": "sum",
    "width.solver": "published",
    "width.boundary": "hidden",
    "width.rho.start": 0.01,
    "width.rho.stop": 0.1,
    "select.scope": "complement",
    "compress.weights": "slice",
}
MINI = {
    "published": PUBLISHED,
    "published_bias": {**PUBLISHED, "model.bias": True},
    "corrected": CORRECTED,
    "corrected_bias": {**CORRECTED, "model.bias": True},
}


def flat(settings: Settings) -> dict[str, object]:
    return {key: setting(settings, key) for key in keys()}


def test_defaults_are_the_corrected_protocol():
    assert flat(Settings()) == CORRECTED


def test_mini_has_the_four_protocols():
    config = load_config(CONFIGS / "mini.yaml")
    assert config.name == "mini"
    assert {name: flat(settings) for name, settings in config.variants.items()} == MINI
    assert list(config.variants) == list(MINI)


def test_smoke_differs_from_mini_in_effort_only():
    effort = {"data.n_population", "train.epochs", "finetune.epochs", "width.rho.num"}
    smoke = load_config(CONFIGS / "smoke.yaml").variants
    assert list(smoke) == list(MINI)
    for name, settings in smoke.items():
        values = flat(settings)
        assert {key for key in values if values[key] != MINI[name][key]} == effort


# Whatever comes, it is refused as our own error or accepted.

TOKENS = (
    *("name: x\n", "variants: ", "{a: {}}", "{a: ", "seed: ", "width: ", "choose: ", "train: "),
    *("- ", "? ", ": ", "\n", "\n  ", ", ", "[", "]", "{", "}", "'", '"', "|\n", ">\n", "---\n"),
    *("&s ", "*s", "<<: ", "!!int ", "!!float ", "!!bool ", "!!null ", "!!binary ", "!!set "),
    *("!!timestamp ", "!!omap ", "!!pairs ", "!!str ", "!x ", "~", "1", "1e400", ".nan", "0x"),
    *("2001-01-01", "2001-13-01", "1:30", "''", "text", "#", "%YAML 1.1\n", "\\", "\t", "="),
)
fuzz = hypothesis_settings(max_examples=100, deadline=None, derandomize=True)
texts = st.text(st.characters(codec="utf-8"))
tokens = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
words = st.sampled_from(sorted({part for key in keys() for part in key.split(".")}))
data = st.recursive(
    leaves | st.lists(leaves, max_size=3),
    lambda inner: st.dictionaries(words | st.text(max_size=5) | st.integers(), inner, max_size=4),
    max_leaves=12,
)


def is_config_or_our_error(path: Path, content: bytes, overrides: tuple[str, ...] = ()) -> bool:
    path.write_bytes(content)
    try:
        return isinstance(load_config(path, overrides), Config)
    except MiniExpError:
        return True


@fuzz
@given(content=st.binary() | (texts | tokens | tokens.map(BASE.__add__)).map(str.encode))
def test_any_text_is_accepted_or_refused_as_our_error(tmp_path_factory, content):
    assert is_config_or_our_error(tmp_path_factory.getbasetemp() / "fuzz.yaml", content)


@fuzz
@given(shared=st.dictionaries(words | st.text(max_size=5), data), variant=data)
def test_any_data_is_accepted_or_refused_as_our_error(tmp_path_factory, shared, variant):
    content = yaml.safe_dump({"name": "x", "variants": {"a": variant}, **shared}).encode()
    assert is_config_or_our_error(tmp_path_factory.getbasetemp() / "fuzz.yaml", content)


@fuzz
@given(
    key=texts | st.sampled_from([*keys(), "name", "variants", "variants.a", "variants.a.seed"]),
    value=texts | tokens | data.map(yaml.safe_dump),
)
def test_any_override_is_accepted_or_refused_as_our_error(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    assert is_config_or_our_error(path, BASE.encode(), (f"{key}={value}",))
