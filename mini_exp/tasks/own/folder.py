"""Folders of images: one folder per class, or images without classes."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image

from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.tasks.own.labelled import Labelled, check_labels, cut, no_labels
from mini_exp.tasks.own.settings import Folder

ENDINGS = (
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Listing:
    """The images of a folder in order; without classes all labels are None."""

    folder: Path
    files: list[Path]
    labels: list[str] | None
    classes: list[str]


def folder_samples(
    data: Folder, rng: np.random.Generator
) -> tuple[Labelled, Labelled, Labelled | None]:
    """Training, validation and test set of a folder's images, (n, channels, height, width) uint8.

    Classes are numbered in the order of the training folders' names.

    Raises
    ------
    ArtifactError
        If images cannot be read, differ in size or do not fit into memory.
    ConfigError
        If a folder is missing or has no images, or a class is in the test set only.
    """
    train, test = listings(data)
    whole = _labelled(data, train, train.classes)
    tested = None if test is None else _labelled(data, test, train.classes)
    if tested is not None:
        _check_size(data, whole.x.shape[:1:-1], tested.x.shape[:1:-1])
    kept, validation = cut(whole, data.n_validation, rng)
    return kept, validation, tested


def check_folder(data: Folder, trained: Sequence[str]) -> None:
    """Refuse what ``folder_samples`` would refuse, and training without labels.

    The images are decoded and let go.
    """
    train, test = listings(data)
    samples = Labelled(np.empty((len(train.files), 0)), _numbers(train, train.classes))
    cut(samples, data.n_validation, np.random.default_rng(0))
    check_labels(samples, trained)
    size = _decode(data, train)
    if test is not None:
        _check_size(data, size, _decode(data, test))


def _check_size(data: Folder, train: tuple[int, int], test: tuple[int, int]) -> None:
    if data.size is None and train != test:
        raise ArtifactError(
            f"data.test: expected images of the training images' size {train[0]} × {train[1]}, got "
            f"{test[0]} × {test[1]}; set data.size"
        )


def listings(data: Folder) -> tuple[Listing, Listing | None]:
    """What is in the training and the test folder."""
    train = _listing("data.train", data.train)
    if data.test is None:
        return train, None
    test = _listing("data.test", data.test)
    if (train.labels is None) != (test.labels is None):
        with_classes, without = (test, train) if train.labels is None else (train, test)
        raise ConfigError(
            f"data.test: expected class folders in both sets or in none, got them in "
            f"{with_classes.folder} and not in {without.folder}"
        )
    unknown = [name for name in test.classes if name not in train.classes]
    if unknown:
        raise ConfigError(
            f"data.test: {test.folder}: expected the classes of the training set, got "
            f"{', '.join(map(repr, unknown))}, which {'is' if len(unknown) == 1 else 'are'} not in "
            f"{train.folder}"
        )
    return train, test


def _listing(key: str, folder: str) -> Listing:
    root = Path(folder)
    if not root.is_dir():
        what = "expected a folder of images, got a file" if root.exists() else "no such folder"
        raise ConfigError(f"{key}: {folder}: {what}")
    entries = [path for path in sorted(root.iterdir()) if not path.name.startswith(".")]
    here = [path for path in entries if path.is_file() and path.suffix.lower() in ENDINGS]
    classes = [path.name for path in entries if path.is_dir()]
    if here and classes:
        raise ConfigError(
            f"{key}: {folder}: expected class folders or images, got both: {here[0].name} stands "
            f"beside the folder {classes[0]}"
        )
    files, labels = here, []
    for name in classes:
        inside = sorted(
            Path(parent, file)
            for parent, _, names in os.walk(root / name, followlinks=True)
            for file in names
            if not file.startswith(".") and Path(file).suffix.lower() in ENDINGS
        )
        files = files + inside
        labels += [name] * len(inside)
    if not files:
        raise ConfigError(
            f"{key}: {folder}: expected images ({', '.join(ENDINGS)}) in folders named after their "
            "classes, got none"
        )
    return Listing(root, files, labels if classes else None, classes)


def _labelled(data: Folder, listing: Listing, classes: Sequence[str]) -> Labelled:
    width, height = (data.size, data.size) if data.size else _size_of_the_first(listing)
    shape = (len(listing.files), data.channels, height, width)
    free = psutil.virtual_memory().available
    if math.prod(shape) > free:
        raise ArtifactError(
            f"{listing.folder}: {shape[0]} images of {width} × {height} need "
            f"{math.prod(shape) / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; set a smaller "
            "data.size or use fewer images"
        )
    pixels = np.empty(shape, np.uint8)
    _decode(data, listing, pixels)
    return Labelled(pixels, _numbers(listing, classes))


def _numbers(listing: Listing, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    if listing.labels is None:
        return no_labels(len(listing.files))
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number[name] for name in listing.labels], np.int64)


def _decode(
    data: Folder, listing: Listing, pixels: npt.NDArray[np.uint8] | None = None
) -> tuple[int, int]:
    """Decode every image, into an array where there is one; the first's size (width, height)."""
    unreadable: list[str] = []
    first: tuple[Path, tuple[int, int]] | None = None
    for i, path in enumerate(listing.files):
        try:
            with Image.open(path) as image:
                image.load()
                size = image.size
                if image.mode.startswith(("I", "F")):  # would be cut off at 255
                    raise ValueError(f"expected 8 bits per channel, got mode {image.mode}")
                first = first or (path, size)
                if pixels is not None and (data.mixed_sizes or size == first[1]):
                    pixels[i] = _pixels(image, data)
        except UNREADABLE as error:
            unreadable.append(f"{path}: cannot be read as an image: {' '.join(str(error).split())}")
            continue
        if not data.mixed_sizes and size != first[1]:
            raise ArtifactError(
                f"{path}: expected all images to have one size, got {size[0]} × {size[1]} and "
                f"{first[1][0]} × {first[1][1]} ({first[0]}); set data.size and "
                "data.mixed_sizes: true to scale and cut them"
            )
    if first is None or unreadable:
        of = f"{len(unreadable)} of the {len(listing.files)} images in {listing.folder}"
        raise ArtifactError(f"{unreadable[0]} ({of})")
    return first[1]


def _size_of_the_first(listing: Listing) -> tuple[int, int]:
    """(width, height) of the first that can be read."""
    for path in listing.files:
        with contextlib.suppress(*UNREADABLE), Image.open(path) as image:
            return image.size
    return (1, 1)  # all are refused when they are decoded


def _pixels(image: Image.Image, data: Folder) -> npt.NDArray[np.uint8]:
    """(channels, height, width)."""
    if "transparency" in image.info:  # which has no place in RGB
        image = image.convert("RGBA")
    image = image.convert("RGB" if data.channels == 3 else "L")
    if data.size is not None and image.size != (data.size, data.size):
        shorter = min(image.size)
        scaled = [max(data.size, round(side * data.size / shorter)) for side in image.size]
        image = image.resize((scaled[0], scaled[1]), Image.Resampling.BILINEAR)
        left, top = ((side - data.size) // 2 for side in image.size)
        image = image.crop((left, top, left + data.size, top + data.size))
    pixels = np.asarray(image, np.uint8)
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]


def folder_fingerprint(folder: str) -> str | None:
    """SHA-256 of the names, sizes and times of what is in a folder; None where there is none."""
    if not Path(folder).is_dir():
        return None
    digest = hashlib.sha256()
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            stat = path.stat() if path.exists() else path.lstat()
            inside = path.relative_to(folder).as_posix()
            digest.update(
                f"{inside}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="replace")
            )
    return digest.hexdigest()
