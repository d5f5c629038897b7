"""`mini-exp` alone says what to type next."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mini_exp.cli import main

STEPS = ["gen-mini", "train", "covariance", "estimate-width", "select", "finetune"]


def typed_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `mini-exp` alone says to type next."""
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) <= 20
    steps, _, following = result.stdout.partition("Next:")
    assert re.findall(r"^  ([a-z-]+)  ", steps, re.MULTILINE) == STEPS
    return re.findall(r"^  mini-exp (.*?)  ", following, re.MULTILINE)[:-1]  # --help is last


def test_next_in_an_empty_directory(tmp_path, monkeypatch):
    assert typed_next(tmp_path, monkeypatch) == ["init my.yaml", "run my.yaml"]


def test_next_after_init(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("services: {}\n")
    (tmp_path / "third try.yaml").write_text("name: x\nvariants: {a: }\n")
    assert typed_next(tmp_path, monkeypatch) == ["run 'third try.yaml'"]


def test_next_with_configs(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mini.yaml").touch()
    assert typed_next(tmp_path, monkeypatch) == ["run configs/mini.yaml"]


def test_next_with_finished_results(tmp_path, monkeypatch):
    for name in ("a", "mini", "unfinished"):
        (tmp_path / "results" / name).mkdir(parents=True)
    for name in ("a", "mini"):
        (tmp_path / "results" / name / "table1.csv").touch()
    assert typed_next(tmp_path, monkeypatch) == ["show results/a", "init my.yaml", "run my.yaml"]
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mini.yaml").touch()
    assert typed_next(tmp_path, monkeypatch) == ["show results/mini", "run configs/mini.yaml"]
