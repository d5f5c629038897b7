"""One process at a time in a results directory."""

import os

import pytest

from mini_exp.errors import ArtifactError
from mini_exp.experiment.lock import locked
from mini_exp.files import PARTIAL


def test_a_directory_is_held_by_one(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(ArtifactError, match=rf"in use by process {os.getpid()} since \d{{4}}-"),
        locked(tmp_path),
    ):
        pass


def test_a_directory_is_free_again(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    left = tmp_path / "published" / f".history.csv.abc{PARTIAL}"
    kept = tmp_path / "published" / f"notes{PARTIAL}"
    left.parent.mkdir()
    for path in (left, kept):
        path.write_text("part of a file")
    with locked(tmp_path):
        assert not left.exists()
    assert kept.exists()


def test_what_the_holder_is_writing_is_left_alone(tmp_path):
    with locked(tmp_path):
        being_written = tmp_path / f".history.csv.abc{PARTIAL}"
        being_written.write_text("part of a file")
        with pytest.raises(ArtifactError, match="in use by process"), locked(tmp_path):
            pass
        assert being_written.exists()


def test_an_error_frees_the_directory(tmp_path):
    with pytest.raises(ValueError, match="inside"), locked(tmp_path):
        raise ValueError("inside")
    with locked(tmp_path):
        pass


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "results").write_text("occupied")
    with (
        pytest.raises(ArtifactError, match=r"results: cannot be written: File exists"),
        locked(tmp_path / "results"),
    ):
        pass
