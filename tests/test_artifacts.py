import dataclasses
import errno
import io
import json
import os
import pickle
import stat
import zipfile

import numpy as np
import pytest
import safetensors.numpy
import torch

from mini_exp import artifacts
from mini_exp.errors import ArtifactError
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.selection import GroupPath, PruningSelection
from mini_exp.pruning.statistics import Moments
from mini_exp.types import (
    Dataset,
    Evaluation,
    History,
    ImageHistory,
    ImageMoments,
    Images,
    ImageSplits,
    LayerSelection,
    Networks,
    NetworkState,
    SecondMoments,
    Selection,
    WidthPath,
)

# Hard to write in decimal: a third, the neighbour of 1, the smallest and the largest number.
AWKWARD = np.array([1 / 3, np.nextafter(1, 2), 5e-324, 1.7976931348623157e308, -0.0, 0.1, 1.0])


def rng():
    return np.random.default_rng(0)


def dataset():
    x, y = rng().standard_normal((1, 7, 30)), np.array([[0.0, 1, 1, 0, 1, 0, 0]])
    x[0, :, 0] = AWKWARD
    return Dataset(x[:, :4], y[:, :4], x[:, 4:], y[:, 4:])


def networks(bias):
    shapes = [(1, 4, 30), (1, 1, 4)]
    return Networks(
        tuple(torch.from_numpy(rng().standard_normal(shape)) for shape in shapes),
        tuple(torch.from_numpy(rng().standard_normal(shape[:2])) for shape in shapes if bias),
    )


def history():
    n = len(AWKWARD)
    return History(AWKWARD[None], np.ones((1, n)), np.linspace(0, 1, n)[None], np.zeros((1, n)))


def moments():
    sizes = (4, 3)
    return SecondMoments(
        tuple(rng().standard_normal((1, m, m)) for m in sizes),
        tuple(rng().standard_normal((1, m)) for m in sizes),
        tuple(rng().standard_normal((1, m, m)) for m in sizes),
        100,
    )


def width_path():
    k = len(AWKWARD)
    return WidthPath(
        np.linspace(0.01, 0.1, k),
        np.stack([AWKWARD, AWKWARD[::-1]], axis=1)[None],
        rng().exponential(size=(1, k, 2)),
        rng().integers(0, 16, (1, k, 2)),
        AWKWARD[None],
        (np.arange(k) % 2 == 0)[None],
    )


def selection(exhaustive=True):
    def layer(m):
        losses = {name: rng().exponential(size=(1, m)) for name in ("A", "B")}
        return LayerSelection(
            rng().permutation(m)[None],
            rng().random((1, m)),
            np.array([1 / 3]),
            losses,
            losses if exhaustive else {},
        )

    return Selection((2, 3), (layer(4), layer(3)))


def evaluations():
    return [
        Evaluation("original", "train", 1 / 3, 1.0, 802, 100),
        Evaluation("finetuned", "population", 0.1, 0.5, 283, 100_000),
    ]


FILES = {
    "dataset.npz": dataset(),
    "original.safetensors": networks(bias=True),
    "compressed.safetensors": networks(bias=False),
    "finetuned.safetensors": networks(bias=True),
    "history.csv": history(),
    "finetune_history.csv": history(),
    "covariance.npz": moments(),
    "widths.csv": width_path(),
    "selection.json": selection(),
    "evaluation.csv": evaluations(),
}
GROUP = Group("conv1", 3, ("conv1",), ("norm1",), (), (Reader("conv2", "relu", 1),))
STATE = NetworkState({"conv1.weight": torch.ones(2, 1, 3, 3), "norm1.n": torch.tensor(3)})
IMAGES = Images(np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4), np.array([0, 9]))
IMAGE_FILES = {
    "dataset.npz": ImageSplits(IMAGES, IMAGES, IMAGES),
    "original.safetensors": STATE,
    "compressed.safetensors": STATE,
    "finetuned.safetensors": STATE,
    "history.csv": ImageHistory(AWKWARD, AWKWARD[::-1].copy(), AWKWARD),
    "finetune_history.csv": ImageHistory(AWKWARD, AWKWARD[::-1].copy(), AWKWARD),
    "covariance.npz": ImageMoments(
        {"relu": Moments(np.eye(3), np.ones(3), np.eye(3), np.ones(3), 18)},
        {"conv1": np.array([2.0, 1, 0])},
        {"conv1": np.array([3.0, 1])},
        {"conv1": 27},
        2,
    ),
    "widths.csv": width_path(),
    "selection.json": PruningSelection(
        (GroupPath(GROUP, np.array([2, 0]), np.array([1 / 3, 0.5])),)
    ),
    "evaluation.csv": evaluations(),
}
PRUNED_FILES = {
    "network.safetensors": STATE,
    "selection.json": IMAGE_FILES["selection.json"],
}
ALL_FILES = {"mini": FILES, "images": IMAGE_FILES, "pruned": PRUNED_FILES}
CASES = [(kind, name) for kind, files in ALL_FILES.items() for name in files]
ONE_PER_FORMAT = ["dataset.npz", "original.safetensors", "history.csv", "selection.json"]


def assert_same_bits(one, other):
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        one, other = one.numpy(), other.numpy()
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same_bits(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same_bits(a, b)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert_same_bits(list(one.values()), list(other.values()))
    else:
        assert one == other


def written(path, content):
    path.write_bytes(content)
    return artifacts.sha256(path)


# Round trips


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_round_trip_bit_for_bit(tmp_path, kind, name):
    value = ALL_FILES[kind][name]
    digest = artifacts.write(tmp_path / name, value, kind)
    assert digest == artifacts.sha256(tmp_path / name)
    assert_same_bits(artifacts.read(tmp_path / name, digest, kind), value)


def test_every_format_is_tested():
    assert {k: set(v) for k, v in ALL_FILES.items()} == {
        k: set(v) for k, v in artifacts.FORMATS.items()
    }


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_same_value_gives_the_same_file(tmp_path, kind, name):
    first = artifacts.write(tmp_path / "1" / name, ALL_FILES[kind][name], kind)
    assert artifacts.write(tmp_path / "2" / name, ALL_FILES[kind][name], kind) == first


@pytest.mark.parametrize(
    "changed",
    [{"indices": [0, 0]}, {"indices": []}, {"indices": [3]}, {"indices": [-1]}, {"width": "x"}],
)
def test_a_selection_that_no_network_has_is_refused(tmp_path, changed):
    path = tmp_path / "selection.json"
    artifacts.write(path, IMAGE_FILES["selection.json"], "images")
    content = json.loads(path.read_text())
    content["groups"][0] |= changed
    digest = written(path, json.dumps(content).encode())
    with pytest.raises(ArtifactError, match=r"selection.json: cannot be parsed"):
        artifacts.read(path, digest, "images")


def test_selection_of_a_wide_layer(tmp_path):
    value = selection(exhaustive=False)
    digest = artifacts.write(tmp_path / "selection.json", value)
    assert_same_bits(artifacts.read(tmp_path / "selection.json", digest), value)


def test_history_that_is_not_finite(tmp_path):
    value = dataclasses.replace(
        history(), test_loss=np.array([[np.inf, np.nan, -np.inf] + [1] * 4])
    )
    digest = artifacts.write(tmp_path / "history.csv", value)
    assert_same_bits(artifacts.read(tmp_path / "history.csv", digest), value)


def test_single_precision_is_stored_in_double(tmp_path):
    single = Networks((torch.full((1, 1, 2), 0.1, dtype=torch.float32),), ())
    digest = artifacts.write(tmp_path / "original.safetensors", single)
    (weight,) = artifacts.read(tmp_path / "original.safetensors", digest).weights
    assert weight.dtype == torch.float64
    assert torch.equal(weight, single.weights[0].double())


def test_weights_that_are_not_contiguous(tmp_path):
    weight = torch.arange(6, dtype=torch.float64).reshape(1, 3, 2).transpose(1, 2)
    digest = artifacts.write(tmp_path / "original.safetensors", Networks((weight,), ()))
    back = artifacts.read(tmp_path / "original.safetensors", digest)
    assert torch.equal(back.weights[0], weight)


def test_files_are_as_the_contract_says(tmp_path):
    for name, value in FILES.items():
        artifacts.write(tmp_path / name, value)
    with np.load(tmp_path / "dataset.npz") as file:
        assert {name: file[name].shape for name in file.files} == {
            "X_train": (4, 30),
            "y_train": (4,),
            "X_test": (3, 30),
            "y_test": (3,),
        }
    with np.load(tmp_path / "covariance.npz") as file:
        assert file["sigma_1"].shape == (4, 4)
        assert file["eigenvalues_2"].shape == (3,)
        assert file["eigenvectors_2"].shape == (3, 3)
        assert file["n_samples"] == 100
    tensors = safetensors.numpy.load((tmp_path / "original.safetensors").read_bytes())
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "layers.0.weight": (4, 30),
        "layers.0.bias": (4,),
        "layers.1.weight": (1, 4),
        "layers.1.bias": (1,),
    }
    for name, header in {
        "history.csv": "epoch,loss,accuracy,test_loss,test_accuracy",
        "widths.csv": "rho,lambda_1,lambda_2,dof_1,dof_2,width_1,width_2,objective,converged",
        "evaluation.csv": "stage,split,loss,accuracy,parameters,n",
    }.items():
        assert (tmp_path / name).read_bytes().split(b"\n")[0].decode() == header
    assert (tmp_path / "history.csv").read_text().split("\n")[1].startswith("1,")
    layers = json.loads((tmp_path / "selection.json").read_text())["layers"]
    assert [entry["layer"] for entry in layers] == [1, 2]
    kept = selection().layers[0]
    assert layers[0]["indices"] == kept.index_path[0, :2].tolist()
    assert layers[0]["information"] == kept.information_ratio[0, :2].tolist()


# Reading what must not be read


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["dataset.npz", "covariance.npz"])
def test_npz_with_a_pickle_inside_is_refused(tmp_path, name):
    artifacts.write(tmp_path / name, FILES[name])
    with np.load(tmp_path / name) as file:
        arrays = {key: file[key] for key in file.files}
    first = next(iter(arrays))
    arrays[first] = np.array([Payload(tmp_path / "executed")], dtype=object)
    np.savez(tmp_path / name, **arrays)
    with pytest.raises(ArtifactError, match=rf"{name}: cannot be parsed: .*objects"):
        artifacts.read(tmp_path / name, artifacts.sha256(tmp_path / name))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ONE_PER_FORMAT)
def test_a_bare_pickle_is_refused(tmp_path, name):
    digest = written(tmp_path / name, pickle.dumps(Payload(tmp_path / "executed")))
    with pytest.raises(ArtifactError, match=f"{name}: cannot be parsed"):
        artifacts.read(tmp_path / name, digest)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named(tmp_path, name):
    digest = artifacts.write(tmp_path / name, FILES[name])
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{name}: damaged or replaced"):
        artifacts.read(tmp_path / name, digest)


@pytest.mark.parametrize("name", ONE_PER_FORMAT)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"PK\x03\x04 not an archive", b"[]", b'{"layers": [{"path": [0]}]}'],
    ids=["empty", "zeros", "PK", "list", "json"],
)
def test_another_content_of_the_right_hash_is_named(tmp_path, name, content):
    digest = written(tmp_path / name, content)
    with pytest.raises(ArtifactError, match=f"{name}: cannot be parsed"):
        artifacts.read(tmp_path / name, digest)


@pytest.mark.parametrize("name", ["dataset.npz", "original.safetensors", "selection.json"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_part_of_a_file_of_the_right_hash_is_named(tmp_path, name, share):
    artifacts.write(tmp_path / name, FILES[name])
    content = (tmp_path / name).read_bytes()
    digest = written(tmp_path / name, content[: int(share * len(content))])
    with pytest.raises(ArtifactError, match=f"{name}: cannot be parsed"):
        artifacts.read(tmp_path / name, digest)


def test_npz_without_an_array(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w"):
        pass
    digest = written(tmp_path / "dataset.npz", buffer.getvalue())
    with pytest.raises(ArtifactError, match=r"dataset.npz: cannot be parsed: .*X_train"):
        artifacts.read(tmp_path / "dataset.npz", digest)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    assert artifacts.sha256(tmp_path / name) is None
    with pytest.raises(ArtifactError, match=f"{name}: cannot be read: No such file"):
        artifacts.read(tmp_path / name, None)


def test_a_directory_in_place_of_a_file(tmp_path):
    (tmp_path / "dataset.npz").mkdir()
    with pytest.raises(ArtifactError, match=r"dataset.npz: cannot be read: Is a directory"):
        artifacts.read(tmp_path / "dataset.npz", None)
    with pytest.raises(ArtifactError, match=r"dataset.npz: cannot be read: Is a directory"):
        artifacts.sha256(tmp_path / "dataset.npz")


# Writing


def disk_is_full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "history.csv"
    artifacts.write_bytes(path, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(call, disk_is_full)
        with pytest.raises(ArtifactError, match=r"history.csv: cannot be written: No space left"):
            artifacts.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_no_new_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(ArtifactError, match=r"deep/history.csv: cannot be written: No space left"):
        artifacts.write(tmp_path / "deep" / "history.csv", history())
    assert list((tmp_path / "deep").iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt("now")

    path = tmp_path / "history.csv"
    artifacts.write_bytes(path, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt, match="now"):
            artifacts.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "dataset.npz"
    artifacts.write(path, dataset())
    before = path.read_bytes()
    with pytest.raises(AttributeError, match="x_train"):
        artifacts.write(path, history())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_the_directory_should_be(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ArtifactError, match=r"history.csv: cannot be written: (File exists|Not a)"):
        artifacts.write_bytes(tmp_path / "results" / "history.csv", b"new")


def test_directories_are_made_and_files_are_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    artifacts.write_bytes(path, b"one")
    digest = artifacts.write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert digest == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    assert list(path.parent.iterdir()) == [path]


def test_files_have_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        artifacts.write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


# The manifest and the lock


def manifest():
    record = artifacts.Record(
        settings={"seed": 1, "model": {"widths": [3, 2]}},
        inputs={"dataset.npz": None},
        code={"seeds": "ab"},
        outputs={"history.csv": "cd"},
        seconds=1 / 3,
        finished="2026-01-01T00:00:00Z",
        environment="ef",
    )
    return artifacts.Manifest(name="α", seeds={"v": 1}, steps={"v/train": record})


def test_manifest_round_trip(tmp_path):
    artifacts.write_manifest(tmp_path, manifest())
    assert artifacts.read_manifest(tmp_path) == manifest()


def test_no_manifest_is_an_empty_one(tmp_path):
    assert artifacts.read_manifest(tmp_path) == artifacts.Manifest()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"version": 99, "steps": {}}',
        b'{"version": 1, "steps": []}',
        b'{"steps": {"a/b": {}}}',
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path, content):
    (tmp_path / artifacts.MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"manifest.json: damaged, or of another version"):
        artifacts.read_manifest(tmp_path)


def test_a_directory_is_held_by_one(tmp_path):
    with (
        artifacts.locked(tmp_path),
        pytest.raises(ArtifactError, match=rf"in use by process {os.getpid()} since \d{{4}}-"),
        artifacts.locked(tmp_path),
    ):
        pass
    with artifacts.locked(tmp_path):  # free again
        pass


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    left = tmp_path / "published" / f".history.csv.abc{artifacts.PARTIAL}"
    kept = tmp_path / "published" / f"notes{artifacts.PARTIAL}"
    left.parent.mkdir()
    for path in (left, kept):
        path.write_text("part of a file")
    with artifacts.locked(tmp_path):
        assert not left.exists()
        left.write_text("being written")
        with (
            pytest.raises(ArtifactError, match="in use by process"),
            artifacts.locked(tmp_path),
        ):
            pass
        assert left.exists()
    assert kept.exists()


def test_an_error_frees_the_directory(tmp_path):
    with pytest.raises(ValueError, match="inside"), artifacts.locked(tmp_path):
        raise ValueError("inside")
    with artifacts.locked(tmp_path):
        pass
