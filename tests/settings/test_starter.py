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
from mini_exp.errors import ConfigError
from mini_exp.settings.config import NAME, REPETITIONS
from mini_exp.settings.reading import load_config
from mini_exp.settings.schema import FILE, experiment_schema, schema_text
from mini_exp.settings.settings import Settings
from mini_exp.settings.starter import experiment_name, starter_text
from mini_exp.settings.walk import keys
from mini_exp.tasks import DATA
from mini_exp.tasks.section import kind_of
from tests.settings.experiment_files import settings_of

KINDS = [kind_of(section) for section in DATA]


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
    assert config.first == settings_of(data={"kind": kind})
    beyond = config.first.data.beyond
    given = {name: getattr(config, name) for name in REPETITIONS}
    assert given == {
        name: section() if name in beyond else None for name, section in REPETITIONS.items()
    }
    bare = tmp_path / "bare.yaml"
    variants = yaml.safe_load(path.read_text(encoding="utf-8"))["variants"]
    bare.write_text(yaml.safe_dump({"name": "my", "data": {"kind": kind}, "variants": variants}))
    assert load_config(bare) == config


def test_the_second_variant_is_another(tmp_path):
    changes = {
        "mini": {"model": {"bias": True}},
        "digits": {"width": {"choose": {"parameters": 0.25}}},
    }
    for kind, change in changes.items():
        path = tmp_path / f"{kind}.yaml"
        init(path, "--data", kind)
        _, second = load_config(path).variants.values()
        assert second == settings_of(data={"kind": kind}, **change)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_there_with_a_comment(kind):
    text = starter_text("my.yaml", kind)
    content = yaml.safe_load(text)
    assert text.startswith(f"# yaml-language-server: $schema={FILE}\n")
    settings = settings_of(data={"kind": kind})
    of_all = settings.data.beyond
    other = {"data", "model"}
    for dotted in [
        *(key for key in keys(Settings) if key.partition(".")[0] not in other),
        *keys(type(settings.data), "data."),
        *keys(type(settings.model), "model."),
        *(key for command in of_all for key in keys(REPETITIONS[command], f"{command}.")),
    ]:
        inside = content
        for part in dotted.split("."):
            inside = inside[part]
    shared = text.partition("# Shared by all")[2].partition("# Each overrides")[0]
    for line in shared.splitlines()[1:]:
        assert not line or line[:-1] in of_all or re.search(r"# +\S", line), line
    assert max(map(len, text.splitlines())) <= 120


def test_other_kinds_that_would_do_are_named():
    lines = starter_text("my.yaml", "cifar10").splitlines()
    kinds = [line.partition("[")[2] for line in lines if line.startswith("  kind:")]
    assert kinds == ["digits, cifar10]", "thesis_cnn, resnet]"]
    assert "[" not in next(
        line for line in starter_text("my.yaml", "mini").splitlines() if "kind:" in line
    )


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


def test_a_kind_that_is_not_there():
    with pytest.raises(
        ConfigError, match="expected mini, digits, cifar10, folder or arrays, got 'mnist'"
    ):
        starter_text("my.yaml", "mnist")
