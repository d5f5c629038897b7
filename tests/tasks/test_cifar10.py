"""Reading CIFAR-10."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mini_exp.tasks.images.cifar10_files import FILES, FOLDER, TRAINING_FILES, cifar10_images
from tests.tasks.cifar10_batches import CONTENTS, batch, error_line, written


def test_records_byte_by_byte(tmp_path: Path) -> None:
    train, test = cifar10_images(written(tmp_path))
    whole = b"".join(CONTENTS[name] for name in TRAINING_FILES)
    for images, content in ((train, whole), (test, CONTENTS["test_batch.bin"])):
        assert images.pixels.dtype == np.uint8
        assert images.labels.dtype == np.int64
        assert images.pixels.shape == (len(content) // 3073, 3, 32, 32)
        for i in range(len(images)):
            record = content[i * 3073 : (i + 1) * 3073]
            assert images.labels[i] == record[0]
            for channel, row, column in ((0, 0, 0), (0, 0, 31), (1, 5, 7), (2, 31, 0), (2, 31, 31)):
                expected = record[1 + 1024 * channel + 32 * row + column]
                assert images.pixels[i, channel, row, column] == expected
            assert images.pixels[i].tobytes() == record[1:]


def test_files_in_the_folder_of_the_archive(tmp_path: Path) -> None:
    written(tmp_path / FOLDER)
    assert cifar10_images(tmp_path)[1].pixels[0].tobytes() == CONTENTS["test_batch.bin"][1:3073]


def test_files_in_the_root_come_first(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path / FOLDER, dict.fromkeys(FILES, batch(99, 1)))
    assert len(cifar10_images(tmp_path)[1]) == len(CONTENTS["test_batch.bin"]) // 3073


@pytest.mark.parametrize("folder", [".", FOLDER])
def test_missing_files(tmp_path: Path, folder: str) -> None:
    written(tmp_path / folder)
    (tmp_path / folder / "data_batch_2.bin").unlink()
    (tmp_path / folder / "test_batch.bin").unlink()
    where = re.escape(str(tmp_path / folder))
    error_line(
        lambda: cifar10_images(tmp_path),
        rf"^{where}: .*missing data_batch_2.bin, test_batch.bin; set data.download: true, or make "
        "the files with scripts/cifar10_from_images.py$",
    )


def test_no_folder_at_all(tmp_path: Path) -> None:
    error_line(lambda: cifar10_images(tmp_path / "none"), r"missing data_batch_1.bin, .*download")


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
def test_a_truncated_file(tmp_path: Path, name: str, size: int) -> None:
    written(tmp_path)
    (tmp_path / name).write_bytes(batch(0)[:size])
    error_line(
        lambda: cifar10_images(tmp_path),
        rf"{re.escape(str(tmp_path / name))}: expected .* 3073 bytes .*, got {size} bytes: "
        rf"record {size // 3073} is cut off; delete the file, then set data.download: true",
    )


@pytest.mark.parametrize("label", [10, 255])
def test_a_label_out_of_range(tmp_path: Path, label: int) -> None:
    written(tmp_path)
    content = bytearray(batch(0, 5))
    content[3 * 3073] = content[4 * 3073] = label
    (tmp_path / "data_batch_5.bin").write_bytes(content)
    error_line(
        lambda: cifar10_images(tmp_path),
        rf"data_batch_5.bin: record 3: expected a label 0 … 9, got {label}: .*delete the file",
    )


def test_a_directory_in_a_file_s_place(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    (tmp_path / "test_batch.bin").mkdir()
    error_line(lambda: cifar10_images(tmp_path), r"test_batch.bin: cannot be read: Is a directory$")
