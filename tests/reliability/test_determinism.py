"""The same config gives the same bytes: twice, with other threads, with another hash seed."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project, stub


def threads(number: int) -> dict[str, str]:
    return dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(number)
    )


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="again", marks=pytest.mark.long),
        pytest.param(threads(1), id="1 thread", marks=pytest.mark.long),  # as `make` has it
        pytest.param(threads(2), id="2 threads", marks=pytest.mark.long),
        pytest.param({"PYTHONHASHSEED": "1"}, id="hash seed 1", marks=pytest.mark.long),
        pytest.param(
            {"PYTHONHASHSEED": "2", "PYTHONOPTIMIZE": "1"}, id="hash seed 2", marks=pytest.mark.long
        ),
    ],
)
def test_same_bytes(tiny: Project, tmp_path: Path, environment, tried, env) -> None:
    project = Project(tiny.config, tmp_path)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "mini_exp",
            "run",
            str(project.config),
            "--results",
            str(tmp_path),
            "--quiet",
        ],
        env=environment | env,
        check=True,
    )
    assert project.digests() == tiny.digests()
    tried("another process, 1 or 2 threads, other hash seeds", "same bytes")


def test_the_reference_run(tmp_path: Path, monkeypatch, tried) -> None:
    """Table 1 of configs/mini.yaml is the committed one, up to what machines may differ in.

    Matrix products differ in the last bit between processors, and 200 epochs of Adam amplify that.
    How far is not known: on the machine of the reference run the bytes agree, and 1e-6 relative is
    a guess for others. An accuracy may move by one sample that sits on the boundary.
    """
    stub(monkeypatch)
    result = Project(ROOT / "configs" / "mini.yaml", tmp_path)("run")
    assert result.exit_code == 0, result.output

    def rows(path: Path) -> list[dict[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    expected = rows(ROOT / "results" / "mini" / "table1.csv")
    found = rows(tmp_path / "mini" / "table1.csv")
    assert [(r["protocol"], r["measure"], r["n"]) for r in found] == [
        (r["protocol"], r["measure"], r["n"]) for r in expected
    ]
    for now, then in zip(found, expected, strict=True):
        for stage in ("original", "compressed", "finetuned"):
            if "loss" in now["measure"]:
                assert float(now[stage]) == pytest.approx(float(then[stage]), rel=1e-6)
            else:
                one = 1.5 / float(now["n"])
                assert float(now[stage]) == pytest.approx(float(then[stage]), abs=one)
    tried("the reference run, repeated", "Table 1 agrees to 1e-6")
