"""The JSON Schema of an experiment file says what `load_config` says, as far as it can."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from mini_exp.cli import main
from mini_exp.config import Budget, Choose, Compare, ImageSettings, Settings, Study, load_config
from mini_exp.errors import ConfigError
from mini_exp.schema import FILE, experiment_schema

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SCHEMA = experiment_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

MINI = {"name": "x", "variants": {"a": {}}}
DIGITS = {"name": "x", "data": {"kind": "digits"}, "variants": {"a": {}}}


def valid(content: Any) -> bool:
    return bool(VALIDATOR.is_valid(content))


def loads(content: Any, folder: Path) -> bool:
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        load_config(path)
    except ConfigError:
        return False
    return True


def changed(base: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted key."""
    content = copy.deepcopy(base)
    inside = content
    *sections, last = key.split(".")
    for section in sections:
        inside = inside.setdefault(section, {})
    inside[last] = value
    return content


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_command_prints_what_is_committed() -> None:
    printed = CliRunner().invoke(main, ["schema"]).stdout
    assert json.loads(printed) == SCHEMA
    assert (ROOT / "configs" / FILE).read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_files_name_it_and_fit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# yaml-language-server: $schema={FILE}\n")
    # YAML 1.2, as editors read it: there 1e-3 is a number.
    text = re.sub(r"(?<=: )(\d+)e", r"\1.0e", text)
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text))) == []


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [field.annotation for field in model.model_fields.values()]
    found = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [model, *(deeper for kind in found for deeper in sections(kind))]


@pytest.mark.parametrize("model", [Settings, ImageSettings, Study, Compare, Choose, Budget])
def test_every_key_has_a_description_and_a_default(model: type[BaseModel]) -> None:
    for section in sections(model):
        assert section.__doc__, section
        for name, field in section.model_fields.items():
            assert not field.is_required(), (section, name)
            is_section = isinstance(field.annotation, type) and issubclass(
                field.annotation, BaseModel
            )
            assert field.description or is_section, (section, name)


def test_the_schema_has_the_description_of_every_key() -> None:
    for name, definition in SCHEMA["$defs"].items():
        assert definition["additionalProperties"] is False, name
        for key, field in definition["properties"].items():
            inner = field.get("$ref", "").rpartition("/")[2]
            assert "description" in (SCHEMA["$defs"].get(inner) or field), (name, key)
            if name not in ("Choose", "Budget") and key not in ("name", "variants", inner.lower()):
                assert "default" in field, (name, key)


ON_MINI = [
    ("name", "x.y_z-1", True),
    *(("name", wrong, False) for wrong in ("", ".x", "a/b", "x" * 65, "ä", 3, None)),
    ("variants", {"a": None, "b-1_c": {"seed": 3}}, True),
    *(("variants", wrong, False) for wrong in ({}, [], None, "a", {"a": []}, {"a": 3})),
    *(("variants", {name: {}}, False) for name in ("a.b", "", "figures", "study", "compare")),
    *(("variants", {"a": {name: "y"}}, False) for name in ("name", "study", "variants", "nothing")),
    *(("seed", right, True) for right in (0, 2**63 - 1)),
    *(("seed", wrong, False) for wrong in (-1, 2**63, 1.5, "1", True, None)),
    *(("device", right, True) for right in ("cpu", "cuda", "cuda:1")),
    *(("device", wrong, False) for wrong in ("gpu", "cuda:", "cuda:x", 0)),
    ("data", {}, True),
    *(("data", wrong, False) for wrong in (None, [], "mini", 3)),
    *(("data.kind", wrong, False) for wrong in ("Mini", "mnist", None, 3, ["mini"])),
    *(("data.n_train", wrong, False) for wrong in (0, 10_000_001, "5", False, None)),
    *(("data.epsilon", right, True) for right in (0, 1, 0.5)),
    *(("data.epsilon", wrong, False) for wrong in (-0.1, "0.1", True)),
    *(("data.labels", wrong, False) for wrong in ("Thesis", 1, True)),
    ("data.root", "x", False),
    ("model.bias", True, True),
    *(("model.bias", wrong, False) for wrong in (1, "true", None)),
    *(("model.widths", wrong, False) for wrong in ([], [0, 3, 3], 8, "8", [8, 3, 2.5], None)),
    *(("train.learning_rate", wrong, False) for wrong in (0, -1, "1")),
    ("train.learning_rate", 1, True),
    ("trian.epochs", 3, False),
    ("covariance.n_images", 3, False),
    *(("width.choose", right, True) for right in ([8, 3, 3], {"rho": 1}, {"parameters": 300})),
    *(("width.choose", right, True) for right in ({"information": 0.9}, {"information": 1})),
    *(("width.choose", wrong, False) for wrong in ({}, {"rho": None}, {"keep": 0.5}, None, 3, [])),
    *(("width.choose", wrong, False) for wrong in ({"rho": 0}, {"information": 1.1}, "rho")),
    ("width.choose", {"rho": 1, "parameters": 300}, False),
    ("width.choose", {"rho": 1, "parameters": None}, False),
    *(("width.rho.num", wrong, False) for wrong in (0, 1.5)),
    ("width.rho.stop", -1, False),
    ("select.theta", 0, True),
    *(("select.theta", wrong, False) for wrong in (-0.1, 1.1)),
    ("study.rules.majority", 0.6, True),
    *(("study.rules.majority", wrong, False) for wrong in (0, 1)),
    *(("study.resamples", wrong, False) for wrong in (1, 1_000_001)),
    *(("study", wrong, False) for wrong in (None, [], {"rule": {}})),
    ("compare", {}, False),
    ("variants.a.train", None, False),
    ("variants.a.width.choose", {"rho": 1, "information": 1}, False),
    ("variants.a.data.kind", "mini", True),
    ("variants.a.data.kind", "mnist", False),
    ("variants.a.seed", "many", False),
]
ON_IMAGES = [
    ("data.n_train", None, True),
    ("data.n_train", 100, True),
    *(("data.n_train", wrong, False) for wrong in (0, "100")),
    ("data.n_test", 100, False),
    ("dtype", "float64", False),
    *(("model.kind", wrong, False) for wrong in ("mlp", "resnet20")),
    ("model.widths", [3], False),
    *(("width.choose", right, True) for right in ({"keep": 0.5}, {"flops": 1}, [8, 8])),
    *(("width.choose", wrong, False) for wrong in ({"keep": 0.5, "flops": 0.5}, {"rho": 1})),
    *(("width.choose", wrong, False) for wrong in ({"keep": 0}, {"keep": None}, {}, [])),
    ("width.solver", "exact", False),
    *(("train.precision", wrong, False) for wrong in ("float16", 32)),
    ("compare.keep", [], True),
    ("compare.keep", [0.5, 1], True),
    *(("compare.keep", wrong, False) for wrong in ([0], [1.5], 0.5, None)),
    *(("compare.networks", wrong, False) for wrong in (1, 1001)),
    ("study", {}, False),
    ("variants.a.data.kind", "digits", True),
    ("variants.a.data.n_test", 3, False),
]
OTHERS = [
    (None, False),
    ([], False),
    ({}, False),
    ({"name": "x"}, False),
    ({"variants": {"a": {}}}, False),
    # Images although only the variants say so.
    ({"name": "x", "variants": {"a": {"data": {"kind": "digits"}}}}, True),
    ({**MINI, "compare": {}, "variants": {"a": {"data": {"kind": "digits"}}}}, True),
    ({**MINI, "study": {}, "variants": {"a": {"data": {"kind": "digits"}}}}, False),
    # Either or.
    ({"name": "x", "variants": {"a": {"data": {"kind": "digits"}}, "b": {}}}, False),
    ({"name": "x", "variants": {"a": {"data": {"kind": "digits"}}, "b": None}}, False),
    (
        {
            "name": "x",
            "variants": {"a": {"data": {"kind": "digits"}}, "b": {"data": {"kind": "mini"}}},
        },
        False,
    ),
    ({**DIGITS, "variants": {"a": {}, "b": {"data": {"kind": "mini"}}}}, False),
]
CASES = [
    *((changed(MINI, key, value), right) for key, value, right in ON_MINI),
    *((changed(DIGITS, key, value), right) for key, value, right in ON_IMAGES),
    *OTHERS,
]


@pytest.mark.parametrize(("content", "right"), CASES, ids=lambda value: str(value)[:80])
def test_schema_and_reader_agree(content: Any, right: bool, tmp_path: Path) -> None:
    assert (valid(content), loads(content, tmp_path)) == (right, right)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    # Of a number without a fraction JSON Schema does not say whether it is an integer.
    st.integers(-3, 12),
    st.floats(-3, 3).filter(lambda x: not x.is_integer()),
    st.sampled_from(["cpu", "thesis", "swapped", "mini", "exact", "slice", "float32", ""]),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text("ab"), SCALARS)
# Of keys that stand in no relation to others: those JSON Schema cannot express.
KEYS = [
    *("seed", "device", "dtype", "data.n_train", "data.epsilon", "data.labels", "model.kind"),
    *("model.bias", "train.epochs", "train.learning_rate", "covariance.scale", "select.theta"),
    *("width.regularizer", "width.choose.information", "compress.weights", "compress.ridge"),
    *("finetune.batch_size", "finetune", "select", "nothing", "data.nothing"),
]


@given(key=st.sampled_from(KEYS), variant=st.booleans(), value=VALUES)
def test_schema_and_reader_agree_on_any_value(
    tmp_path_factory: pytest.TempPathFactory, key: str, variant: bool, value: Any
) -> None:
    content = changed(MINI, f"variants.a.{key}" if variant else key, value)
    assert valid(content) == loads(content, tmp_path_factory.getbasetemp())
