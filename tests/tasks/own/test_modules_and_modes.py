"""What is read of images in every mode, and which module makes the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from tests.tasks.own.examples import NETWORK, mini_exp, write_config, write_folders

ARRAYS = {"kind": "arrays", "train": "x.npz"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("mode", "shape"), [("L", 1), ("RGBA", 3), ("P", 3), ("1", 1), ("CMYK", 3)]
)
def test_images_of_every_mode_are_read(here, mode, shape):
    write_folders(here)
    write_config(
        here,
        data={"kind": "folder", "train": "train", "test": "test", "channels": shape},
        model={"kind": "python", "factory": "my_network:build", "arguments": {"channels": shape}},
    )
    ending = "tif" if mode == "CMYK" else "png"
    for path in sorted(Path("train").rglob("*.png")):
        image = Image.open(path).convert(mode)
        path.unlink()
        image.save(path.with_suffix(f".{ending}"))
    assert mini_exp("load-data", "own.yaml").exit_code == 0
    with np.load("results/own/half/dataset.npz") as file:
        assert file["X_train"].shape == (34, shape, 16, 16)


def test_transparent_images_are_read_without_a_warning(here):
    write_folders(here)
    write_config(here)
    for path in sorted(Path("train").rglob("*.png")):
        image = Image.open(path).convert("P")
        image.save(path, transparency=bytes(range(256)))
    result = mini_exp("load-data", "own.yaml")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_module_of_another_directory_is_not_taken_for_this_one(here, monkeypatch):
    for name, width in (("one", 4), ("two", 6)):
        folder = here / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        np.savez("x.npz", x=np.zeros((20, 3, 8, 8)), y=np.arange(20) % 3)
        write_config(folder, data=ARRAYS, finetune={"epochs": 0})
        text = NETWORK.replace("width=8", f"width={width}")
        Path("my_network.py").write_text(text, encoding="utf-8")
        for command in ("load-data", "train"):
            assert mini_exp(command, "own.yaml").exit_code == 0
        state = load_file("results/own/half/original.safetensors")
        assert len(state["features.0.weight"]) == width


def test_a_module_that_was_changed_is_imported_anew(here):
    np.savez("x.npz", x=np.zeros((20, 3, 8, 8)), y=np.arange(20) % 3)
    write_config(here, data=ARRAYS, finetune={"epochs": 0})
    for width in (4, 6):
        text = NETWORK.replace("width=8", f"width={width}")
        Path("my_network.py").write_text(text, encoding="utf-8")
        for command in ("load-data", "train"):
            assert mini_exp(command, "own.yaml").exit_code == 0
        state = load_file("results/own/half/original.safetensors")
        assert len(state["features.0.weight"]) == width
