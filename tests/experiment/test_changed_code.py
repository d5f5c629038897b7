"""Changed code runs a step again."""

import json

import pytest

from mini_exp.experiment.freshness import Snapshot
from mini_exp.experiment.sequence import jobs_of
from mini_exp.settings.reading import load_config
from tests.digits import digits_file
from tests.experiment.running import manifest, steps_run, succeeded


def test_changed_code_makes_a_step_stale(small):
    path = small.directory / "manifest.json"
    content = manifest(small)
    content["steps"]["published/select"]["code"]["spectral.greedy"] = "0" * 64
    path.write_text(json.dumps(content), encoding="utf-8")
    lines = succeeded(small("status")).stdout.splitlines()
    assert "the code in spectral.greedy changed" in lines[4]
    assert steps_run(succeeded(small("run")).stdout) == {("published", "select")}


@pytest.mark.parametrize(
    ("step", "modules"),
    [
        ("gen-mini", {"tasks.mini.data", "seeds"}),
        ("train", {"tasks.mini.network", "tasks.mini.training", "seeds"}),
        ("covariance", {"tasks.mini.network", "pruning.moments", "spectral.second_moment"}),
        (
            "estimate-width",
            {"spectral.width", "spectral.published", "spectral.degrees_of_freedom"},
        ),
        ("select", {"spectral.greedy", "spectral.reconstruction", "pruning.compression"}),
        ("finetune", {"tasks.mini.network", "tasks.mini.training", "tasks.mini.data", "seeds"}),
    ],
)
def test_fingerprint_covers_the_code_of_a_step(tiny, step, modules):
    code = manifest(tiny)["steps"][f"published/{step}"]["code"]
    own = {"gen-mini": "data"}.get(step, step.replace("-", "_"))
    assert modules | {f"steps.{own}", "tasks.mini.task"} <= set(code)


def test_fingerprint_of_the_report_covers_its_code_and_templates(tiny):
    code = manifest(tiny)["steps"]["report"]["code"]
    assert {"steps.report", "report.mini", "report.tables", "report.drawing"} <= set(code)
    assert {"report/templates/mini.md", "report/drawing.mplstyle"} <= set(code)


@pytest.mark.parametrize(
    ("step", "modules"),
    [
        ("load-images", {"tasks.images.digits", "tasks.images.splits"}),
        ("train", {"tasks.images.networks", "tasks.images.training"}),
        ("select", {"tasks.images.networks", "pruning.operations.convolution"}),
        ("report", {"report.images", "tasks.images.digits", "report/templates/images.md"}),
    ],
)
def test_fingerprint_covers_the_code_of_images(tmp_path, step, modules):
    config = load_config(digits_file(tmp_path / "digits.yaml"))
    job = next(job for job in jobs_of(config) if job.name == step)
    assert modules <= set(Snapshot(config, tmp_path / "digits").fingerprint(job).code)
