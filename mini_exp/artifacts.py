"""The only reader and writer of the results directory: atomic writes, hashes, manifest, lock.

What a file holds follows from its name; no file is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mini_exp.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

    from mini_exp.pruning.selection import PruningSelection
    from mini_exp.types import (
        Dataset,
        Evaluation,
        History,
        ImageHistory,
        ImageMoments,
        ImageSplits,
        LayerSelection,
        Networks,
        NetworkState,
        SecondMoments,
        Selection,
        WidthPath,
    )

MANIFEST = "manifest.json"
PARTIAL = ".partial"  # ends the name of a file that is being written


# Files and their hashes


def sha256(path: Path) -> str | None:
    """Hexadecimal SHA-256 of a file's content; None where there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None


def write_bytes(path: Path, content: bytes) -> str:
    """Write a file so that it is whole or absent under its name, whenever the process dies.

    A temporary file in the same directory is flushed to disk and renamed.

    Returns
    -------
    str
        Its SHA-256.

    Raises
    ------
    ArtifactError
        If the disk is full or the directory cannot be written; an earlier file stays as it was.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent
        )
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
        with _directory(path.parent) as parent:
            os.fsync(parent)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# The manifest


class Record(BaseModel):
    """How a step's present results were made: what they depend on, and the files' SHA-256."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any]
    inputs: dict[str, str | None]
    code: dict[str, str]
    outputs: dict[str, str]
    seconds: float
    finished: str
    environment: str


class Manifest(BaseModel):
    """What a results directory holds: a record per finished step, and where it ran."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    name: str = ""
    seeds: dict[str, int] = {}
    environments: dict[str, dict[str, Any]] = {}
    steps: dict[str, Record] = {}


def read_manifest(directory: Path) -> Manifest:
    """The manifest; an empty one where there is none.

    Raises
    ------
    ArtifactError
        If it is damaged or of another version.
    """
    path = directory / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError:
        raise ArtifactError(
            f"{path}: damaged, or of another version of mini-exp; delete it to run every step anew"
        ) from None


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest."""
    text = json.dumps(manifest.model_dump(), indent=1, ensure_ascii=False) + "\n"
    write_bytes(directory / MANIFEST, text.encode())


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a results directory for one process.

    The operating system frees the lock when its process ends, however it ends.

    Raises
    ------
    ArtifactError
        If another process holds it, naming that process and since when.
    """
    import filelock

    owner = directory / ".lock-owner"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(directory / ".lock", blocking=False)
        lock.acquire()
    except filelock.Timeout:
        try:
            holder = owner.read_text()
        except OSError:
            holder = "another process"
        raise ArtifactError(f"{directory}: in use by {holder}; wait until it has ended") from None
    except OSError as error:
        raise ArtifactError(f"{directory}: cannot be written: {error.strerror}") from None
    try:
        for left in directory.rglob(f".*{PARTIAL}"):  # by a process that was killed
            left.unlink(missing_ok=True)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        write_bytes(owner, f"process {os.getpid()} since {now}".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


# What the files hold. On disk there is one replicate, the first.


def _arrays_to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _npz_to_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Arrays of an npz file that `_arrays_to_npz` could have written; anything else is refused.

    Sizes are checked against the file before anything is allocated.
    """
    import zipfile

    import numpy as np

    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(content):
                raise ValueError(f"{member.filename} is compressed or larger than the file")
            data = io.BytesIO(archive.read(member))
            if np.lib.format.read_magic(data) != (1, 0):
                raise ValueError(f"{member.filename} is not an array of format 1.0")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(data)
            rest = data.read()
            if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(rest):
                raise ValueError(f"{member.filename} holds objects or has a wrong size")
            order: Literal["F", "C"] = "F" if fortran else "C"
            arrays[name] = np.frombuffer(rest, dtype).reshape(shape, order=order).copy(order=order)
    return arrays


def _write_dataset(dataset: Dataset) -> bytes:
    return _arrays_to_npz(
        {
            "X_train": dataset.x_train[0],
            "y_train": dataset.y_train[0],
            "X_test": dataset.x_test[0],
            "y_test": dataset.y_test[0],
        }
    )


def _read_dataset(content: bytes) -> Dataset:
    from mini_exp.types import Dataset

    arrays = _npz_to_arrays(content)
    return Dataset(*(arrays[name][None] for name in ("X_train", "y_train", "X_test", "y_test")))


def _write_networks(networks: Networks) -> bytes:
    import safetensors.torch

    tensors = {f"layers.{i}.weight": tensor[0] for i, tensor in enumerate(networks.weights)}
    tensors |= {f"layers.{i}.bias": tensor[0] for i, tensor in enumerate(networks.biases)}
    return safetensors.torch.save(
        {name: tensor.cpu().double().contiguous() for name, tensor in tensors.items()}
    )


def _read_networks(content: bytes) -> Networks:
    import safetensors.torch

    from mini_exp.types import Networks

    tensors = safetensors.torch.load(content)
    n_layers = sum(name.endswith(".weight") for name in tensors)
    kinds = ["weight"] if len(tensors) == n_layers else ["weight", "bias"]
    names = {kind: [f"layers.{i}.{kind}" for i in range(n_layers)] for kind in kinds}
    if not n_layers or set(tensors) != set().union(*names.values()):
        raise ValueError(f"expected layers.0.weight …, got {', '.join(sorted(tensors)) or 'none'}")
    weights, *biases = (tuple(tensors[name][None] for name in names[kind]) for kind in kinds)
    return Networks(weights, biases[0] if biases else ())


def _write_history(history: History) -> bytes:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "epoch": range(1, history.loss.shape[1] + 1),
            "loss": history.loss[0],
            "accuracy": history.accuracy[0],
            "test_loss": history.test_loss[0],
            "test_accuracy": history.test_accuracy[0],
        }
    )
    return _frame_to_csv(frame)


def _read_history(content: bytes) -> History:
    from mini_exp.types import History

    frame = _csv_to_frame(content)
    names = ("loss", "accuracy", "test_loss", "test_accuracy")
    return History(*(frame[name].to_numpy()[None] for name in names))


def _write_moments(moments: SecondMoments) -> bytes:
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    for layer, (sigma, values, vectors) in enumerate(
        zip(moments.sigma, moments.eigenvalues, moments.eigenvectors, strict=True), start=1
    ):
        arrays[f"sigma_{layer}"] = sigma[0]
        arrays[f"eigenvalues_{layer}"] = values[0]
        arrays[f"eigenvectors_{layer}"] = vectors[0]
    arrays["n_samples"] = np.array(moments.n_samples)
    return _arrays_to_npz(arrays)


def _read_moments(content: bytes) -> SecondMoments:
    from mini_exp.types import SecondMoments

    arrays = _npz_to_arrays(content)
    layers = range(1, sum(name.startswith("sigma_") for name in arrays) + 1)
    return SecondMoments(
        tuple(arrays[f"sigma_{layer}"][None] for layer in layers),
        tuple(arrays[f"eigenvalues_{layer}"][None] for layer in layers),
        tuple(arrays[f"eigenvectors_{layer}"][None] for layer in layers),
        int(arrays["n_samples"]),
    )


def _write_widths(path: WidthPath) -> bytes:
    import pandas as pd

    columns: dict[str, Any] = {"rho": path.rho}
    layers = range(path.lambda_.shape[2])
    columns |= {f"lambda_{layer + 1}": path.lambda_[0, :, layer] for layer in layers}
    columns |= {f"dof_{layer + 1}": path.degrees_of_freedom[0, :, layer] for layer in layers}
    columns |= {f"width_{layer + 1}": path.width[0, :, layer] for layer in layers}
    columns |= {"objective": path.objective[0], "converged": path.converged[0]}
    return _frame_to_csv(pd.DataFrame(columns))


def _read_widths(content: bytes) -> WidthPath:
    from mini_exp.types import WidthPath

    frame = _csv_to_frame(content)
    layers = range(1, sum(name.startswith("lambda_") for name in frame) + 1)
    return WidthPath(
        frame["rho"].to_numpy(),
        frame[[f"lambda_{layer}" for layer in layers]].to_numpy()[None],
        frame[[f"dof_{layer}" for layer in layers]].to_numpy()[None],
        frame[[f"width_{layer}" for layer in layers]].to_numpy()[None],
        frame["objective"].to_numpy()[None],
        frame["converged"].to_numpy(dtype=bool)[None],
    )


def _write_selection(selection: Selection) -> bytes:
    def columns(values: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
        return {name: column[0].tolist() for name, column in values.items()}

    layers = [
        {
            "layer": number,
            "width": width,
            "indices": layer.index_path[0, :width].tolist(),
            "information": layer.information_ratio[0, :width].tolist(),
            "path": layer.index_path[0].tolist(),
            "path_information": layer.information_ratio[0].tolist(),
            "output_scale": float(layer.output_scale[0]),
            "losses": columns(layer.losses),
            "exhaustive": columns(layer.exhaustive),
        }
        for number, (width, layer) in enumerate(
            zip(selection.widths, selection.layers, strict=True), start=1
        )
    ]
    return (json.dumps({"layers": layers}, indent=1) + "\n").encode()


def _read_selection(content: bytes) -> Selection:
    import numpy as np

    from mini_exp.types import LayerSelection, Selection

    def layer(entry: dict[str, Any]) -> LayerSelection:
        return LayerSelection(
            np.array([entry["path"]]),
            np.array([entry["path_information"]]),
            np.array([entry["output_scale"]]),
            {name: np.array([column]) for name, column in entry["losses"].items()},
            {name: np.array([column]) for name, column in entry["exhaustive"].items()},
        )

    layers = json.loads(content)["layers"]
    return Selection(tuple(entry["width"] for entry in layers), tuple(map(layer, layers)))


def _write_evaluations(evaluations: list[Evaluation]) -> bytes:
    import dataclasses

    import pandas as pd

    return _frame_to_csv(pd.DataFrame([dataclasses.asdict(row) for row in evaluations]))


def _read_evaluations(content: bytes) -> list[Evaluation]:
    from mini_exp.types import Evaluation

    return [Evaluation(**row) for row in _csv_to_frame(content).to_dict(orient="records")]


def _frame_to_csv(frame: Any) -> bytes:
    """Floats in the shortest form that reads back to the same bits."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode()


def _csv_to_frame(content: bytes) -> Any:
    import pandas as pd

    return pd.read_csv(io.BytesIO(content))


# The same files of experiments on images


def _write_splits(splits: ImageSplits) -> bytes:
    arrays = {}
    for split in ("train", "validation", "test"):
        images = getattr(splits, split)
        arrays[f"X_{split}"], arrays[f"y_{split}"] = images.pixels, images.labels
    return _arrays_to_npz(arrays)


def _read_splits(content: bytes) -> ImageSplits:
    from mini_exp.types import Images, ImageSplits

    arrays = _npz_to_arrays(content)
    return ImageSplits(
        *(Images(arrays[f"X_{s}"], arrays[f"y_{s}"]) for s in ("train", "validation", "test"))
    )


def _write_state(state: NetworkState) -> bytes:
    import safetensors.torch

    return safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    )


def _read_state(content: bytes) -> NetworkState:
    import safetensors.torch

    from mini_exp.types import NetworkState

    return NetworkState(dict(sorted(safetensors.torch.load(content).items())))


def _write_image_history(history: ImageHistory) -> bytes:
    import pandas as pd

    columns = {
        "epoch": range(1, len(history.loss) + 1),
        "loss": history.loss,
        "validation_loss": history.validation_loss,
        "validation_accuracy": history.validation_accuracy,
    }
    return _frame_to_csv(pd.DataFrame(columns))


def _read_image_history(content: bytes) -> ImageHistory:
    from mini_exp.types import ImageHistory

    frame = _csv_to_frame(content)
    names = ("loss", "validation_loss", "validation_accuracy")
    return ImageHistory(*(frame[name].to_numpy() for name in names))


def _write_image_moments(found: ImageMoments) -> bytes:
    import numpy as np

    arrays: dict[str, np.ndarray] = {"n_images": np.array(found.n_images)}
    for tensor, moments in found.moments.items():
        arrays[f"second/{tensor}"], arrays[f"mean/{tensor}"] = moments.second, moments.mean
        arrays[f"n_rows/{tensor}"] = np.array(moments.n_rows)
    for group, values in found.eigenvalues.items():
        arrays[f"eigenvalues/{group}"] = values
    for group, values in found.flattened.items():
        arrays[f"flattened/{group}"] = values
    for group, count in found.n_units.items():
        arrays[f"n_units/{group}"] = np.array(count)
    return _arrays_to_npz(arrays)


def _read_image_moments(content: bytes) -> ImageMoments:
    from mini_exp.pruning.statistics import Moments
    from mini_exp.types import ImageMoments

    arrays = _npz_to_arrays(content)

    def named(kind: str) -> dict[str, np.ndarray]:
        prefix = f"{kind}/"
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    means, rows = named("mean"), named("n_rows")
    moments = {
        tensor: Moments(second, means[tensor], second, means[tensor], int(rows[tensor]))
        for tensor, second in named("second").items()
    }
    return ImageMoments(
        moments,
        named("eigenvalues"),
        named("flattened"),
        {group: int(count) for group, count in named("n_units").items()},
        int(arrays["n_images"]),
    )


def _write_pruning_selection(selection: PruningSelection) -> bytes:
    """Which channels of a network stay, and which modules write, normalise and read them."""
    import dataclasses

    groups = [
        {
            **dataclasses.asdict(path.group),
            "indices": path.index_path.tolist(),
            "information": path.information_ratio.tolist(),
        }
        for path in selection.groups
    ]
    content = {"rescale_dropout": selection.rescale_dropout, "groups": groups}
    return (json.dumps(content, indent=1) + "\n").encode()


def _read_pruning_selection(content: bytes) -> PruningSelection:
    """Read what ``_write_pruning_selection`` wrote; any error of a parser where it is not that."""
    import numpy as np

    from mini_exp.pruning.graph import Group, Reader
    from mini_exp.pruning.selection import GroupPath, PruningSelection

    paths = []
    found = json.loads(content)
    for entry in found["groups"]:
        group = Group(
            name=str(entry["name"]),
            width=int(entry["width"]),
            writers=tuple(map(str, entry["writers"])),
            batch_norms=tuple(map(str, entry["batch_norms"])),
            dropouts=tuple(map(str, entry["dropouts"])),
            readers=tuple(
                Reader(str(reader["module"]), str(reader["tensor"]), int(reader["positions"]))
                for reader in entry["readers"]
            ),
        )
        indices, information = entry["indices"], entry["information"]
        if not indices or {type(index) for index in indices} != {int}:
            raise ValueError(f"{group.name}: expected indices")
        if len(set(indices)) < len(indices) or min(indices) < 0 or max(indices) >= group.width:
            raise ValueError(f"{group.name}: expected distinct indices below {group.width}")
        if len(information) != len(indices):
            raise ValueError(f"{group.name}: expected as much information as indices")
        paths.append(GroupPath(group, np.array(indices), np.array(information, dtype=np.float64)))
    for kind in ("writers", "batch_norms", "readers"):
        names = [str(name) for path in paths for name in getattr(path.group, kind)]
        if len(set(names)) < len(names):
            raise ValueError(f"expected each layer once among the {kind}")
    if not isinstance(found["rescale_dropout"], bool):
        raise ValueError("expected rescale_dropout true or false")
    return PruningSelection(tuple(paths), found["rescale_dropout"])


_Formats = dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]]
FORMATS: dict[str, _Formats] = {
    "mini": {
        "dataset.npz": (_write_dataset, _read_dataset),
        "original.safetensors": (_write_networks, _read_networks),
        "history.csv": (_write_history, _read_history),
        "covariance.npz": (_write_moments, _read_moments),
        "widths.csv": (_write_widths, _read_widths),
        "selection.json": (_write_selection, _read_selection),
        "compressed.safetensors": (_write_networks, _read_networks),
        "finetuned.safetensors": (_write_networks, _read_networks),
        "finetune_history.csv": (_write_history, _read_history),
        "evaluation.csv": (_write_evaluations, _read_evaluations),
    },
    "images": {
        "dataset.npz": (_write_splits, _read_splits),
        "original.safetensors": (_write_state, _read_state),
        "history.csv": (_write_image_history, _read_image_history),
        "covariance.npz": (_write_image_moments, _read_image_moments),
        "widths.csv": (_write_widths, _read_widths),
        "selection.json": (_write_pruning_selection, _read_pruning_selection),
        "compressed.safetensors": (_write_state, _read_state),
        "finetuned.safetensors": (_write_state, _read_state),
        "finetune_history.csv": (_write_image_history, _read_image_history),
        "evaluation.csv": (_write_evaluations, _read_evaluations),
    },
    "pruned": {
        "network.safetensors": (_write_state, _read_state),
        "selection.json": (_write_pruning_selection, _read_pruning_selection),
    },
}
"""From the kind of experiment and a file's name to how it is written and read."""


def write(path: Path, value: Any, kind: str = "mini") -> str:
    """Write an artifact in the format that belongs to its name; return its SHA-256."""
    return write_bytes(path, FORMATS[kind][path.name][0](value))


def read(path: Path, expected: str | None, kind: str = "mini") -> Any:
    """Read an artifact and check that it is the one the manifest names.

    Parameters
    ----------
    path : Path
    expected : str or None
        SHA-256 that the file had when the step's state was found; checked on the very bytes that
        are parsed.
    kind : {"mini", "images", "pruned"}
        Of the experiment; "pruned" for a network that ``save_pruned`` wrote.

    Raises
    ------
    ArtifactError
        If the file is missing, differs, or does not parse.
    """
    content = read_bytes(path, expected)
    try:
        return FORMATS[kind][path.name][1](content)
    except Exception as error:  # whatever a parser makes of a hostile file
        text = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path}: cannot be parsed: {type(error).__name__}: {text}") from None


def read_bytes(path: Path, expected: str | None) -> bytes:
    """A file's content, if its SHA-256 is the expected one; errors as in ``read``."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise ArtifactError(f"{path}: damaged or replaced: not the file that was written here")
    return content


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Write named arrays as npz; return the file's SHA-256."""
    return write_bytes(path, _arrays_to_npz(arrays))


def read_arrays(path: Path, expected: str) -> dict[str, np.ndarray]:
    """Read what ``write_arrays`` wrote; errors as in ``read``."""
    return _npz_to_arrays(read_bytes(path, expected))
