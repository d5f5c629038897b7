"""Results of version 0.1: recognised, named as such, made anew; nothing is lost."""

import json

import pytest

from tests.experiment.running import STEPS, VARIANTS, manifest, steps_run, succeeded


@pytest.fixture
def old(small):
    """Results with a manifest as version 0.1 wrote it."""
    content = manifest(small) | {"version": 1}
    for record in content["steps"].values():
        del record["version"]
        record["code"] = {"steps.train": "0" * 64}
    for made in content["environments"].values():
        made["mini_exp"] = "0.1.0"
    (small.directory / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return small


def test_status_names_the_version_of_every_step_and_writes_nothing(old):
    before = old.identities()
    lines = succeeded(old("status")).stdout.splitlines()
    assert len(lines) == len(VARIANTS) * len(STEPS) + 1
    assert all(line.endswith("stale     (made by mini-exp 0.1)") for line in lines)
    assert old.identities() == before


def test_run_makes_every_step_anew_and_keeps_the_manifest(old, small_finished):
    before = (old.directory / "manifest.json").read_bytes()
    result = succeeded(old("run"))
    assert steps_run(result.stdout) == {
        ("", "report"),
        *((variant, step) for variant in VARIANTS for step in STEPS),
    }
    assert "(made by mini-exp 0.1)" in result.stdout
    assert (old.directory / "manifest-1.json").read_bytes() == before
    assert manifest(old)["version"] == 2
    digests = old.digests()
    del digests["small/manifest-1.json"]
    assert digests == small_finished.digests()


def test_a_step_alone_leaves_the_others_marked(old):
    succeeded(old("gen-mini"))
    lines = succeeded(old("status")).stdout.splitlines()
    assert lines[0].endswith("fresh")
    assert lines[1].endswith("(made by mini-exp 0.1)")
    assert lines[-1].endswith("(made by mini-exp 0.1)")


def test_a_command_refuses_inputs_of_the_version_before(old):
    result = old("finetune")
    assert result.exit_code == 1
    assert "the results of gen-mini are stale: made by mini-exp 0.1" in result.stderr
