"""Shells complete commands, options, files and the keys of --set."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from mini_exp.cli import main
from mini_exp.settings.config import REPETITIONS
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import keys


def completed(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    *arguments, incomplete = words
    complete = ShellComplete(main, {}, "mini-exp", "_MINI_EXP_COMPLETE")
    return [item.value for item in complete.get_completions(list(arguments), incomplete)]


def test_completion_of_commands_and_options():
    assert completed("ru") == ["run"]
    assert completed("report", "x.yaml", "--p") == ["--pdf"]
    assert completed("init", "--data", "") == ["mini", "digits", "cifar10", "folder", "arrays"]


def test_completion_of_keys():
    known = [*keys(Settings)]
    for command, section in REPETITIONS.items():
        known += keys(section, f"{command}.")
    assert completed("run", "--set", "") == [f"{key}=" for key in known]
    assert len(set(known)) == len(known)
    assert completed("run", "x.yaml", "--set", "train.e") == ["train.epochs="]
    assert completed("run", "--set", "study.rules.m") == ["study.rules.majority="]
    assert completed("run", "--set", "data.r") == ["data.root=", "data.reencoded="]


def test_completion_of_experiment_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    for name in ("a.yaml", "b.yml", "c.txt", ".hidden.yaml", "configs/d.yaml", "configs/e.md"):
        (tmp_path / name).touch()
    assert completed("run", "") == ["a.yaml", "b.yml", "configs/d.yaml"]
    assert completed("status", "configs/") == ["configs/d.yaml"]
    assert completed("train", f"{tmp_path}/a") == [f"{tmp_path}/a.yaml"]
    assert completed("run", "nowhere/") == []


def test_completion_of_directories():
    complete = ShellComplete(main, {}, "mini-exp", "_MINI_EXP_COMPLETE")
    assert [item.type for item in complete.get_completions(["show"], "res")] == ["dir"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_MINI_EXP_COMPLETE={shell}_complete" in result.stdout


def test_completion_of_keys_adds_no_blank():
    scripts = [CliRunner().invoke(main, ["completion", shell]).stdout for shell in ("bash", "zsh")]
    assert "compopt -o nospace" in scripts[0]
    assert 'end=(-S ""); compadd' in scripts[1]


BASH = """
eval "$(mini-exp completion bash)"
compopt() { echo "compopt $1 $2"; }  # works only while a shell completes
COMP_WORDS=(mini-exp run --set width.so) COMP_CWORD=3
_mini_exp_completion mini-exp
echo "${COMPREPLY[@]}"
complete -p mini-exp
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_completion_in_bash(environment, tmp_path):
    program = tmp_path / "mini-exp"
    program.write_text(f"#!{sys.executable}\nfrom mini_exp.cli import main\nmain()\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH],
        env={**environment, "PATH": f"{tmp_path}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "compopt -o nospace",
        "width.solver=",
        "complete -o nosort -F _mini_exp_completion mini-exp",
    ]
