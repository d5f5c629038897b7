"""The revision is that of the package's own checkout, or there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import mini_exp
from mini_exp.experiment import provenance

INSTALLED = f"installed, version {mini_exp.__version__}"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b")


def repository(folder: Path) -> str:
    """A repository with one commit, and its revision."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text("x")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True, env=clean)
    done = subprocess.run(
        [*GIT, "rev-parse", "HEAD"], cwd=folder, check=True, env=clean, capture_output=True
    )
    return done.stdout.decode().strip()


def revision(monkeypatch: pytest.MonkeyPatch, package: Path) -> str:
    monkeypatch.setattr(provenance, "PACKAGE", package)
    made_in = provenance.environment.__wrapped__()
    return str(made_in["git_revision"])


PROJECTS = {
    "an environment in a repository": (".venv/lib/python3.11/site-packages", None),
    "a repository that holds a copy": ("", None),
    "a copy beside somebody's project": ("", '[project]\nname = "theirs"\n'),
    "a copy below its root": ("vendored", '[project]\nname = "mini-exp"\n'),
    "a damaged project file": ("", "[project"),
}


@pytest.mark.parametrize("case", PROJECTS)
def test_the_revision_of_another_repository_is_not_taken(tmp_path, monkeypatch, case):
    inside, project = PROJECTS[case]
    repository(tmp_path)
    package = tmp_path / inside / "mini_exp"
    package.mkdir(parents=True)
    if project is not None:
        (package.parent / "pyproject.toml").write_text(project)
    assert revision(monkeypatch, package) == INSTALLED


def test_the_own_checkout_has_a_revision(tmp_path, monkeypatch):
    expected = repository(tmp_path)
    (tmp_path / "mini_exp").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mini-exp"\n')
    assert revision(monkeypatch, tmp_path / "mini_exp") == expected


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_variables_of_git_name_no_other_repository(tmp_path, monkeypatch, name):
    theirs = tmp_path / "theirs"
    other = repository(theirs)
    monkeypatch.setenv(name, str(theirs / ".git"))
    package = tmp_path / "site-packages" / "mini_exp"
    package.mkdir(parents=True)
    assert revision(monkeypatch, package) == INSTALLED
    own = tmp_path / "own"
    expected = repository(own)
    (own / "mini_exp").mkdir()
    (own / "pyproject.toml").write_text('[project]\nname = "mini-exp"\n')
    assert revision(monkeypatch, own / "mini_exp") == expected
    assert other
