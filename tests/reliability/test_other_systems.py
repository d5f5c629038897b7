"""Windows and macOS, simulated by leaving out what they have not: run, study, save_pruned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, experiment_file

# No signal masks, no file modes of users, no fsync of folders, no bound processors.
WINDOWS = """
import os
import signal

for module, names in (
    (signal, ("pthread_sigmask", "sigwait", "pthread_kill", "sigpending")),
    (os, ("sched_getaffinity", "geteuid", "killpg", "setsid", "fchmod")),
):
    for name in names:
        delattr(module, name)

real_open = os.open


def opened(path, flags, *more, **named):
    if isinstance(path, (str, os.PathLike)) and os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return real_open(path, flags, *more, **named)


os.open = opened
"""
MACOS = """
import os

del os.sched_getaffinity
"""
COMMAND = """
if __name__ == "__main__":
    from mini_exp.cli import main

    main()
"""
SAVE = """
import torch
from torch import nn
from mini_exp import load_pruned, prune, save_pruned

network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
x = torch.randn(50, 5, generator=torch.Generator().manual_seed(0))
smaller, selection = prune(network, [x], keep=0.5)
save_pruned(smaller, selection, "pruned")
again, _ = load_pruned(network, "pruned")
print(torch.equal(again(x), smaller(x)))
"""
SYSTEMS = {"Windows": WINDOWS, "macOS": MACOS}
STUDY = ("--replicates", "50", "--workers", "1")


def executed(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(script, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "system", [pytest.param("Windows"), pytest.param("macOS", marks=pytest.mark.long)]
)
def test_steps_run(tmp_path: Path, system, tried) -> None:
    experiment_file(tmp_path / "quick.yaml", variants={"corrected": {}})
    for command in ("gen-mini", "train", "status"):
        done = executed(tmp_path, SYSTEMS[system] + COMMAND, command, "quick.yaml")
        assert (done.returncode, done.stderr) == (0, "")
    tried(f"{system}'s missing calls: steps", "success")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_pruned_network_is_saved(tmp_path: Path, system, tried) -> None:
    done = executed(tmp_path, SYSTEMS[system] + SAVE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    tried(f"{system}'s missing calls: save_pruned", "success")


@pytest.mark.long
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_study_runs(tmp_path: Path, system, tried) -> None:
    study = {"n_population": 200, "rho_num": 2, "resamples": 2}
    experiment_file(tmp_path / "quick.yaml", variants={"corrected": {}}, study=study)
    without_drawing = "\nimport tests.blank_figures as b\nb.leave_out_drawing(setattr)\n"
    script = SYSTEMS[system] + without_drawing + COMMAND
    done = executed(tmp_path, script, "study", "quick.yaml", *STUDY)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "results" / "quick" / "study" / "claims.md").is_file()
    tried(f"{system}'s missing calls: study", "success")
