"""The manifest: what it says reads back, what cannot be one is refused, an earlier one is kept."""

import json

import pytest

from mini_exp.errors import ArtifactError
from mini_exp.experiment.manifest import (
    KEPT,
    MANIFEST,
    Manifest,
    Record,
    read_manifest,
    write_manifest,
)

RECORD = {
    "settings": {"seed": 1, "model": {"widths": [3, 2]}},
    "inputs": {"dataset.npz": None},
    "code": {"seeds": "ab"},
    "outputs": {"history.csv": "cd"},
    "seconds": 1 / 3,
    "finished": "2026-01-01T00:00:00Z",
    "environment": "ef",
}
FIRST = {  # as version 0.1 wrote it
    "version": 1,
    "name": "α",
    "seeds": {"v": 1},
    "environments": {"ef": {"mini_exp": "0.1.0"}},
    "steps": {"v/train": RECORD},
}


def manifest():
    return Manifest(
        name="α",
        seeds={"v": 1},
        environments={"ef": {"python": "3"}},
        steps={"v/train": Record(**RECORD, version=2)},
    )


def test_a_manifest_reads_back(tmp_path):
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()


def test_no_manifest_is_an_empty_one(tmp_path):
    assert read_manifest(tmp_path) == Manifest()
    assert list(tmp_path.iterdir()) == []


def test_environments_without_a_step_are_forgotten(tmp_path):
    other = manifest()
    other.environments["gh"] = {"python": "4"}
    write_manifest(tmp_path, other)
    assert read_manifest(tmp_path) == manifest()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000),
        b'{"version": 99, "steps": {}}',
        b'{"version": 1, "steps": []}',
        b'{"version": 2, "steps": {"a/b": 3}}',
        b'{"steps": {"a/b": {}}}',
        b'{"steps": {}, "unknown": 1}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"manifest.json: damaged, or of another version"):
        read_manifest(tmp_path)


def test_a_directory_in_its_place_is_refused(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(ArtifactError, match=r"manifest.json: cannot be read: Is a directory"):
        read_manifest(tmp_path)


# Of version 0.1


def test_an_earlier_manifest_is_told_from_the_present(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps(FIRST), encoding="utf-8")
    earlier = read_manifest(tmp_path)
    assert earlier.version == earlier.steps["v/train"].version == 1


def test_writing_keeps_an_earlier_manifest_beside_and_its_records_in_place(tmp_path):
    content = json.dumps(FIRST).encode()
    (tmp_path / MANIFEST).write_bytes(content)
    present = read_manifest(tmp_path)
    present.steps["v/covariance"] = Record(**RECORD, version=2)
    write_manifest(tmp_path, present)
    assert (tmp_path / KEPT).read_bytes() == content
    versions = {key: record.version for key, record in read_manifest(tmp_path).steps.items()}
    assert versions == {"v/train": 1, "v/covariance": 2}


def test_a_kept_manifest_is_written_once(tmp_path):
    content = json.dumps(FIRST).encode()
    (tmp_path / MANIFEST).write_bytes(content)
    present = read_manifest(tmp_path)
    for _ in range(2):
        write_manifest(tmp_path, present)
    assert (tmp_path / KEPT).read_bytes() == content
