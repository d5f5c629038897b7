"""The steps as the report shows them: every setting once, where it is first read."""

from __future__ import annotations

import pytest

from mini_exp.report.shown_steps import shown_steps
from mini_exp.settings.config import Config
from mini_exp.settings.settings import Settings
from mini_exp.steps.record import StepRecord


def config(**variants: dict[str, object]) -> Config:
    return Config(
        name="x", variants={name: Settings.model_validate(v) for name, v in variants.items()}
    )


def record(*settings: str, name: str = "train", seconds: dict[str, float] | None = None):
    return StepRecord(name, settings, ("a.csv", "b.npz"), seconds or {}, {})


def rows(step) -> list[list[str]]:
    """The body of the table of settings."""
    lines = step["settings_table"].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_section_is_shown_key_by_key():
    step = shown_steps(config(a={}), [record("finetune")], "a")[0]
    assert rows(step) == [
        ["`finetune.epochs`", "200"],
        ["`finetune.batch_size`", "32"],
        ["`finetune.learning_rate`", "0.001"],
        ["`finetune.augment`", "no"],
        ["`finetune.precision`", "full"],
    ]


def test_a_setting_stands_where_it_is_first_read():
    steps = shown_steps(config(a={}), [record("seed", "device"), record("seed", "dtype")], "a")
    assert [rows(step) for step in steps] == [
        [["`seed`", "1701"], ["`device`", "cpu"]],
        [["`dtype`", "float64"]],
    ]


def test_what_scores_alone_read_is_not_part_of_the_data():
    """As for the fingerprint of a step."""
    data, finetune = record("data"), record("data", "data.n_population")
    first, second = shown_steps(config(a={}), [data, finetune], "a")
    assert "`data.n_population`" not in [row[0] for row in rows(first)]
    assert rows(second) == [["`data.n_population`", "100000"]]


def test_the_map_has_the_main_variant_s_values():
    variants = config(a={"seed": 1}, b={"seed": 2})
    step = shown_steps(variants, [record("seed", "model.widths")], "b")[0]
    assert step["shown"] == "seed 2, model.widths 16, 12, 10"
    assert rows(step)[0] == ["`seed`", "1", "2"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"choose": {"keep": 0.5}}, "keep 0.5"),
        ({"choose": {"parameters": 400}}, "parameters 400"),
        ({"choose": [8, 3, 3]}, "8, 3, 3"),
    ],
)
def test_the_choice_of_widths_is_one_value(given, shown):
    step = shown_steps(config(a={"width": given}), [record("width.choose")], "a")[0]
    assert rows(step) == [["`width.choose`", shown]]


def test_what_is_not_set_is_null():
    step = shown_steps(config(a={}), [record("covariance.n_samples")], "a")[0]
    assert step["shown"] == "covariance.n_samples null"


def test_a_setting_that_a_variant_does_not_have_is_a_dash():
    images = {"data": {"kind": "cifar10"}}
    variants = config(
        cnn={**images, "model": {"kind": "thesis_cnn"}},
        resnet={**images, "model": {"kind": "resnet"}},
    )
    step = shown_steps(variants, [record("model")], "cnn")[0]
    assert rows(step)[1] == ["`model.depth`", "–", "20"]
    assert "depth" not in step["shown"]


def test_the_thesis_has_a_column_if_it_says_something():
    step = shown_steps(config(a={}), [record("seed", "dtype")], "a", {"seed": "none"})[0]
    assert rows(step) == [["`seed`", "none", "1701"], ["`dtype`", "not given", "float64"]]


@pytest.mark.parametrize(
    ("seconds", "took"),
    [
        ({}, ""),
        ({"a": 1.234}, "1.23 s"),
        ({"a": 1.234, "b": 1.2341}, "1.23 s"),
        ({"a": 10.0, "b": 9.0, "c": 9.5}, "9.00–10.00 s"),
    ],
)
def test_the_time_is_that_of_the_fastest_and_of_the_slowest_variant(seconds, took):
    assert shown_steps(config(a={}), [record("seed", seconds=seconds)], "a")[0]["took"] == took
