"""`make gpu-check` with a fake device: what is run, what is kept, what a failure does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from mini_exp.settings.reading import load_config
from scripts import gpu_check
from scripts.gpu_check import checks, main, run_checks
from tests.conftest import ROOT

NAMES = [
    *("tests", "study", "compare_float32", "compare_bfloat16"),
    *("pruning_float32", "pruning_bfloat16"),
]


class Runs:
    """Keeps the commands that it is given; those with a word of ``failing`` end with 3."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        self.commands.append(command)
        text = " ".join(command)
        return (
            3 if any(word in text for word in self.failing) else 0
        ), f"ran {len(self.commands)}\n"


def test_without_a_device_nothing_is_run(tmp_path: Path, capsys) -> None:
    runs = Runs()
    assert run_checks("cuda", 50, lambda: None, runs, tmp_path / "gpu") == 1
    assert runs.commands == []
    assert not (tmp_path / "gpu").exists()
    assert capsys.readouterr().err == (
        "gpu-check: PyTorch finds no CUDA device here; nothing was run\n"
    )


def test_everything_is_run_and_what_it_prints_is_kept(tmp_path: Path, capsys) -> None:
    runs = Runs()
    assert run_checks("cuda", 50, lambda: "Fake 100", runs, tmp_path) == 0
    assert [check.name for check in checks("cuda", 50)] == NAMES
    assert runs.commands == [check.command for check in checks("cuda", 50)]
    for i, name in enumerate(NAMES, start=1):
        assert (tmp_path / f"{name}.txt").read_text() == f"ran {i}\n"
    text = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert text.startswith("# On Fake 100\n")
    assert text.count("ended well") == len(NAMES)
    assert capsys.readouterr().out.endswith("gpu-check: all ended well\n")


def test_a_failure_keeps_no_other_check_from_being_run(tmp_path: Path, capsys) -> None:
    runs = Runs("study configs", "bfloat16")
    assert run_checks("cuda", 50, lambda: "Fake 100", runs, tmp_path) == 1
    assert len(runs.commands) == len(NAMES)
    assert (tmp_path / "gpu.md").read_text(encoding="utf-8").count("exit code 3") == 3
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "gpu-check: study, compare_bfloat16, pruning_bfloat16 failed"


def test_every_command_is_one_that_the_command_line_takes() -> None:
    for check in checks("cuda:1", 50):
        assert "cuda:1" in check.command or check.name == "tests"
        if check.name.startswith(("study", "compare")):
            command = list(check.command)
            overrides = [command[i + 1] for i, word in enumerate(command) if word == "--set"]
            config = load_config(ROOT / command[4], [*overrides, "device=cuda:1"])
            assert config.first.device == "cuda:1"
    names = {"compare_float32": "full", "compare_bfloat16": "bfloat16"}
    for check in checks("cuda", 50):
        if check.name in names:
            command = list(check.command)
            overrides = [command[i + 1] for i, word in enumerate(command) if word == "--set"]
            config = load_config(ROOT / command[4], overrides)
            assert config.name == f"cifar10_{check.name.removeprefix('compare_')}"
            assert config.first.train.precision == names[check.name]


def test_output_is_kept_and_shown(capsys) -> None:
    import sys

    code, output = gpu_check.executed(
        [sys.executable, "-c", "import sys; print('out'); sys.stdout.flush(); sys.exit('err')"]
    )
    assert (code, output) == (1, "out\nerr\n")
    assert capsys.readouterr().out == output


@pytest.mark.parametrize("form", ["float32", "bfloat16"])
def test_pruning_is_timed_in_every_form(monkeypatch, capsys, form) -> None:
    """On the CPU in the device's place, with few images and a small network."""
    monkeypatch.setattr(gpu_check, "N_IMAGES", 8)
    monkeypatch.setattr(gpu_check, "BATCH", 4)
    monkeypatch.setattr(gpu_check, "REPEATS", 1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3), torch.nn.Flatten()
    )
    monkeypatch.setattr(gpu_check, "PRUNED", {"small": lambda: network})
    assert main(["--device", "cpu", "--pruning", form]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"small, {form}: cpu ")
    assert line.endswith("1 of 1 index sets are the same\n")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_where_there_is_no_gpu_the_command_says_so(capsys) -> None:
    assert main([]) == 1
    assert "finds no CUDA device here" in capsys.readouterr().err
