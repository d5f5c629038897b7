"""Errors, interruption and full disks: one line, an exit code, and what was done is kept."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from mini_exp.errors import DomainError
from mini_exp.experiment.pipeline import Experiment
from tests.conftest import ROOT, Project


def raising(error: BaseException):
    def run(*_: object) -> None:
        raise error

    return run


def test_bad_config_from_a_shell_is_one_line_and_exit_2(tmp_path, environment):
    done = subprocess.run(
        [sys.executable, "-m", "mini_exp", "run", "none.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mini-exp: none.yaml: no such file\n"


def test_quiet_still_prints_errors(empty):
    result = empty("train", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_our_errors_have_a_traceback_only_with_debug(empty):
    plain, debug = empty("train"), empty("train", "--debug")
    assert (plain.exit_code, debug.exit_code) == (1, 1)
    assert len(plain.stderr.splitlines()) == 1
    assert debug.stderr.startswith("Traceback (most recent call last)")
    assert debug.stderr.endswith(plain.stderr)


def test_bad_config_has_no_traceback_without_debug(empty):
    plain = empty("run", "--set", "seed=many")
    debug = empty("run", "--set", "seed=many", "--debug")
    assert (plain.exit_code, debug.exit_code) == (2, 2)
    assert plain.stderr == "mini-exp: --set: seed: expected an integer, got 'many'\n"
    assert "Traceback" in debug.stderr


def test_unexpected_error_is_one_line_and_exit_1(empty, monkeypatch):
    step = importlib.import_module("mini_exp.steps.data")
    monkeypatch.setattr(step, "run", raising(ZeroDivisionError("first line\nsecond line")))
    result = empty("run")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "ZeroDivisionError: first line second line" in result.stderr
    assert "--debug" in result.stderr


def test_unexpected_error_has_a_traceback_with_debug(empty, monkeypatch):
    step = importlib.import_module("mini_exp.steps.data")
    monkeypatch.setattr(step, "run", raising(ZeroDivisionError("no")))
    result = empty("run", "--debug")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "ZeroDivisionError: no" in result.stderr


@pytest.mark.parametrize("command", ["run", "covariance"])
def test_interruption_exits_130_and_keeps_what_is_done(small, empty, another, monkeypatch, command):
    project = another(empty)
    for earlier in ("gen-mini", "train"):
        assert project(earlier).exit_code == 0
    before = project.identities()
    with monkeypatch.context() as patch:
        step = importlib.import_module("mini_exp.steps.covariance")
        patch.setattr(step, "run", raising(KeyboardInterrupt()))
        result = project(command)
    assert (result.exit_code, len(result.stderr.splitlines())) == (130, 1)
    assert "interrupted" in result.stderr
    assert project.identities() == before
    assert project("run").exit_code == 0
    assert project.digests() == small.digests()


def test_interruption_while_a_file_is_written_leaves_none_behind(empty, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(KeyboardInterrupt()))
        result = empty("gen-mini")
    assert result.exit_code == 130
    assert list(empty.paths()) == []
    assert [path.name for path in empty.results.rglob(".*") if path.is_file()] == [".lock"]


def test_what_a_killed_process_left_is_cleared_away(small):
    left = small.directory / "published" / ".dataset.npz.abc.partial"
    left.write_bytes(b"half")
    assert small("gen-mini").exit_code == 0
    assert not left.exists()


def test_full_disk_is_one_line_and_exit_1(small, monkeypatch):
    before = small.identities()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(OSError(28, "No space left on device")))
        result = small("run", "--set", "seed=2")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "No space left on device" in result.stderr
    assert small.identities() == before


def test_closed_pipe_is_no_internal_error(environment):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "mini_exp", "validate", str(ROOT / "configs" / "mini.yaml")],
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "internal error" not in done.stderr


def test_study_and_compare_are_for_data_that_they_repeat(empty, tmp_path):
    refused = empty("compare")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"mini-exp: {empty.config}: data.kind: compare is for digits or cifar10, got mini; see "
        "`study`\n"
    )
    digits = tmp_path / "digits.yaml"
    digits.write_text("name: digits\ndata: {kind: digits}\nvariants: {a: {}}\n")
    refused = Project(digits, tmp_path / "results")("study")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"mini-exp: {digits}: data.kind: study is for mini, got digits; see `compare`\n"
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("command", "kind", "module"),
    [
        ("study", "mini", "mini_exp.study.run"),
        ("compare", "digits", "mini_exp.compare.run"),
        ("diagnose", "mini", "mini_exp.diagnostics.run"),
    ],
)
def test_errors_of_the_method_name_the_command(tmp_path, monkeypatch, command, kind, module):
    path = tmp_path / "some.yaml"
    path.write_text(f"name: some\ndata: {{kind: {kind}}}\nvariants: {{a: {{}}}}\n")
    monkeypatch.setattr(Experiment, "run", lambda *_: None)
    monkeypatch.setattr(Experiment, "require", lambda *_: None)
    repeat = importlib.import_module(module)
    monkeypatch.setattr(repeat, f"run_{command}", raising(DomainError("expected n ≥ 1, got 0")))
    result = Project(path, tmp_path / "results")(command)
    assert result.exit_code == 1
    assert result.stderr == f"mini-exp: {command}: expected n ≥ 1, got 0\n"
