"""Data sets: X_<split> and y_<split> of every split, in an npz file."""

from __future__ import annotations

from mini_exp.files import npz_arrays, npz_bytes
from mini_exp.tasks.task import Samples


def to_bytes(samples: Samples) -> bytes:
    arrays = {}
    for split, (x, y) in samples.items():
        arrays[f"X_{split}"], arrays[f"y_{split}"] = x, y
    return npz_bytes(arrays)


def from_bytes(content: bytes) -> Samples:
    arrays = npz_arrays(content)
    splits = [name.removeprefix("X_") for name in arrays if name.startswith("X_")]
    if not splits:
        raise ValueError(f"expected X_train, …, got {', '.join(arrays) or 'nothing'}")
    return {split: (arrays[f"X_{split}"], arrays[f"y_{split}"]) for split in splits}
