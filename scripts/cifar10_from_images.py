"""Turn class-named images into CIFAR-10's binary layout.

SOURCE is a folder or a tar archive of train/<class>/<image> and test/<class>/<image>, 32 × 32 JPEG
or PNG, the classes those of CIFAR-10. ROOT gets data_batch_1.bin … data_batch_5.bin,
test_batch.bin and batches.meta.txt; give it to mini-exp as data.root.

The images are shuffled with a fixed seed, so the order is not the official one. JPEG images have
been encoded anew with loss: their pixels, and every accuracy on them, differ a little from those
of the official files.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import click
import numpy as np
from PIL import Image

from mini_exp.errors import ArtifactError, MiniExpError
from mini_exp.files import write_bytes
from mini_exp.tasks.images.cifar10_files import CLASSES, FILES, TEST_FILE, TRAINING_FILES

SEED = 10
SIZE = (32, 32)
SUFFIXES = {".jpg", ".jpeg", ".png"}


def contents(source: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Name within the source and content of every image file, one at a time."""
    try:
        if source.is_dir():
            for path in source.rglob("*"):
                if path.suffix.lower() in SUFFIXES:
                    yield PurePosixPath(path.relative_to(source).as_posix()), path.read_bytes()
            return
        with tarfile.open(source) as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                file = archive.extractfile(member) if name.suffix.lower() in SUFFIXES else None
                if file:
                    yield name, file.read()
    except Exception as error:  # whatever a decompressor makes of a damaged archive
        reason = f"{source}: expected a folder or a whole tar archive of images: {error}"
        raise ArtifactError(reason.partition("\n")[0].rstrip(":")) from None


def record(label: str, content: bytes) -> bytes:
    """Label byte, then the planes of red, green and blue; ValueError if it is no such image."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            width, height = image.size
            pixels = np.asarray(image.convert("RGB")) if image.size == SIZE else None
    except Exception:  # whatever a decoder makes of a damaged file
        raise ValueError("expected a whole JPEG or PNG image") from None
    if pixels is None:
        raise ValueError(f"expected 32 × 32 pixels, got {width} × {height}")
    return bytes([CLASSES.index(label)]) + pixels.transpose(2, 0, 1).tobytes()


def batches(source: Path) -> dict[str, list[bytes]]:
    """The records of every file, shuffled; the same whatever the order in the source."""
    records: dict[str, dict[PurePosixPath, bytes]] = {"train": {}, "test": {}}
    seen = set()
    for name, content in contents(source):
        split, label = ("", "", *name.parts)[-3:-1]
        if split not in records or label not in CLASSES:
            raise ArtifactError(
                f"{source}: {name}: expected train/<class>/<image> or test/<class>/<image>, "
                f"where <class> is one of {', '.join(CLASSES)}"
            )
        try:
            records[split][name] = record(label, content)
        except ValueError as error:
            raise ArtifactError(f"{source}: {name}: {error}") from None
        seen.add(f"{split}/{label}")
    missing = [f"{s}/{label}" for s in records for label in CLASSES if f"{s}/{label}" not in seen]
    if missing:
        raise ArtifactError(f"{source}: expected images of every class, none in {missing[0]}")
    rng = np.random.default_rng(SEED)
    train, test = ([part[name] for name in sorted(part)] for part in records.values())
    cuts = np.array_split(rng.permutation(len(train)), len(TRAINING_FILES))
    files = {name: [train[i] for i in cut] for name, cut in zip(TRAINING_FILES, cuts, strict=True)}
    return files | {TEST_FILE: [test[i] for i in rng.permutation(len(test))]}


@click.command(help=__doc__)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("root", type=click.Path(file_okay=False, path_type=Path))
def main(source: Path, root: Path) -> None:
    try:
        present = [name for name in FILES if (root / name).exists()]
        if present:
            raise ArtifactError(
                f"{root / present[0]}: there already; delete it or name another ROOT"
            )
        files = batches(source)
        for name, records in files.items():
            write_bytes(root / name, b"".join(records))
        write_bytes(root / "batches.meta.txt", "".join(f"{label}\n" for label in CLASSES).encode())
    except MiniExpError as error:
        raise click.ClickException(str(error)) from None
    n_test = len(files[TEST_FILE])
    n_train = sum(map(len, files.values())) - n_test
    click.echo(f"{root}: {n_train} training and {n_test} test images")


if __name__ == "__main__":
    main()
