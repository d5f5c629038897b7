"""Hostile input: only our own errors come out, soon and without much memory."""

from __future__ import annotations

import hashlib
import io
import pickle
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mini_exp.errors import ArtifactError, ConfigError, MiniExpError
from mini_exp.experiment import formats
from mini_exp.experiment.sequence import ARTIFACTS
from mini_exp.settings.reading import load_config

SECONDS, BYTES = 2, 1e9

BOMBS = {
    "billion laughs": "a: &a [x, x]\n"
    + "".join(
        f"b{i}: &b{i} [*{'a' if i == 0 else f'b{i - 1}'}, *{'a' if i == 0 else f'b{i - 1}'}]\n"
        for i in range(40)
    ),
    "deep lists": "name: " + "[" * 50_000,
    "deep mappings": "{a: " * 20_000,
    "deep indentation": "".join(" " * i + f"a{i}:\n" for i in range(400)),
    "huge integer": "name: x\nvariants: {p: {train: {epochs: " + "9" * 50_000 + "}}}",
    "large integer": "name: x\nvariants: {p: {train: {epochs: " + "9" * 4000 + "}}}",
    "many epochs": "name: x\nvariants: {p: {train: {epochs: 1000000000000}}}",
    "infinity": "name: x\nvariants: {p: {train: {learning_rate: .inf}}}",
    "not a number": "name: x\nvariants: {p: {data: {epsilon: .nan}}}",
    "keys that are numbers": "1: 2\nname: x\nvariants: {p: {}}",
    "keys that are lists": "? [a, b]\n: c\n",
    "keys that are mappings": "? {a: b}\n: c\n",
    "keys that are null": "~: c\nname: x\nvariants: {p: {}}",
    "duplicate keys": "name: x\nvariants: {p: {}}\nvariants: {q: {}}",
    "python object": "name: !!python/object/apply:os.system [ls]",
    "binary": "name: !!binary aGVsbG8=",
    "date": "name: x\nvariants: {p: {seed: 2019-03-05}}",
    "set": "name: !!set {a, b}",
    "merge key": "name: x\nvariants: {p: {<<: {train: {epochs: 1}}}}",
    "two documents": "name: x\n---\nname: y\n",
    "control characters": "name: \x00\x07",
    "too long": "# " + "x" * 1_000_000,
    "absolute name": "name: /etc/passwd\nvariants: {p: {}}",
    "parent name": "name: ..\nvariants: {p: {}}",
    "parent variant": "name: x\nvariants: {'../../p': {}}",
}


def bounded(action) -> None:
    """Do it twice; fail if it took too much processor time, then if it took too much memory."""
    started = time.process_time()
    action()
    assert time.process_time() - started < SECONDS  # a resource limit: no load can fail it
    tracemalloc.start()
    try:
        action()
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_configs(tmp_path: Path, tried, name: str) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name], encoding="utf-8")

    def load() -> None:
        with pytest.raises(ConfigError, match=r"bomb\.yaml: "):
            load_config(path)

    bounded(load)
    tried(f"config: {name}", "one ConfigError, nothing written")


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Sørby".encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    ["name", "variants", "train", "epochs", "width", "rho", "choose", "num", "study", "rules"]
)
FILES = st.dictionaries(WORDS | st.text(), PLAIN | st.dictionaries(WORDS, PLAIN), max_size=6)


def fuzz_config(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            load_config(path)
        except MiniExpError:
            return


def yaml_text(value: object) -> str:
    import yaml

    return str(yaml.safe_dump(value, allow_unicode=True))


@settings(max_examples=200, deadline=None)
@given(st.text() | FILES.map(yaml_text))
def test_fuzzed_configs(text: str) -> None:
    fuzz_config(text)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(st.text() | FILES.map(yaml_text))
def test_fuzzed_configs_long(text: str) -> None:
    fuzz_config(text)


def read(name: str, content: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return formats.read(path, hashlib.sha256(content).hexdigest(), ARTIFACTS[name])


def npz(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(header: dict[str, object], data: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + data


def tensors(header: bytes, data: bytes = b"", size: int | None = None) -> bytes:
    return (len(header) if size is None else size).to_bytes(8, "little") + header + data


FLOATS = {"descr": "<f8", "fortran_order": False}
HOSTILE_FILES = {
    "npz: no zip": ("dataset.npz", b"PK\x03\x04 nothing"),
    "npz: empty": ("dataset.npz", b""),
    "npz: a shape larger than the file": (
        "dataset.npz",
        npz(**{"X_train.npy": npy(FLOATS | {"shape": (10**12,)})}),
    ),
    "npz: a shape that overflows": (
        "covariance.npz",
        npz(**{"sigma_1.npy": npy(FLOATS | {"shape": (2**40, 2**40)})}),
    ),
    "npz: a negative shape": (
        "covariance.npz",
        npz(**{"sigma_1.npy": npy(FLOATS | {"shape": (-1, 4)}, b"0" * 8)}),
    ),
    "npz: a pickle": ("dataset.npz", npz(**{"X_train.npy": pickle.dumps(print)})),
    "npz: an array of objects": (
        "dataset.npz",
        npz(
            **{
                "X_train.npy": npy(
                    {"descr": "|O", "fortran_order": False, "shape": (1,)}, pickle.dumps([print])
                )
            }
        ),
    ),
    "npz: a compressed bomb": (
        "dataset.npz",
        npz(zipfile.ZIP_DEFLATED, **{"X_train.npy": b"\0" * 10**8}),
    ),
    "npz: a missing array": ("dataset.npz", npz(**{"X_train.npy": npy(FLOATS | {"shape": (0,)})})),
    "npz: a name with ..": (
        "dataset.npz",
        npz(**{"../../X_train.npy": npy(FLOATS | {"shape": (0,)})}),
    ),
    "npz: an absolute name": (
        "dataset.npz",
        npz(**{"/etc/X_train.npy": npy(FLOATS | {"shape": (0,)})}),
    ),
    "safetensors: empty": ("original.safetensors", b""),
    "safetensors: a header longer than the file": (
        "original.safetensors",
        tensors(b"{}", size=2**62),
    ),
    "safetensors: offsets beyond the file": (
        "original.safetensors",
        tensors(
            b'{"layers.0.weight":{"dtype":"F64","shape":[100000,100000],'
            b'"data_offsets":[0,80000000000]}}'
        ),
    ),
    "safetensors: offsets that disagree with the shape": (
        "original.safetensors",
        tensors(
            b'{"layers.0.weight":{"dtype":"F64","shape":[2,2],"data_offsets":[0,8]}}', b"\0" * 8
        ),
    ),
    "safetensors: a pickle": ("original.safetensors", pickle.dumps(print)),
    "json: deep": ("selection.json", b"[" * 100_000),
    "json: not an object": ("selection.json", b"3"),
    "json: other keys": ("selection.json", b'{"layers": [{"layer": 1}]}'),
    "csv: empty": ("widths.csv", b""),
    "csv: other columns": ("widths.csv", b"a,b\n1,2\n"),
    "csv: binary": ("history.csv", bytes(range(256))),
    "csv: another column": (
        "evaluation.csv",
        b"stage,split,loss,accuracy,parameters,n,extra\na,b,1,1,1,1,1\n",
    ),
    "csv: words for numbers": (
        "evaluation.csv",
        b"stage,split,loss,accuracy,parameters,n\na,b,c,d,e,f\n",
    ),
    "csv: words for losses": ("history.csv", b"epoch,loss\n1,low\n"),
    "csv: words for widths": (
        "widths.csv",
        b"rho,lambda_1,dof_1,width_1,objective,converged\n1,1,1,few,1,True\n",
    ),
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_hostile_artifacts(tried, name: str) -> None:
    file, content = HOSTILE_FILES[name]

    def parse() -> None:
        with pytest.raises(ArtifactError, match=f"{file}: cannot be parsed"):
            read(file, content)

    bounded(parse)
    tried(name, "one ArtifactError, nothing unpickled")


def fuzz_artifact(name: str, content: bytes) -> None:
    try:
        read(name, content)
    except MiniExpError:
        return


@pytest.fixture(scope="module")
def genuine(small_finished) -> dict[str, bytes]:
    folder = small_finished.directory / "published"
    return {name: (folder / name).read_bytes() for name in ARTIFACTS}


def mangled(draw: st.DataObject, genuine: dict[str, bytes]) -> tuple[str, bytes]:
    """A genuine artifact with a few bytes changed, or any bytes at all."""
    name = draw.draw(st.sampled_from(sorted(genuine)))
    if draw.draw(st.booleans()):
        return name, draw.draw(st.binary(max_size=300))
    content = bytearray(genuine[name])
    for _ in range(draw.draw(st.integers(1, 8))):
        # Headers are at the ends: most changes go there.
        at = draw.draw(st.integers(0, min(len(content), 600) - 1))
        at = len(content) - 1 - at if draw.draw(st.booleans()) else at
        content[at] = draw.draw(st.integers(0, 255))
    return name, bytes(content)


SLOW_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW_FIXTURE)
@given(draw=st.data())
def test_fuzzed_artifacts(genuine, draw) -> None:
    fuzz_artifact(*mangled(draw, genuine))


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=SLOW_FIXTURE)
@given(draw=st.data())
def test_fuzzed_artifacts_long(genuine, draw) -> None:
    fuzz_artifact(*mangled(draw, genuine))
