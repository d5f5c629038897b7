"""`scripts/explore_results.py` runs on every kind of results."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mini_exp
from tests.conftest import ROOT, Project
from tests.results.conftest import STAGES

SCRIPT = ROOT / "scripts" / "explore_results.py"


def test_the_example_runs(tiny: Project, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tiny.directory)],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    check_example(done.stdout, tiny)
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 60


def test_the_example_runs_on_images(digits: Project, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(digits.directory)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    check_example(capsys.readouterr().out, digits)


def check_example(output: str, project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    variant = results[results.variants[-1]]
    assert output.startswith(f"{results}\n\nMore of {variant.name}\n")
    errors = re.findall(r"^layer \S+: N\(λ\) from [\d.]+ to [\d.]+, error (\S+)$", output, re.M)
    assert len(errors) == len(variant.selection)
    assert max(map(float, errors)) < 1e-9
    accuracies = re.findall(r"^(\w+): accuracy (\S+), Table 1 has (\S+)$", output, re.M)
    assert [stage for stage, _, _ in accuracies] == list(STAGES)
    assert all(measured == printed for _, measured, printed in accuracies)
    for layer, kept in variant.selection.items():
        line = rf"^layer {re.escape(layer)}: keeps {len(kept.index_set)} units, 𝒞 = [\d.]+: "
        assert re.search(line + re.escape(str(kept.index_set.tolist())), output, re.M)


def test_the_example_says_what_is_missing(committed: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(committed)])
    with pytest.raises(SystemExit, match=r"cannot be read.*mini-exp run"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "Table 1" in capsys.readouterr().out
