"""Variables, streams and file systems that are not as they should be: a table of each."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mini_exp.cli.surroundings import own_surroundings
from mini_exp.errors import ArtifactError
from mini_exp.files import write_bytes
from tests.conftest import ROOT, Project

VARIABLES = {
    "a notebook's backend": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "a backend that is not there": {"MPLBACKEND": "module://nowhere.to.be.found"},
    "a backend's name misspelt": {"MPLBACKEND": "aggg"},
    "an empty backend": {"MPLBACKEND": ""},
    "a backend with windows": {"MPLBACKEND": "TkAgg"},
    "a date that is none": {"SOURCE_DATE_EPOCH": "yesterday"},
    "a negative date": {"SOURCE_DATE_EPOCH": "-1"},
    "a fraction as a date": {"SOURCE_DATE_EPOCH": "1.5"},
    "an empty date": {"SOURCE_DATE_EPOCH": ""},
    "other digits": {"SOURCE_DATE_EPOCH": "١٢"},
    "a date": {"SOURCE_DATE_EPOCH": "1700000000"},
    "both": {"MPLBACKEND": "module://nowhere", "SOURCE_DATE_EPOCH": "junk"},
}


def forced(
    command: str, project: Project, environment: dict[str, str], *closed: str
) -> subprocess.CompletedProcess[str]:
    command = f'exec "$0" -m mini_exp {command} "$1" --results "$2" --force ' + " ".join(closed)
    return subprocess.run(
        ["sh", "-c", command, sys.executable, str(project.config), str(project.results)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "case",
    [case if case == "both" else pytest.param(case, marks=pytest.mark.long) for case in VARIABLES],
)
def test_a_variable_disturbs_no_report(tiny: Project, tmp_path: Path, case, tried) -> None:
    project = copied(tiny, tmp_path)
    done = forced("report", project, VARIABLES[case])
    assert (done.returncode, done.stderr) == (0, "")
    assert project.digests() == tiny.digests()
    tried("MPLBACKEND and SOURCE_DATE_EPOCH of all kinds", "success, same bytes")


@pytest.mark.parametrize("case", VARIABLES)
def test_variables_are_back_afterwards(monkeypatch, case) -> None:
    for name, value in VARIABLES[case].items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with own_surroundings():
        assert "MPLBACKEND" not in os.environ
        assert os.environ.get("SOURCE_DATE_EPOCH", "1700000000") == "1700000000"
    assert dict(os.environ) == before


def copied(project: Project, folder: Path) -> Project:
    import shutil

    shutil.copytree(project.results, folder / "results")
    return Project(project.config, folder / "results")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_disturb_nothing(tiny: Project, tmp_path: Path, closed, tried) -> None:
    project = copied(tiny, tmp_path)
    done = forced("gen-mini", project, {}, *closed.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert project.digests() == tiny.digests()
    tried("closed standard streams", "success, same bytes")


REFUSED = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS)


@pytest.mark.parametrize("number", REFUSED)
@pytest.mark.parametrize(
    "what", ["chmod", "open of the folder", "fsync of the folder", "any fsync"]
)
def test_a_file_is_whole_where_a_file_system_permits_less(
    tmp_path, monkeypatch, what, number, tried
):
    refuse(monkeypatch, what, number)
    path = tmp_path / "a" / "file"
    write_bytes(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    tried("a file system without chmod or fsync of folders", "the file is whole")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_is_told(tmp_path, monkeypatch, number):
    refuse(monkeypatch, "fsync of the folder", number)
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_bytes(tmp_path / "file", b"whole")


def refuse(monkeypatch: pytest.MonkeyPatch, what: str, number: int) -> None:
    """Let a call fail as on such a file system."""
    error = OSError(number, os.strerror(number))
    if what == "chmod":

        def chmod(path: Path, mode: int) -> None:
            raise error

        monkeypatch.setattr(Path, "chmod", chmod)
        return
    real_open, real_fsync = os.open, os.fsync

    def opened(path, flags, *more, **named):
        if Path(path).is_dir():
            raise error
        return real_open(path, flags, *more, **named)

    def fsync(descriptor: int) -> None:
        if what == "any fsync" or os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112 - a link of the system
            raise error
        real_fsync(descriptor)

    if what == "open of the folder":
        monkeypatch.setattr(os, "open", opened)
    else:
        monkeypatch.setattr(os, "fsync", fsync)


def test_a_file_system_without_locks_is_told_in_one_line(small: Project, monkeypatch, tried):
    import filelock

    def acquire(*_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    before = small.digests()
    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    result = small("run", "--force")
    assert result.exit_code == 1
    assert "its file system has no locks; give another directory" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert small.digests() == before
    tried("a file system without locks", "one line, exit 1")
