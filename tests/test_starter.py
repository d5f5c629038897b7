"""A starter file is whole, says what it holds, and is what the models say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mini_exp.cli import main
from mini_exp.config import (
    NAME,
    Compare,
    Config,
    ImageConfig,
    ImageSettings,
    Settings,
    Study,
    keys,
    load_config,
)
from mini_exp.schema import FILE, experiment_schema, schema_text
from mini_exp.starter import CIFAR10, experiment_name, starter_text

KINDS = ["mini", "digits", "cifar10"]


def init(path: Path, *options: str):
    return CliRunner().invoke(main, ["init", str(path), *options])


def test_it_says_what_was_written_and_what_is_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = init(Path("my.yaml"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Written: my.yaml",
        f"Written: {FILE}",
        "Next: mini-exp run my.yaml",
    ]
    assert Path(FILE).read_text(encoding="utf-8") == schema_text()
    again = init(Path("a second.yml"))
    assert again.stdout.splitlines() == [
        "Written: a second.yml",
        "Next: mini-exp run 'a second.yml'",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a second.yml", FILE, "my.yaml"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_variant_has_the_defaults(tmp_path, kind):
    path = tmp_path / "my.yaml"
    assert init(path, "--data", kind).exit_code == 0
    config = load_config(path)
    first, second = config.variants.values()
    if kind == "mini":
        assert (first, config.study) == (Settings(), Study())
        assert second == Settings.model_validate({"model": {"bias": True}})
    else:
        given = CIFAR10 if kind == "cifar10" else {}
        assert (first, config.compare) == (ImageSettings.model_validate(given), Compare())
    bare = tmp_path / "bare.yaml"
    names = list(config.variants)
    text = path.read_text(encoding="utf-8")
    variants = yaml.safe_load(text)["variants"]
    shared = CIFAR10 if kind == "cifar10" else {"data": {"kind": kind}}
    bare.write_text(yaml.safe_dump({"name": "my", **shared, "variants": variants}))
    assert load_config(bare) == config, names


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_there_with_a_comment(kind):
    text = starter_text("my.yaml", kind)
    content = yaml.safe_load(text)
    assert text.startswith(f"# yaml-language-server: $schema={FILE}\n")
    model, of_all, key = (
        (Settings, Study, "study") if kind == "mini" else (ImageSettings, Compare, "compare")
    )
    for dotted in [*keys(model), *keys(of_all, f"{key}.")]:
        inside = content
        for part in dotted.split("."):
            inside = inside[part]
    shared = text.partition("# Shared by all")[2].partition("# Each overrides")[0]
    for line in shared.splitlines()[1:]:
        assert not line or line == f"{key}:" or re.search(r"# +\S", line), line
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("kind", KINDS)
def test_it_fits_the_schema(kind):
    content = yaml.safe_load(starter_text("my.yaml", kind).replace("1e-06", "1.0e-06"))
    assert list(Draft202012Validator(experiment_schema()).iter_errors(content)) == []


def test_it_runs(tmp_path):
    path = tmp_path / "my.yaml"
    init(path)
    few = ["train.epochs=1", "finetune.epochs=1", "data.n_population=100", "width.rho.num=2"]
    options = [word for setting in few for word in ("--set", setting)]
    where = ["--results", str(tmp_path / "results")]
    result = CliRunner().invoke(main, ["finetune", str(path), *where, *options])
    assert result.exit_code == 1
    for step in ("gen-mini", "train", "covariance", "estimate-width", "select", "finetune"):
        result = CliRunner().invoke(main, [step, str(path), *where, *options])
        assert (result.exit_code, result.stderr) == (0, ""), step


def test_nothing_is_overwritten(tmp_path):
    path, schema = tmp_path / "my.yaml", tmp_path / FILE
    path.write_text("mine")
    result = init(path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"mini-exp: {path}: is there already, and nothing is overwritten; choose another\n"
    )
    assert path.read_text() == "mine"
    assert not schema.exists()
    schema.write_text("{}")
    assert init(tmp_path / "other.yaml").exit_code == 0
    assert schema.read_text() == "{}"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path):
    (tmp_path / "my.yaml").symlink_to(tmp_path / "gone")
    assert init(tmp_path / "my.yaml").exit_code == 1
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("name", ["my", "my.txt", ".yaml", "a\nb.yaml"])
def test_another_ending_is_refused(tmp_path, name):
    result = init(tmp_path / name)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "ends in .yaml" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    result = init(tmp_path / "no" / "my.yaml")
    assert (result.exit_code, result.stderr) == (
        1,
        f"mini-exp: {tmp_path / 'no'}: no such directory; make it first\n",
    )


def test_unknown_data_is_bad_usage(tmp_path):
    assert init(tmp_path / "my.yaml", "--data", "mnist").exit_code == 2


@given(stem=st.text(max_size=80))
def test_any_stem_gives_a_name(stem):
    name = experiment_name(stem)
    assert re.fullmatch(NAME, name)
    assert name == stem or not re.fullmatch(NAME, stem) or stem != stem.strip("-._")


def test_a_name_is_kept_where_it_can_be():
    assert [experiment_name(stem) for stem in ("my", "a b", "Versuch 3.1", "…")] == [
        *("my", "a-b", "Versuch-3.1", "experiment"),
    ]


def test_kinds_of_experiments(tmp_path):
    for kind, expected in (("mini", Config), ("digits", ImageConfig)):
        path = tmp_path / f"{kind}.yaml"
        init(path, "--data", kind)
        assert type(load_config(path)) is expected
