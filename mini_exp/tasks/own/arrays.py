"""Files of arrays: x, and y where there are labels."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.tasks.own.labelled import Labelled, check_labels, cut, has_labels, no_labels
from mini_exp.tasks.own.settings import Arrays


def array_samples(
    data: Arrays, rng: np.random.Generator
) -> tuple[Labelled, Labelled, Labelled | None]:
    """Training, validation and test set of array files.

    Raises
    ------
    ArtifactError
        If a file is missing, damaged or holds something else.
    ConfigError
        If the sets do not fit together.
    """
    sets = _read(data)
    if data.validation is not None:
        train = sets["train"]
        order = rng.permutation(len(train))
        return Labelled(train.x[order], train.y[order]), sets["validation"], sets.get("test")
    return *cut(sets["train"], data.n_validation, rng), sets.get("test")


def check_arrays(data: Arrays, trained: Sequence[str]) -> None:
    """Refuse what ``array_samples`` would refuse, and training without labels."""
    train, _, _ = array_samples(data, np.random.default_rng(0))
    check_labels(train, trained)


def _read(data: Arrays) -> dict[str, Labelled]:
    given = {"train": data.train, "validation": data.validation, "test": data.test}
    sets = {key: _labelled(data, Path(path)) for key, path in given.items() if path is not None}
    train = sets["train"]
    for key, other in sets.items():
        path = given[key]
        if other.x.shape[1:] != train.x.shape[1:] or other.x.dtype != train.x.dtype:
            raise ConfigError(
                f"data.{key}: {path}: expected x of {train.x.dtype} {train.x.shape[1:]} as in "
                f"{data.train}, got {other.x.dtype} {other.x.shape[1:]}"
            )
        if has_labels(train.y) != has_labels(other.y) or train.y.dtype != other.y.dtype:
            raise ConfigError(
                f"data.{key}: {path}: expected {_kind(train)} as in {data.train}, got "
                f"{_kind(other)}"
            )
        if train.y.shape[1:] != other.y.shape[1:]:
            raise ConfigError(
                f"data.{key}: {path}: expected y of shape {train.y.shape[1:]} per sample, got "
                f"{other.y.shape[1:]}"
            )
        if train.y.dtype.kind == "i" and has_labels(train.y):
            unknown = np.setdiff1d(other.y, train.y)
            if len(unknown):
                raise ConfigError(
                    f"data.{key}: {path}: expected the classes of the training set, got class "
                    f"{unknown[0]}, which is not in {data.train}"
                )
    return sets


def _labelled(data: Arrays, path: Path) -> Labelled:
    """The content of one file, checked."""
    arrays = _content(path)
    x = arrays.get("x")
    if x is None:
        raise ArtifactError(
            f"{path}: expected arrays x and, for labels, y, got {', '.join(arrays) or 'nothing'}; "
            "write it with np.savez(path, x=x, y=y)"
        )
    if x.ndim < 2 or not x.size or not (x.dtype == np.uint8 or x.dtype.kind == "f"):
        raise ArtifactError(
            f"{path}: x: expected floats or bytes of shape (n, …), got {x.dtype} {x.shape}"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ArtifactError(f"{path}: x: expected finite numbers, got NaN or infinity")
    y = arrays.get("y")
    if y is None:
        labels: npt.NDArray[np.float32] | npt.NDArray[np.int64] = no_labels(len(x))
        return Labelled(x, labels.astype(np.float32) if data.loss == "squared_error" else labels)
    if y.shape[:1] != x.shape[:1] or y.dtype.kind not in "iufb":
        raise ArtifactError(
            f"{path}: y: expected {len(x)} classes (integers) or real values, got {y.dtype} "
            f"{y.shape}"
        )
    loss = data.loss or ("squared_error" if y.dtype.kind == "f" else "cross_entropy")
    if loss == "squared_error":
        if not np.isfinite(y).all():
            raise ArtifactError(f"{path}: y: expected finite numbers, got NaN or infinity")
        return Labelled(x, y.astype(np.float32))
    if y.dtype.kind == "f" or y.min() < 0:
        raise ArtifactError(
            f"{path}: y: expected classes 0, 1, … (integers) for data.loss: cross_entropy, got "
            f"{y.dtype}{'' if y.dtype.kind == 'f' else f' with {y.min()}'}"
        )
    return Labelled(x, y.astype(np.int64))


def _content(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of a file; nothing is unpickled."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"x": loaded}
        with loaded as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise ArtifactError(
            f"{path}: no such file; write it with np.savez(path, x=x, y=y)"
        ) from None
    except MemoryError:
        raise ArtifactError(f"{path}: does not fit into memory; use fewer samples") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        text = " ".join(str(error).split())[:200]
        raise ArtifactError(
            f"{path}: expected an npz file of plain arrays, which np.savez writes: {text}"
        ) from None


def _kind(labelled: Labelled) -> str:
    if not has_labels(labelled.y):
        return "no labels"
    return "classes" if labelled.y.dtype.kind == "i" else "real values"
