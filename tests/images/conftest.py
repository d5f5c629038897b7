"""A small experiment on digits with its comparison, run once per session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import Project

SETTINGS = {
    "seed": 3,
    "data": {"kind": "digits", "n_train": 200, "n_validation": 50},
    "train": {"epochs": 2},
    "covariance": {"n_images": 60, "batch_size": 25},
    "width": {"rho": {"start": 1, "stop": 10, "num": 3}},
    "finetune": {"epochs": 1},
    "variants": {
        "half": {"width": {"choose": {"keep": 0.5}}},
        "budget": {"width": {"choose": {"parameters": 0.3}}},
    },
    "compare": {"networks": 2, "keep": [0.5], "parameters": [0.3], "flops": [0.4]},
}


def digits_file(path: Path, **changes: object) -> Path:
    """An experiment on digits."""
    settings = {"name": path.stem, **SETTINGS, **changes}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def compared_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Only to be looked at: every test shares it."""
    folder = tmp_path_factory.mktemp("digits")
    project = Project(digits_file(folder / "small_digits.yaml"), folder / "results")
    result = project("compare")
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture
def compared(compared_once: Project, tmp_path: Path) -> Project:
    """A copy."""
    shutil.copytree(compared_once.results, tmp_path / "results")
    return Project(compared_once.config, tmp_path / "results")
