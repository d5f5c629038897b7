"""Damaged and missing files are named, with the command that makes them."""

from __future__ import annotations

import io
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mini_exp
from mini_exp.errors import ArtifactError
from tests.conftest import Project
from tests.results.conftest import ATTRIBUTES, MAKE_IT, reader, refused


@pytest.mark.parametrize("file", ATTRIBUTES)
def test_a_file_that_the_manifest_does_not_know_is_refused(copied: Path, file: str) -> None:
    name, other = mini_exp.load_results(copied).variants
    path = copied / name / file
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[: len(content) // 2], bytes(flipped), content + b"\n", b""):
        path.write_bytes(damaged)
        results = mini_exp.load_results(copied)
        refused(reader(results[name], file), f"{path}: damaged or replaced", MAKE_IT)
        getattr(results[other], ATTRIBUTES[file])  # the other variant's is as it was
    path.unlink()
    results = mini_exp.load_results(copied)
    refused(reader(results[name], file), f"{path}: cannot be read", MAKE_IT)
    assert f"missing: {file}" in repr(results)


@pytest.mark.parametrize("file", ATTRIBUTES)
def test_hostile_files_are_refused_without_a_manifest_too(copied: Path, file: str) -> None:
    """Nothing is unpickled, no parser's own error comes out."""
    (copied / "manifest.json").unlink()
    name, other = mini_exp.load_results(copied).variants
    path = copied / name / file
    objects, mixed = io.BytesIO(), io.BytesIO()
    np.savez(objects, X_train=np.array([_Trap()]), sigma_1=np.array([_Trap()]), allow_pickle=True)
    np.savez(mixed, sigma_1=np.zeros(3), X_train=np.zeros(()))
    hostile = [
        b"",
        b"\xff\xfe\x00\x01" * 9,
        b'a,b\n1,2\n1,2,3\n"',
        pickle.dumps(_Trap()),
        objects.getvalue(),
        mixed.getvalue(),
        b'{"layers": [{"layer": 1}]}, {"groups": [',
        b"[" * 100_000,
        (copied / other / "selection.json").read_bytes()[:-20],
    ]
    for content in hostile:
        path.write_bytes(content)
        results = mini_exp.load_results(copied)
        if file.endswith(".csv") and content in hostile[-3:]:
            continue  # a table of one strange column, but a table
        refused(reader(results[name], file), f"{path}: cannot be parsed", MAKE_IT)


class _Trap:
    def __reduce__(self) -> Any:
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("file", ["original.safetensors", "finetuned.safetensors"])
def test_a_network_of_another_size_is_refused(copied: Path, file: str) -> None:
    (copied / "manifest.json").unlink()
    results = mini_exp.load_results(copied)
    name = results.variants[0]
    stage = "finetuned" if file.startswith("original") else "original"
    shutil.copy(copied / name / f"{stage}.safetensors", copied / name / file)
    refused(
        reader(results[name], file),
        f"{copied / name / file}: does not fit ",
        "Error(s) in loading state_dict",
        MAKE_IT,
    )


@pytest.mark.parametrize(
    ("project", "before", "after", "message"),
    [
        ("tiny", '"width": 8,', '"width": "8",', "cannot be parsed"),
        ("digits", '"width": 8,', '"width": 7,', "cannot be parsed"),
        (
            "tiny",
            '"layers.0.weight"',
            '"layers.9.weight"',
            "made for another network: expected layers.9",
        ),
        ("digits", '"conv1.weight"', '"conv9.weight"', "made for another network: expected conv9"),
    ],
    indirect=["project"],
)
def test_a_selection_that_does_not_belong_to_the_network_is_refused(
    copied: Path, before: str, after: str, message: str
) -> None:
    (copied / "manifest.json").unlink()
    name = mini_exp.load_results(copied).variants[0]
    selection = copied / name / "selection.json"
    selection.write_text(selection.read_text().replace(before, after))
    results = mini_exp.load_results(copied)
    refused(lambda: results[name].compressed, f"{selection}: {message}", MAKE_IT)


def test_samples_that_are_no_numbers_are_refused(copied: Path) -> None:
    (copied / "manifest.json").unlink()
    name = mini_exp.load_results(copied).variants[0]
    dataset = copied / name / "dataset.npz"
    with np.load(dataset) as arrays:
        objects = {key: value[..., None, None].astype("U3") for key, value in arrays.items()}
    np.savez(dataset, **objects)
    results = mini_exp.load_results(copied)
    refused(lambda: results[name].tensors, f"{dataset}: cannot be parsed", MAKE_IT)


def test_damage_outside_the_variants_is_named(copied: Path) -> None:
    for file in ("config.yaml", "table1.csv"):
        content = (copied / file).read_bytes()
        (copied / file).write_bytes(content[:-5])
        refused(
            lambda: mini_exp.load_results(copied).table1,
            f"{copied / file}: damaged or replaced",
            MAKE_IT,
        )
        (copied / file).write_bytes(content)
    (copied / "table1.csv").write_bytes(b"<script>")
    page = mini_exp.load_results(copied)._repr_html_()
    assert "table1.csv: damaged or replaced" in page
    assert "<script>" not in page
    (copied / "manifest.json").write_bytes(b"{")
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged"):
        mini_exp.load_results(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "empty; expected name and variants"),
        (b"\xff", "cannot be read"),
        (b"a: [1", "not valid YAML"),
        (b"name: x\nvariants: {a: {}}\nsed: 1\nsead: 2", "unknown key"),
        (b"name: !!python/object/apply:os.abort []", "not valid YAML"),
    ],
)
def test_without_settings_there_are_no_results(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    refused(lambda: mini_exp.load_results(tmp_path), str(path), message, MAKE_IT)


def test_a_file_or_nothing_is_not_a_directory(tiny: Project, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tiny.config):
        refused(lambda path=path: mini_exp.load_results(path), f"{path}: not a directory", MAKE_IT)
