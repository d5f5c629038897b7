"""Results of small experiments on MINI and on digits, and those that the repository holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mini_exp.errors import ArtifactError
from mini_exp.results import Variant
from mini_exp.results.comparison import COMPARISON
from mini_exp.results.study import STUDY
from tests.conftest import ROOT, Project, stub
from tests.digits import digits_file

STAGES = ("original", "compressed", "finetuned")
# From every file of a variant to an attribute that reads it.
ATTRIBUTES = {
    "dataset.npz": "tensors",
    "original.safetensors": "original",
    "history.csv": "history",
    "covariance.npz": "eigenvalues",
    "widths.csv": "widths",
    "selection.json": "selection",
    "compressed.safetensors": "compressed",
    "finetuned.safetensors": "finetuned",
    "finetune_history.csv": "finetune_history",
    "evaluation.csv": "evaluation",
}
MAKE_IT = "make it with `mini-exp run` and the experiment's file"


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small experiment on digits, not drawn. Only to be looked at: every test shares it."""
    folder = tmp_path_factory.mktemp("digits")
    project = Project(digits_file(folder / "digits.yaml"), folder / "results")
    with pytest.MonkeyPatch.context() as patch:
        stub(patch)
        result = project("run")
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture(params=["tiny", "digits"])
def project(request: pytest.FixtureRequest) -> Project:
    """An experiment of either kind."""
    project: Project = request.getfixturevalue(request.param)
    return project


@pytest.fixture
def copied(project: Project, tmp_path: Path) -> Path:
    """A copy of its results."""
    return shutil.copytree(project.directory, tmp_path / project.config.stem)


@pytest.fixture(params=["mini", "digits", "cifar10"])
def committed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Of a reference run, what the repository holds: neither artifacts nor manifest."""
    source, folder = ROOT / "results" / request.param, tmp_path / request.param
    extra = [f"study/{name}" for name in STUDY if name != "replicates.csv"]
    extra += [f"compare/{name}" for name in COMPARISON]
    for name in ("config.yaml", "table1.csv", *extra):
        if (source / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / name)
    return folder


def reader(variant: Variant, file: str) -> Callable[[], Any]:
    """Asks for the attribute that reads a file."""
    return lambda: getattr(variant, ATTRIBUTES[file])


def refused(attribute: Callable[[], Any], *texts: str) -> None:
    """One line that names the file and what makes it."""
    with pytest.raises(ArtifactError) as caught:
        attribute()
    message = str(caught.value)
    assert "\n" not in message
    for text in texts:
        assert text in message
    assert message.count("make it with") == 1
