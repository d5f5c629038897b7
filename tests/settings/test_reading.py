"""What a file and its overrides resolve to."""

from __future__ import annotations

import pytest

from mini_exp.settings.sections import Choose
from tests.settings.experiment_files import BASE, loaded


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
