"""What every format writes reads back bit for bit; anything else is refused by name."""

import dataclasses
import json
import pickle
import pkgutil

import numpy as np
import pytest
import safetensors.numpy
import torch

from mini_exp import files
from mini_exp.errors import ArtifactError
from mini_exp.experiment import formats
from mini_exp.pruning.flattened import CalibrationMoments
from mini_exp.pruning.graph import Group, Reader, Reading, Slot
from mini_exp.pruning.moments import TensorMoments
from mini_exp.pruning.recipe import GroupMoments
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.spectral.width_path import WidthPath
from mini_exp.steps.evaluation import Evaluation

# Hard to write in decimal: a third, the neighbour of 1, the smallest and the largest number.
AWKWARD = np.array([1 / 3, np.nextafter(1, 2), 5e-324, 1.7976931348623157e308, -0.0, 0.1, 1.0])


def rng():
    return np.random.default_rng(0)


def mini_samples():
    x, y = rng().standard_normal((7, 30)), np.array([0.0, 1, 1, 0, 1, 0, 0])
    x[:, 0] = AWKWARD
    return {"train": (x[:4], y[:4]), "test": (x[4:], y[4:])}


def images():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    return {split: (pixels, np.array([0, 9])) for split in ("train", "validation", "test")}


def moments(flattened):
    sizes = {"layers.0": 4, "layers.1": 3}
    draw = rng().standard_normal
    groups = GroupMoments(
        {
            f"relu_{i}": TensorMoments(draw((m, m)), draw(m), 9)
            for i, m in enumerate(sizes.values())
        },
        {name: draw((m, m)) for name, m in sizes.items()},
        {name: draw(m) for name, m in sizes.items()},
        {name: draw((m, m)) for name, m in sizes.items()},
    )
    whole = {"layers.0": draw(5)} if flattened else {}
    return CalibrationMoments(groups, whole, dict.fromkeys(whole, 36), 100)


def width_path():
    k = len(AWKWARD)
    return WidthPath(
        np.linspace(0.01, 0.1, k),
        np.stack([AWKWARD, AWKWARD[::-1]], axis=1),
        rng().exponential(size=(k, 2)),
        rng().integers(0, 16, (k, 2)),
        AWKWARD,
        np.arange(k) % 2 == 0,
    )


def selection(exhaustive=True, scale=1 / 3):
    def layer(i, m, width):
        own, other = f"layers.{i}", f"layers.{i + 1}"
        places = tuple((j,) for j in range(m))
        reader = Reader(other, f"{other}.weight", 1, 0, "linear", False, 0, 1, -1, "tensor", m)
        slots = (Slot(f"{own}.weight", 0, m, places), Slot(f"{other}.weight", 1, m, places, True))
        readings, sizes = (Reading(reader, places),), (("attention", "num_heads"),)
        group = Group(own, m, (f"{own}.weight",), slots, readings, ("drop",), sizes)
        losses = {name: rng().exponential(size=m) for name in ("A", "B")}
        path = GroupPath(
            group,
            rng().permutation(m),
            rng().random(m),
            None if scale is None else np.array(scale),
            losses,
            losses if exhaustive else {},
        )
        return GroupSelection(path, width)

    return Selection((layer(0, 4, 2), layer(1, 3, 3)), rescale_dropout=True, gap=1 / 3)


STATE = {
    "conv1.weight": torch.ones(2, 1, 3, 3),
    "layers.0.weight": torch.from_numpy(rng().standard_normal((4, 30))),
    "norm1.n": torch.tensor(3),
}
VALUES = {
    "samples": [mini_samples(), images()],
    "state": [STATE],
    "history": [
        {"loss": AWKWARD, "test_accuracy": AWKWARD[::-1].copy()},
        {"loss": np.array([np.inf, np.nan, -np.inf])},
    ],
    "moments": [moments(flattened=False), moments(flattened=True)],
    "width_path": [width_path()],
    "selection": [selection(), selection(exhaustive=False, scale=None)],
    "evaluations": [
        [
            Evaluation("original", "train", 1 / 3, 1.0, 802, 100),
            Evaluation("finetuned", "population", 0.1, 0.5, 283, 100_000),
        ]
    ],
}
CASES = [(name, value) for name, values in VALUES.items() for value in values]


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
    return files.sha256(path)


# Round trips


@pytest.mark.parametrize(("name", "value"), CASES, ids=[name for name, _ in CASES])
def test_round_trip_bit_for_bit(tmp_path, name, value):
    digest = formats.write(tmp_path / "file", value, name)
    assert digest == files.sha256(tmp_path / "file")
    assert_same_bits(formats.read(tmp_path / "file", digest, name), value)


def test_every_format_is_tested():
    modules = {module.name for module in pkgutil.iter_modules(formats.__path__)}
    # What the others write CSV with, and what no step reads.
    assert set(VALUES) == modules - {"table", "raw"}


@pytest.mark.parametrize(("name", "value"), CASES, ids=[name for name, _ in CASES])
def test_the_same_value_gives_the_same_file(tmp_path, name, value):
    first = formats.write(tmp_path / "1", value, name)
    assert formats.write(tmp_path / "2", value, name) == first


def test_weights_that_are_not_contiguous(tmp_path):
    weight = torch.arange(6, dtype=torch.float64).reshape(3, 2).T
    digest = formats.write(tmp_path / "file", {"weight": weight}, "state")
    assert torch.equal(formats.read(tmp_path / "file", digest, "state")["weight"], weight)


def test_a_value_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    formats.write(path, mini_samples(), "samples")
    before = path.read_bytes()
    with pytest.raises(AttributeError, match="groups"):
        formats.write(path, mini_samples(), "moments")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Names that others rely on


def test_a_data_set_has_two_arrays_per_split(tmp_path):
    formats.write(tmp_path / "dataset.npz", mini_samples(), "samples")
    with np.load(tmp_path / "dataset.npz") as file:
        assert {name: file[name].shape for name in file.files} == {
            "X_train": (4, 30),
            "y_train": (4,),
            "X_test": (3, 30),
            "y_test": (3,),
        }


def test_moments_are_numbered_by_layer(tmp_path):
    formats.write(tmp_path / "covariance.npz", moments(flattened=True), "moments")
    with np.load(tmp_path / "covariance.npz") as file:
        assert file["sigma_1"].shape == (4, 4)
        assert file["eigenvalues_2"].shape == (3,)
        assert file["eigenvectors_2"].shape == (3, 3)
        assert file["flattened_1"].shape == (5,)
        assert file["n_samples"] == 100


def test_a_state_has_the_tensors_by_name(tmp_path):
    formats.write(tmp_path / "original.safetensors", STATE, "state")
    tensors = safetensors.numpy.load((tmp_path / "original.safetensors").read_bytes())
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "conv1.weight": (2, 1, 3, 3),
        "layers.0.weight": (4, 30),
        "norm1.n": (),
    }


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("history", "epoch,loss,test_accuracy"),
        (
            "width_path",
            "rho,lambda_1,lambda_2,dof_1,dof_2,width_1,width_2,objective,converged",
        ),
        ("evaluations", "stage,split,loss,accuracy,parameters,n"),
    ],
)
def test_columns_of_a_table(tmp_path, name, header):
    formats.write(tmp_path / "table.csv", VALUES[name][0], name)
    assert (tmp_path / "table.csv").read_bytes().split(b"\n")[0].decode() == header


def test_epochs_count_from_1(tmp_path):
    formats.write(tmp_path / "history.csv", VALUES["history"][0], "history")
    assert (tmp_path / "history.csv").read_text().split("\n")[1].startswith("1,")


def test_a_selection_lists_layers_from_1_with_their_picks(tmp_path):
    formats.write(tmp_path / "selection.json", selection(), "selection")
    layers = json.loads((tmp_path / "selection.json").read_text())["layers"]
    assert [entry["layer"] for entry in layers] == [1, 2]
    first = selection().groups[0].path
    assert layers[0]["indices"] == first.index_path[:2].tolist()
    assert layers[0]["information"] == first.information_ratio[:2].tolist()


# Reading what must not be read


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", VALUES)
def test_a_bare_pickle_is_refused(tmp_path, name):
    digest = written(tmp_path / "file", pickle.dumps(Payload(tmp_path / "executed")))
    with pytest.raises(ArtifactError, match="file: cannot be parsed"):
        formats.read(tmp_path / "file", digest, name)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["samples", "moments"])
def test_npz_with_a_pickle_inside_is_refused(tmp_path, name):
    formats.write(tmp_path / "file.npz", VALUES[name][0], name)
    with np.load(tmp_path / "file.npz") as file:
        arrays = {key: file[key] for key in file.files}
    arrays[next(iter(arrays))] = np.array([Payload(tmp_path / "executed")], dtype=object)
    np.savez(tmp_path / "file.npz", **arrays)
    with pytest.raises(ArtifactError, match=r"file.npz: cannot be parsed: .*objects"):
        formats.read(tmp_path / "file.npz", files.sha256(tmp_path / "file.npz"), name)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", VALUES)
def test_a_damaged_file_is_named(tmp_path, name):
    digest = formats.write(tmp_path / "file", VALUES[name][0], name)
    content = bytearray((tmp_path / "file").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ArtifactError, match="file: damaged or replaced"):
        formats.read(tmp_path / "file", digest, name)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"PK\x03\x04 not an archive", b"[]", b'{"layers": [{"path": [0]}]}'],
    ids=["empty", "zeros", "PK", "list", "json"],
)
def test_another_content_of_the_right_hash_is_named(tmp_path, name, content):
    digest = written(tmp_path / "file", content)
    with pytest.raises(ArtifactError, match="file: cannot be parsed"):
        formats.read(tmp_path / "file", digest, name)


@pytest.mark.parametrize("name", ["samples", "moments"])
def test_an_archive_without_an_array_is_named(tmp_path, name):
    digest = written(tmp_path / "file", files.npz_bytes({}))
    with pytest.raises(ArtifactError, match="file: cannot be parsed"):
        formats.read(tmp_path / "file", digest, name)


@pytest.mark.parametrize("name", ["samples", "moments", "state", "selection"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_part_of_a_file_of_the_right_hash_is_named(tmp_path, name, share):
    formats.write(tmp_path / "file", VALUES[name][0], name)
    content = (tmp_path / "file").read_bytes()
    digest = written(tmp_path / "file", content[: int(share * len(content))])
    with pytest.raises(ArtifactError, match="file: cannot be parsed"):
        formats.read(tmp_path / "file", digest, name)


@pytest.mark.parametrize(
    "changed",
    [
        *({"indices": indices} for indices in ([0, 0], [], [4], [-1], [0.5])),
        *({"units": "x"}, {"width": 3}, {"path": [0, 1, 2]}, {"information": [0.5]}),
    ],
    ids=str,
)
def test_a_selection_that_no_network_has_is_refused(tmp_path, changed):
    path = tmp_path / "selection.json"
    formats.write(path, selection(), "selection")
    content = json.loads(path.read_text())
    content["layers"][0] |= changed
    digest = written(path, json.dumps(content).encode())
    with pytest.raises(ArtifactError, match=r"selection.json: cannot be parsed"):
        formats.read(path, digest, "selection")
