"""Files that are whole or absent under their name."""

import errno
import os
import stat

import numpy as np
import pytest

from mini_exp import files
from mini_exp.errors import ArtifactError


def disk_is_full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


# Writing


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "history.csv"
    files.write_bytes(path, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(call, disk_is_full)
        with pytest.raises(ArtifactError, match=r"history.csv: cannot be written: No space left"):
            files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_no_new_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(ArtifactError, match=r"deep/history.csv: cannot be written: No space left"):
        files.write_bytes(tmp_path / "deep" / "history.csv", b"new")
    assert list((tmp_path / "deep").iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt("now")

    path = tmp_path / "history.csv"
    files.write_bytes(path, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt, match="now"):
            files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_where_the_directory_should_be(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ArtifactError, match=r"history.csv: cannot be written: (File exists|Not a)"):
        files.write_bytes(tmp_path / "results" / "history.csv", b"new")


def test_directories_are_made_and_files_are_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    files.write_bytes(path, b"one")
    digest = files.write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert digest == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    assert list(path.parent.iterdir()) == [path]


def test_files_have_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


# Reading


def test_a_file_reads_back_by_its_hash(tmp_path):
    digest = files.write_bytes(tmp_path / "file", b"content")
    assert digest == files.sha256(tmp_path / "file")
    assert files.read_bytes(tmp_path / "file", digest) == b"content"


def test_a_file_that_was_replaced_is_named(tmp_path):
    digest = files.write_bytes(tmp_path / "file", b"content")
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(ArtifactError, match="file: damaged or replaced"):
        files.read_bytes(tmp_path / "file", digest)


def test_a_missing_file_is_named(tmp_path):
    assert files.sha256(tmp_path / "file") is None
    with pytest.raises(ArtifactError, match="file: cannot be read: No such file"):
        files.read_bytes(tmp_path / "file", None)


def test_a_directory_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(ArtifactError, match="file: cannot be read: Is a directory"):
        files.read_bytes(tmp_path / "file", None)
    with pytest.raises(ArtifactError, match="file: cannot be read: Is a directory"):
        files.sha256(tmp_path / "file")


# Arrays


def test_arrays_read_back_bit_for_bit():
    arrays = {
        "a": np.array([1 / 3, np.nextafter(1, 2), 5e-324, -0.0]),
        "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "c": np.array(True),
        "d": np.array(["conv1", "ü"]),
        "e": np.zeros((0, 3), np.float32),
    }
    back = files.npz_arrays(files.npz_bytes(arrays))
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


def test_an_array_of_objects_is_refused_before_it_is_unpickled(tmp_path):
    array = np.array([Payload(tmp_path / "executed")], dtype=object)
    np.savez(tmp_path / "hostile.npz", array=array)
    with pytest.raises(ValueError, match=r"array.npy holds objects"):
        files.npz_arrays((tmp_path / "hostile.npz").read_bytes())
    assert not (tmp_path / "executed").exists()


def test_a_compressed_array_is_refused_before_it_is_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", array=np.zeros(10**6))
    with pytest.raises(ValueError, match=r"array.npy is compressed"):
        files.npz_arrays((tmp_path / "bomb.npz").read_bytes())
