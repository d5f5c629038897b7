"""What the manifest of a run says, and runs beside a manifest that is spoilt."""

import hashlib
import importlib.metadata
import os
import platform
import re

import pytest

from mini_exp import __version__
from tests.experiment.running import MAKERS, STEPS, VARIANTS, failed, manifest, succeeded


def test_manifest_has_the_provenance(tiny):
    content = manifest(tiny)
    assert content["name"] == "tiny"
    assert content["seeds"] == dict.fromkeys(VARIANTS, 1701)
    steps = {"report", *(f"{name}/{step}" for name in VARIANTS for step in STEPS)}
    assert set(content["steps"]) == steps
    for record in content["steps"].values():
        made = content["environments"][record["environment"]]
        assert made["python"] == platform.python_version()
        for package in ("numpy", "scipy", "torch", "pandas", "matplotlib"):
            assert made[package] == importlib.metadata.version(package)
        assert made["mini_exp"] == __version__
        assert made["cores"] == os.cpu_count()
        assert {"platform", "omp_num_threads", "git_revision", "git_dirty"} <= set(made)
        assert record["seconds"] >= 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["finished"])


def test_manifest_has_the_sha256_of_every_file(tiny):
    hashes = {}
    for key, record in manifest(tiny)["steps"].items():
        folder = tiny.directory / key.rpartition("/")[0]
        hashes |= {folder / file: digest for file, digest in record["outputs"].items()}
    found = {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tiny.paths()
        if path.name != "manifest.json"
    }
    assert hashes == found


def test_manifest_has_the_hashes_of_the_inputs(tiny):
    steps = manifest(tiny)["steps"]
    for variant in VARIANTS:
        for step in STEPS:
            for file, digest in steps[f"{variant}/{step}"]["inputs"].items():
                assert steps[f"{variant}/{MAKERS[file]}"]["outputs"][file] == digest


@pytest.mark.parametrize(
    "content",
    [
        *("", "garbage", "[]", "null", '{"version": 99, "steps": {}}'),
        *('{"version": 2, "steps": []}', '{"version": 1, "steps": {"published/train": 5}}'),
        '{"version": 1, "steps": {"published/gen-mini": {}}}',
        '{"version": 1, "steps": {"published/gen-mini": {"outputs": {}}}}',
        "\x00\xff",
    ],
    ids=repr,
)
@pytest.mark.parametrize("command", ["status", "gen-mini", "run"])
def test_damaged_manifest_is_one_clear_line(small, command, content):
    path = small.directory / "manifest.json"
    path.write_bytes(content.encode("latin-1"))
    before = small.identities()
    message = failed(small(command, *(["--set", "seed=2"] if command != "status" else [])))
    assert str(path) in message
    assert "delete it" in message
    assert small.identities() == before


def test_run_after_the_manifest_is_deleted_makes_the_same_bytes(small, small_finished):
    (small.directory / "manifest.json").unlink()
    succeeded(small("run"))
    assert small.digests() == small_finished.digests()
