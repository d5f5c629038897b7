"""No disk, no home, no terminal: success, or one clear line; earlier results stay as they are."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project, experiment_file

# Without bytecode: under a file size limit Python itself would leave half-written caches behind.
MINIMAL = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
}


PAGE = 4096  # what a small file takes on a disk in memory


def mini_exp(*arguments: object, env: dict[str, str] | None = None, before=(), **options):
    return subprocess.run(
        [*before, sys.executable, "-m", "mini_exp", *map(str, arguments)],
        env=MINIMAL | (env or {}),
        capture_output=True,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment file whose steps take no time."""
    return experiment_file(
        tmp_path_factory.mktemp("quick") / "quick.yaml", variants={"corrected": {}}
    )


def one_line(result: subprocess.CompletedProcess[bytes]) -> str:
    assert result.returncode == 1, result.stderr
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def with_file_size_limit(limit: int, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    return mini_exp(
        *arguments,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


@pytest.mark.parametrize("limit", [0, 100, 20_000])
def test_file_size_limit(small: Project, tried, limit: int) -> None:
    """What a full disk looks like to a writer."""
    before = small.digests()
    result = with_file_size_limit(limit, "run", small.config, "--results", small.results, "--force")
    assert "cannot be written: File too large" in one_line(result)
    if limit < 1000:
        assert small.digests() == before
    assert not list(small.results.rglob("*.partial"))
    assert small("run").exit_code == 0  # and whatever was written is of use
    tried("a file size limit", "one line, exit 1; nothing half-written")


@pytest.fixture(scope="module")
def may_mount(tmp_path_factory: pytest.TempPathFactory) -> list[str] | None:
    """What precedes a command that may mount a disk, which nobody else sees; None if nothing does.

    Root may, and on most systems whoever becomes root of a user namespace.
    """
    mount = ("mount", "-t", "tmpfs", "none", str(tmp_path_factory.mktemp("disk")))
    for before in (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        with contextlib.suppress(OSError):  # there is no such program
            if subprocess.run([*before, *mount], capture_output=True, check=False).returncode == 0:
                return before
    return None


# Copies a results directory to a disk of some size, runs a command, copies what is there back.
ON_A_SMALL_DISK = """
size=$0; disk=$1; results=$2; shift 2
mount -t tmpfs -o size=$size none "$disk" && cp -a "$results/." "$disk" || exit
"$@"
code=$?
cp -a "$disk/." "$results"
exit $code
"""


def with_room(
    room: int, may_mount: list[str] | None, results: Path, command: str, *arguments: object
) -> tuple[subprocess.CompletedProcess[bytes], str]:
    """Run a command where only so many bytes can be written; and what kept it from writing more."""
    if may_mount is None:
        limited = with_file_size_limit(room, command, *arguments, "--results", results)
        return limited, "File too large"
    disk = results.parent / "disk"
    disk.mkdir()
    pages = sum(-(-path.stat().st_size // PAGE) for path in results.rglob("*") if path.is_file())
    size = pages * PAGE + room
    inside = ["sh", "-c", ON_A_SMALL_DISK, str(size), str(disk), str(results)]
    limited = mini_exp(command, *arguments, "--results", disk, before=[*may_mount, *inside])
    return limited, "No space left on device"


@pytest.mark.parametrize("room", [0, 2 * PAGE, 16 * PAGE])
def test_full_disk(small: Project, may_mount, tried, room: int) -> None:
    before = small.digests()
    result, reason = with_room(room, may_mount, small.results, "run", small.config, "--force")
    assert f"cannot be written: {reason}" in one_line(result)
    if room < 10_000:
        assert small.digests() == before
    assert not list(small.results.rglob("*.partial"))
    assert small("run").exit_code == 0
    tried(f"a full disk during run ({reason})", "one line, exit 1; nothing half-written")


@pytest.mark.long
def test_full_disk_during_a_study(tmp_path: Path, may_mount, tried) -> None:
    study = {"n_population": 200, "rho_num": 2}
    config = experiment_file(tmp_path / "quick.yaml", variants={"corrected": {}}, study=study)
    results = tmp_path / "results"
    results.mkdir()
    size = ("--replicates", "50", "--workers", "1")
    result, reason = with_room(4 * PAGE, may_mount, results, "study", config, *size)
    assert f"000000-000050.npz: cannot be written: {reason}" in one_line(result)
    assert not list(results.rglob("*.partial"))
    assert not list(results.rglob("*.npz"))
    tried(f"a full disk during study ({reason})", "one line, exit 1; nothing half-written")


def test_results_below_a_file(quick: Path, tmp_path: Path, tried) -> None:
    """Root may write anywhere, but not below a regular file."""
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    line = one_line(mini_exp("run", quick, "--results", blocked / "results"))
    assert "cannot be written" in line
    assert blocked.read_text() == "not a directory"
    tried("a results directory that cannot be written", "one line, exit 1")


def run_as_nobody(arguments: list[str], errors: str) -> None:
    """Permissions do not bind root; everything is imported before the privileges go."""
    import encodings.unicode_escape  # noqa: F401 - for the source that is hashed

    import mini_exp.experiment.formats.samples
    import mini_exp.experiment.pipeline
    import mini_exp.settings.reading
    import mini_exp.tasks.mini.task  # noqa: F401
    from mini_exp.cli import main

    with open(errors, "w") as stderr:
        os.dup2(stderr.fileno(), 2)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    main(arguments, prog_name="mini-exp")


def test_read_only_results(small: Project, tried) -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own is closed to other users
    try:
        shutil.copytree(small.results, folder / "results")
        shutil.copy(small.config, folder / "small.yaml")
        project = Project(folder / "small.yaml", folder / "results")
        before = project.digests()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        errors = small.results / "errors"
        arguments = ["gen-mini", str(project.config), "--results", str(project.results)]
        process = multiprocessing.get_context("spawn").Process(
            target=run_as_nobody, args=([*arguments, "--set", "seed=3"], str(errors))
        )
        process.start()
        process.join()
        assert process.exitcode == 1
        lines = errors.read_text().splitlines()
        assert len(lines) == 1
        assert "cannot be written: Permission denied" in lines[0]
        assert project.digests() == before
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(folder)
    tried("a read-only results directory", "one line, exit 1")


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="nothing", marks=pytest.mark.long),
        pytest.param({"LANG": "C"}, id="LANG=C", marks=pytest.mark.long),
        pytest.param(
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="ASCII only"
        ),
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="ASCII output", marks=pytest.mark.long),
        pytest.param({"TERM": "dumb", "NO_COLOR": "1"}, id="dumb terminal", marks=pytest.mark.long),
    ],
)
def test_poor_environments(quick: Path, tmp_path: Path, tried, env: dict[str, str]) -> None:
    """No HOME, no TERM, no locale; from another directory; a path with spaces and letters."""
    results = tmp_path / "some résultats" if "LC_ALL" not in env else tmp_path / "some results"
    result = mini_exp("run", quick, "--results", results, env=env, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    assert b"Table 1" in result.stdout
    assert (results / "quick" / "report.html").is_file()
    tried("no HOME, no TERM, LANG=C, odd paths, other directory", "success, nothing on stderr")


def test_a_relative_config_from_another_directory(quick: Path, tried) -> None:
    result = mini_exp("validate", quick.name, cwd=quick.parent)
    assert result.returncode == 0
    assert b"name: quick" in result.stdout
    tried("a current directory that is not the repository", "success")


def test_a_closed_pipe(small: Project, tried) -> None:
    """`mini-exp status … | head -1` ends both without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "mini_exp", "validate", str(small.config)],
        env=MINIMAL,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 1
    tried("a closed stdout pipe (| head)", "quiet exit 1")


def test_a_clock_that_jumps_backwards(small: Project, monkeypatch, tried) -> None:
    import time

    now = iter(range(10**9, 0, -86400))
    expected = small.digests()
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    result = small("run", "--force")
    assert result.exit_code == 0, result.output
    assert small.digests() == expected
    tried("a clock that jumps backwards", "success, same bytes")
