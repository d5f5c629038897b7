"""The JSON Schema of an experiment file says what `load_config` says, as far as it can."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mini_exp.errors import ConfigError
from mini_exp.settings.reading import load_config
from mini_exp.settings.schema import experiment_schema

VALIDATOR = Draft202012Validator(experiment_schema())

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
    ("data.n_validation", 3, False),
    *(("model.kind", wrong, False) for wrong in ("digits_cnn", "resnet", "cnn", None)),
    ("model.depth", 20, False),
    ("model.bias", True, True),
    *(("model.bias", wrong, False) for wrong in (1, "true", None)),
    *(("model.widths", wrong, False) for wrong in ([], [0, 3, 3], 8, "8", [8, 3, 2.5], None)),
    *(("train.learning_rate", wrong, False) for wrong in (0, -1, "1")),
    ("train.learning_rate", 1, True),
    ("trian.epochs", 3, False),
    ("covariance.n_images", 3, False),
    *(("covariance.n_samples", right, True) for right in (None, 3)),
    *(("covariance.n_samples", wrong, False) for wrong in (0, "all", 2.5)),
    *(("dtype", wrong, False) for wrong in ("float16", None)),
    *(("train.precision", wrong, False) for wrong in ("float32", 32, None, "bfloat16")),
    *((f"{section}.epochs", 0, False) for section in ("train", "finetune")),
    ("finetune.augment", True, False),
    ("width.losses", "measured", False),
    ("compress.recover.steps", 0, True),
    ("compress.recover.steps", 5, False),
    *(("width.choose", right, True) for right in ([8, 3, 3], {"rho": 1}, {"parameters": 300})),
    *(("width.choose", right, True) for right in ({"keep": 0.5}, {"flops": 1}, {"flops": 1.0})),
    *(("width.choose", {rule: 0.25}, True) for rule in ("parameters", "flops")),
    *(("width.choose", {rule: 2.5}, False) for rule in ("parameters", "flops")),
    *(("width.choose", {rule: 0.0}, False) for rule in ("parameters", "flops")),
    *(("width.choose", {rule: "1"}, False) for rule in ("parameters", "flops")),
    *(("width.choose", right, True) for right in ({"information": 0.9}, {"information": 1})),
    *(("width.choose", wrong, False) for wrong in ({}, {"rho": None}, {"many": 0.5}, None, 3, [])),
    *(("width.choose", wrong, False) for wrong in ({"rho": 0}, {"information": 1.1}, "rho")),
    ("width.choose", {"rho": 1, "parameters": 300}, False),
    ("width.choose", {"rho": 1, "parameters": None}, False),
    *(("width.rho.num", wrong, False) for wrong in (0, 1.5)),
    ("width.rho.stop", -1, False),
    ("select.theta", 0, True),
    *(("select.theta", wrong, False) for wrong in (-0.1, 1.1, "auto")),
    ("study.rules.majority", 0.6, True),
    ("study.rules.late_rho", 0, False),
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
    ("dtype", "float64", True),
    *(("model.kind", wrong, False) for wrong in ("mlp", "resnet20")),
    ("data.root", "x", False),
    ("model.widths", [3], False),
    *(("width.choose", right, True) for right in ({"keep": 0.5}, {"flops": 1}, [8, 8])),
    *(("width.choose", wrong, False) for wrong in ({"keep": 0.5, "flops": 0.5}, {"rho": 0})),
    *(("width.choose", wrong, False) for wrong in ({"keep": 0}, {"keep": None}, {}, [])),
    ("width.solver", "exact", True),
    *(("train.precision", right, True) for right in ("full", "bfloat16")),
    *(("train.precision", wrong, False) for wrong in ("float32", 32)),
    ("train.augment", True, True),
    ("train.epochs", 1, True),
    ("select.theta", "auto", True),
    *(("select.theta", wrong, False) for wrong in ("Auto", None, [])),
    ("width.losses", "spectral", True),
    *(("compress.recover", right, True) for right in ({}, {"steps": 5, "over": "readers"})),
    *(("compress.recover", wrong, False) for wrong in (True, {"steps": -1}, {"images": 5}, [])),
    ("compare.keep", [], True),
    ("compare.keep", [0.5, 1], True),
    *(("compare.keep", wrong, False) for wrong in ([0], [1.5], 0.5, None)),
    ("compare.theta", [0, 1], True),
    *(("compare.theta", wrong, False) for wrong in ([], [1.5], 0.5)),
    *(("compare.networks", wrong, False) for wrong in (1, 1001)),
    ("study", {}, False),
    ("variants.a.data.kind", "digits", True),
    ("variants.a.data.n_test", 3, False),
    ("variants.a.model.kind", "mlp", False),
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
    (
        {
            "name": "x",
            "data": {"n_validation": 5},
            "variants": {"a": {"data": {"kind": "digits"}}, "b": {"data": {"kind": "cifar10"}}},
        },
        True,
    ),
    (
        {
            "name": "x",
            "data": {"kind": "cifar10", "root": "x"},
            "variants": {"a": {"model": {"kind": "resnet", "depth": 8}}},
        },
        True,
    ),
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
    st.sampled_from(["cpu", "thesis", "swapped", "mini", "exact", "slice", "full", ""]),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text("ab"), SCALARS)
# Of keys that stand in no relation to others: those JSON Schema cannot express.
KEYS = [
    *("seed", "device", "dtype", "data.n_train", "data.epsilon", "data.labels", "model.kind"),
    *("model.bias", "train.batch_size", "train.learning_rate", "covariance.scale", "select.theta"),
    *("width.regularizer", "width.choose.information", "compress.weights", "compress.ridge"),
    *("finetune.batch_size", "finetune", "select", "nothing", "data.nothing"),
]


@given(
    base=st.sampled_from([MINI, DIGITS]),
    key=st.sampled_from(KEYS),
    variant=st.booleans(),
    value=VALUES,
)
def test_schema_and_reader_agree_on_any_value(
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[str, Any],
    key: str,
    variant: bool,
    value: Any,
) -> None:
    content = changed(base, f"variants.a.{key}" if variant else key, value)
    assert valid(content) == loads(content, tmp_path_factory.getbasetemp())
