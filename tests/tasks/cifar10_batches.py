"""Small batches in the layout of CIFAR-10's files, and checks that their tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mini_exp.errors import ArtifactError
from mini_exp.tasks.images.cifar10_files import FILES

PARTIAL = "cifar.tar.gz.partial"


def batch(seed: int, n: int = 2) -> bytes:
    records = np.random.default_rng(seed).integers(0, 256, (n, 3073), np.uint8)
    records[:, 0] %= 10
    return records.tobytes()


CONTENTS = {name: batch(seed, n=2 + seed) for seed, name in enumerate(FILES)}


def written(folder: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def tree(root: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def error_line(action: Callable[[], object], match: str) -> None:
    with pytest.raises(ArtifactError, match=match) as caught:
        action()
    assert "\n" not in str(caught.value)
