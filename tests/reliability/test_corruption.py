"""Every kind of damage to every kind of file is named, and repaired or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mini_exp.experiment.sequence import ARTIFACTS
from tests.conftest import Project


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(path: Path) -> None:
    other = path.with_name("evaluation.csv" if path.name != "evaluation.csv" else "widths.csv")
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [truncate, empty, flip, swap, Path.unlink])
@pytest.mark.parametrize("file", ARTIFACTS)
def test_a_run_repairs(small: Project, tried, file: str, damage) -> None:
    expected = small.digests()
    damage(small.directory / "published" / file)
    status = small("status").output
    assert file in status or damage is swap
    result = small("run")
    assert result.exit_code == 0, result.output
    assert small.digests() == expected
    tried(f"{damage.__name__} an artifact", "named by status; run repairs it to the same bytes")


@pytest.mark.parametrize("damage", [truncate, empty, flip])
def test_report_refuses_a_damaged_input(small: Project, tried, damage) -> None:
    before = (small.directory / "report.md").read_bytes()
    damage(small.directory / "published" / "evaluation.csv")
    result = small("report")
    assert result.exit_code == 1
    assert "published" in result.stderr
    assert "evaluation.csv" in result.stderr
    assert "mini-exp finetune" in result.stderr
    assert (small.directory / "report.md").read_bytes() == before
    tried(f"{damage.__name__} an artifact, then report alone", "refused, names file and command")


def test_a_directory_in_a_file_s_place(small: Project, tried) -> None:
    directory(small.directory / "published" / "widths.csv")
    result = small("run")
    assert result.exit_code == 1
    assert "widths.csv" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    tried("a directory in an artifact's place", "one line, exit 1")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 99, "steps": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1, "steps": {"published/train": 3}}',
        b'{"version": 1, "steps": {"published/train": {"outputs": {"../../x": "0"}}}}',
    ],
)
def test_a_damaged_manifest(small: Project, tried, content: bytes) -> None:
    manifest = small.directory / "manifest.json"
    expected = small.digests()
    manifest.write_bytes(content)
    for command in ("status", "run", "train"):
        result = small(command)
        assert result.exit_code == 1
        assert "manifest.json: damaged, or of another version" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert small.digests() == expected
    manifest.unlink()  # what the message says to do
    assert small("run").exit_code == 0
    assert small.digests() == expected
    tried("a damaged, foreign or empty manifest", "refused, named; without it run starts anew")


def test_results_of_another_experiment(small: Project, tmp_path: Path, tried) -> None:
    """A copied variant folder is no result of this one."""
    expected = small.digests()
    published = small.directory / "published"
    shutil.rmtree(published)
    shutil.copytree(small.directory / "corrected_bias", published)
    assert small("run").exit_code == 0
    assert small.digests() == expected
    tried("a folder replaced by another variant's", "run repairs it to the same bytes")
