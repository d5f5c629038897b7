"""A new set of images is one file with an `ImageData` and one line in `tasks.DATA`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# The file:
TINY = '''
from typing import ClassVar, Literal

import numpy as np

from mini_exp.tasks.images.image_data import ImageData, Images


class Tiny(ImageData):
    """Noise whose mean is the class."""

    shape: ClassVar[tuple[int, int, int]] = (3, 16, 16)

    kind: Literal["tiny"] = "tiny"
    noise: int = 20

    def load(self, rng: np.random.Generator) -> tuple[Images, Images]:
        labels = np.arange(200) % 10
        pixels = 20 * labels[:, None, None, None] + rng.integers(0, self.noise, (200, *self.shape))
        images = pixels.astype(np.uint8)
        return Images(images[:150], labels[:150]), Images(images[150:], labels[150:])

    @property
    def source(self) -> str:
        return "noise"
'''

# The line, before the settings are imported:
LINE = """
import mini_exp.tasks
from tiny import Tiny

mini_exp.tasks.DATA += (Tiny,)
"""

# What then is printed, with a set beside it that no network takes:
TELL = """
import json
from pathlib import Path
from typing import ClassVar, Literal


class Odd(Tiny):
    shape: ClassVar[tuple[int, int, int]] = (1, 4, 4)

    kind: Literal["odd"] = "odd"


mini_exp.tasks.DATA += (Odd,)

from mini_exp.errors import ConfigError
from mini_exp.settings.reading import load_config
from mini_exp.settings.schema import experiment_schema
from mini_exp.settings.starter import starter_text
from mini_exp.tasks.task import task_of

config = load_config(Path("tiny.yaml"))
refusals = {}
for kind in ("huge", "odd"):
    try:
        load_config(Path("tiny.yaml"), [f"data.kind={kind}"])
    except ConfigError as error:
        refusals[kind] = str(error)
Path("starter.yaml").write_text(starter_text("starter.yaml", "tiny"), encoding="utf-8")
samples = task_of(config.first.data).samples(config.first.data, config.first.seed)
told = {
    "settings": config.first.model_dump(mode="json"),
    "compared": config.compare is not None,
    "refusals": refusals,
    "starter": load_config(Path("starter.yaml")).first.model_dump(mode="json"),
    "schema": experiment_schema(),
    "shapes": {split: x.shape for split, (x, _) in samples.items()},
}
print(json.dumps(told))
"""

# What then is run:
RUN = """
from mini_exp.cli import main

main(["run", "tiny.yaml", "--quiet"])
"""
FILE = {"name": "tiny", "data": {"kind": "tiny", "n_validation": 30}, "variants": {"half": {}}}
SMALL = {
    "model": {"kind": "resnet", "depth": 8},
    **{"train": {"epochs": 1}, "finetune": {"epochs": 1}},
    **{"covariance": {"n_samples": 30, "flattened": False}, "width": {"rho": {"num": 2}}},
}


def executed(
    folder: Path, script: str, environment: dict[str, str], **settings: object
) -> subprocess.CompletedProcess[str]:
    """A process that has the new data set."""
    (folder / "tiny.py").write_text(TINY, encoding="utf-8")
    (folder / "script.py").write_text(LINE + script, encoding="utf-8")
    (folder / "tiny.yaml").write_text(json.dumps({**FILE, **settings}), encoding="utf-8")
    command = [sys.executable, str(folder / "script.py")]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> dict[str, Any]:
    done = executed(tmp_path_factory.mktemp("tiny"), TELL, environment)
    assert (done.returncode, done.stderr) == (0, "")
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_its_settings_are_read(told):
    assert told["settings"]["data"] == {
        **{"kind": "tiny", "n_train": None, "n_validation": 30},
        "noise": 20,
    }


def test_it_has_the_defaults_of_images_and_the_first_network_that_fits(told):
    assert told["settings"]["model"] == {"kind": "resnet", "depth": 20}
    assert told["settings"]["width"]["choose"] == {"keep": 0.5}
    assert told["compared"]


def test_a_refusal_names_it(told):
    assert told["refusals"]["huge"] == (
        "--set: data.kind: expected mini, digits, cifar10, folder, arrays, tiny or odd, got 'huge'"
    )


def test_samples_that_no_network_takes_are_refused(told):
    assert told["refusals"]["odd"] == (
        "tiny.yaml: model.kind: expected a network for samples of shape (1, 4, 4) for odd, got "
        "'mlp'"
    )


def test_init_writes_a_file_for_it(told):
    assert told["starter"]["data"]["kind"] == "tiny"
    assert told["starter"]["model"] == told["settings"]["model"]


def test_editors_know_it(told):
    assert set(told["schema"]["$defs"]["Tiny"]["properties"]) == set(told["settings"]["data"])


def test_its_samples_are_split(told):
    assert told["shapes"] == {
        "train": [120, 3, 16, 16],
        "validation": [30, 3, 16, 16],
        "test": [50, 3, 16, 16],
    }


def test_an_experiment_on_it_runs(tmp_path, environment):
    done = executed(tmp_path, RUN, environment, **SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "noise" in (tmp_path / "results" / "tiny" / "report.md").read_text(encoding="utf-8")
