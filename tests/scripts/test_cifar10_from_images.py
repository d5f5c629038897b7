"""scripts/cifar10_from_images.py on a small folder and on archives of it."""

from __future__ import annotations

import bz2
import io
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from mini_exp.tasks.images.cifar10_files import CLASSES, FILES, TRAINING_FILES, cifar10_images
from scripts import cifar10_from_images

N_TRAIN, N_TEST = 3, 2  # per class


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if suffix == ".png" else "JPEG")
    return buffer.getvalue()


def generated() -> dict[str, bytes]:
    """Random images of every class, of the three suffixes in turn."""
    rng = np.random.default_rng(0)
    sources = {}
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        for label in CLASSES:
            for i, suffix in zip(range(n), (".png", ".jpg", ".JPEG"), strict=False):
                pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
                sources[f"{split}/{label}/{i:04}{suffix}"] = encoded(pixels, suffix)
    return sources


SOURCES = generated()


def folder(path: Path, sources: dict[str, bytes] = SOURCES) -> Path:
    for name, content in sources.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def packed(path: Path, mode: str, sources: dict[str, bytes] = SOURCES, prefix: str = "") -> Path:
    """The sources in reverse order, as a tar archive, between folders and a text file."""
    with tarfile.open(path, mode) as tar:
        directory = tarfile.TarInfo(f"{prefix}train")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in reversed([*sources.items(), ("README.md", b"about")]):
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def converted(source: Path, root: Path) -> Result:
    return CliRunner().invoke(cifar10_from_images.main, [str(source), str(root)])


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()} if root.exists() else {}


def refused(source: Path, tmp_path: Path, *messages: str) -> None:
    """One line with these messages, exit code 1 and nothing written."""
    result = converted(source, tmp_path / "root")
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    for message in messages:
        assert message in result.stderr
    assert files(tmp_path / "root") == {}


def test_every_image_with_its_label(tmp_path: Path) -> None:
    result = converted(folder(tmp_path / "images"), tmp_path / "root")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'root'}: 30 training and 20 test images\n"
    assert set(files(tmp_path / "root")) == {*FILES, "batches.meta.txt"}
    meta = (tmp_path / "root" / "batches.meta.txt").read_text()
    assert meta.split() == sorted(CLASSES) == list(CLASSES)
    for split, images in zip(("train", "test"), cifar10_images(tmp_path / "root"), strict=True):
        expected: Counter[tuple[int, bytes]] = Counter()
        for name, content in SOURCES.items():
            if name.startswith(split):
                pixels = np.asarray(Image.open(io.BytesIO(content)))
                planes = b"".join(pixels[:, :, channel].tobytes() for channel in range(3))
                expected[CLASSES.index(name.split("/")[1]), planes] += 1
        pairs = zip(images.labels.tolist(), images.pixels, strict=True)
        assert Counter((label, pixels.tobytes()) for label, pixels in pairs) == expected


def test_batches_are_equal_and_shuffled(tmp_path: Path) -> None:
    converted(folder(tmp_path / "images"), tmp_path / "root")
    written = files(tmp_path / "root")
    assert [len(written[name]) for name in TRAINING_FILES] == [6 * 3073] * 5
    for images in cifar10_images(tmp_path / "root"):
        assert (np.diff(images.labels) < 0).sum() > 3  # in class order: 0


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("prefix", ["", "./", "cifar/images/"])
def test_an_archive_gives_the_same_bytes_as_the_folder(
    tmp_path: Path, mode: str, prefix: str
) -> None:
    converted(folder(tmp_path / "images"), tmp_path / "one")
    result = converted(packed(tmp_path / "images.tar", mode, prefix=prefix), tmp_path / "two")
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_an_archive_in_several_compressed_streams(tmp_path: Path) -> None:
    """As parallel compressors write it."""
    tar = packed(tmp_path / "images.tar", "w").read_bytes()
    half = len(tar) // 2
    source = tmp_path / "images.tar.bz2"
    source.write_bytes(bz2.compress(tar[:half]) + bz2.compress(tar[half:]))
    result = converted(source, tmp_path / "root")
    assert result.exit_code == 0, result.output
    assert "30 training and 20 test images" in result.stdout


def test_grey_and_transparent_images(tmp_path: Path) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (32, 32), np.uint8)
    transparent = np.dstack([grey, grey.T, 255 - grey, grey])
    sources = {f"{s}/{c}/0.png": encoded(grey, ".png") for s in ("train", "test") for c in CLASSES}
    sources["test/truck/0.png"] = encoded(transparent, ".png")
    converted(folder(tmp_path / "images", sources), tmp_path / "root")
    train, test = cifar10_images(tmp_path / "root")
    assert (train.pixels == grey).all()
    truck = test.pixels[test.labels == CLASSES.index("truck")]
    assert (truck[0] == transparent[:, :, :3].transpose(2, 0, 1)).all()


@pytest.mark.parametrize("shape", [(32, 33), (31, 32), (1, 1), (64, 64)])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_an_image_of_another_size(tmp_path: Path, shape: tuple[int, int], suffix: str) -> None:
    name = f"test/ship/big{suffix}"
    sources = SOURCES | {name: encoded(np.zeros((*shape, 3), np.uint8), suffix)}
    height, width = shape
    message = f"{name}: expected 32 × 32 pixels, got {width} × {height}"
    refused(folder(tmp_path / "images", sources), tmp_path, message)
    refused(packed(tmp_path / "images.tar", "w", sources), tmp_path, message)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        SOURCES["train/cat/0000.png"][:-100],
        SOURCES["train/cat/0001.jpg"][:-100],
        SOURCES["train/cat/0000.png"][:33],
        SOURCES["train/cat/0000.png"][:11] + b"\x00" + SOURCES["train/cat/0000.png"][12:],
        SOURCES["train/cat/0000.png"][:36] + b"\x00" + SOURCES["train/cat/0000.png"][37:],
        b"GIF89a" + bytes(100),
    ],
)
def test_a_damaged_image(tmp_path: Path, content: bytes) -> None:
    name = "train/dog/0000.png"
    source = folder(tmp_path / "images", SOURCES | {name: content})
    refused(source, tmp_path, f"{name}: expected a whole JPEG or PNG image")


@pytest.mark.parametrize("name", ["train/car/1.png", "1.png", "cat/1.png", "valid/cat/1.png"])
def test_an_image_in_no_class(tmp_path: Path, name: str) -> None:
    source = folder(tmp_path / "images", SOURCES | {name: SOURCES["train/cat/0000.png"]})
    refused(source, tmp_path, f"{name}: expected train/<class>/<image>", "airplane, automobile")


@pytest.mark.parametrize("missing", ["train/horse", "test/airplane"])
def test_a_class_without_images(tmp_path: Path, missing: str) -> None:
    sources = {name: SOURCES[name] for name in SOURCES if not name.startswith(missing)}
    source = folder(tmp_path / "images", sources)
    refused(source, tmp_path, f"{source}: expected images of every class, none in {missing}")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_truncated_archive(tmp_path: Path, mode: str) -> None:
    source = packed(tmp_path / "images.tar", mode)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    refused(source, tmp_path, f"{source}: expected a folder or a whole tar archive of images: ")


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    source = tmp_path / "images.tar"
    source.write_bytes(b"none")
    refused(source, tmp_path, f"{source}: expected a folder or a whole tar archive of images: ")


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    root = folder(tmp_path / "root", {"test_batch.bin": b"mine"})
    result = converted(folder(tmp_path / "images"), root)
    assert result.exit_code == 1
    assert f"{root / 'test_batch.bin'}: there already; delete it" in result.stderr
    assert files(root) == {"test_batch.bin": b"mine"}


def test_a_link_in_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "images.tar", "w") as tar:
        link = tarfile.TarInfo("train/cat/0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    refused(tmp_path / "images.tar", tmp_path, "whole tar archive", "link")


def test_no_source(tmp_path: Path) -> None:
    result = converted(tmp_path / "none", tmp_path / "root")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_as_a_program(environment: dict[str, str]) -> None:
    script = cifar10_from_images.__file__
    result = subprocess.run(
        [sys.executable, script, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "SOURCE ROOT" in result.stdout
    assert "encoded anew" in result.stdout
