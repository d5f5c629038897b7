"""A network and a folder of your own, through the six steps."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from mini_exp import load_results
from tests.tasks.own.examples import NETWORK, mini_exp, write_config, write_folders

GROUPS = {"features.0": 8, "features.4": 16, "classifier.0": 16}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 60 images, 42 to train with; only to be looked at."""
    folder = tmp_path_factory.mktemp("own")
    write_folders(folder)
    config = write_config(
        folder,
        train={"epochs": 4, "learning_rate": 0.01},
        variants={"half": {}, "budget": {"width": {"choose": {"parameters": 0.5}}}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = mini_exp("run", config.name)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, and the current directory."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder, copy_function=shutil.copy2)
    monkeypatch.chdir(folder)
    return folder


def test_the_images_are_split_by_class(finished):
    with np.load(finished / "results" / "own" / "half" / "dataset.npz") as file:
        sizes = {
            split: np.bincount(file[f"y_{split}"]) for split in ("train", "validation", "test")
        }
        assert file["X_train"].shape == (34, 3, 16, 16)
    assert sizes["test"].tolist() == [6, 6, 6]
    assert (sizes["train"] + sizes["validation"]).tolist() == [14, 14, 14]
    assert sizes["validation"].max() - sizes["validation"].min() <= 1


def test_half_of_every_group_is_kept(here):
    selection = json.loads((here / "results/own/half/selection.json").read_text())
    widths = {one["layer"]: len(one["indices"]) for one in selection["layers"]}
    assert len(widths) == len(GROUPS)
    variant = load_results("results/own")["half"]
    kept = {kept.group.name: kept.width for kept in variant.selection.values()}
    assert kept == {name: width // 2 for name, width in GROUPS.items()}


def test_the_smaller_network_loads_and_gives_the_recorded_accuracy(here):
    variant = load_results("results/own")["half"]
    x, y = variant.tensors["test"]
    with torch.no_grad():
        accuracy = (variant.finetuned(x).argmax(dim=1) == y).double().mean().item()
    rows = variant.evaluation
    (row,) = rows[(rows["stage"] == "finetuned") & (rows["split"] == "test")].itertuples()
    assert row.accuracy == accuracy


def test_the_inputs_are_pixels_over_255(here):
    variant = load_results("results/own")["half"]
    x, _ = variant.tensors["test"]
    pixels = variant.dataset["test"][0]
    assert torch.equal(x, torch.from_numpy(pixels).float() / 255)


def test_the_original_agrees_with_itself(finished):
    rows = pd.read_csv(finished / "results" / "own" / "half" / "evaluation.csv")
    original = rows[rows["stage"] == "original"]
    assert (original["divergence"] == 0).all()
    assert (original["agreement"] == 1).all()


def test_the_table_has_every_measure(finished):
    table = pd.read_csv(finished / "results" / "own" / "table1.csv")
    assert table[table["protocol"] == "half"]["measure"].tolist() == [
        *("test loss", "accuracy", "test divergence", "test agreement", "parameters"),
    ]


def test_the_report_says_how_the_network_is_loaded(finished):
    text = (finished / "results" / "own" / "report.md").read_text(encoding="utf-8")
    assert 'load_results("results/own")["half"].finetuned' in text


def test_a_second_run_does_nothing(here):
    lines = mini_exp("run", "own.yaml").stdout.splitlines()
    assert sum("fresh, skipped" in line for line in lines) == 13


@pytest.mark.parametrize(
    ("change", "first", "why"),
    [
        (
            lambda: Path("my_network.py").write_text(NETWORK + "# new"),
            "train",
            "the module my_network",
        ),
        (lambda: Path("train/apple/0.png").unlink(), "load-data", "data.train changed"),
        (lambda: Path("test/pear/new.png").write_bytes(b""), "load-data", "data.test changed"),
    ],
    ids=["the module", "an image less", "an image more"],
)
def test_a_changed_source_makes_stale_what_depends_on_it(here, change, first, why):
    change()
    states = [line.split(maxsplit=3) for line in mini_exp("status", "own.yaml").stdout.splitlines()]
    stale = next(state for state in states if state[2] == "stale")
    assert stale[1] == first
    assert why in stale[3]


def test_the_same_bytes_from_the_same_sources(here):
    half = here / "results" / "own" / "half"
    before = {path.name: path.read_bytes() for path in half.iterdir() if path.is_file()}
    assert mini_exp("run", "own.yaml", "--force").exit_code == 0
    assert {path.name: path.read_bytes() for path in half.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_given_weights_stay_as_they_are_without_training(here, ending):
    state = load_file("results/own/half/original.safetensors")
    if ending == "pt":
        torch.save(state, "w.pt")
    else:
        save_file(state, "w.safetensors")
    options = ("--set", "train.epochs=0", "--set", f"model.weights=w.{ending}")
    result = mini_exp("train", "own.yaml", *options)
    assert result.exit_code == 0, result.output
    again = load_file("results/own/half/original.safetensors")
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_nothing_is_imported_by_validate_and_it_says_what_will_be(here):
    Path("my_network.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    result = mini_exp("validate", "own.yaml")
    assert result.exit_code == 0
    said = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert said == [
        f"# run imports my_network, from {os.path.abspath('my_network.py')}, and calls build"  # noqa: PTH100
    ]
