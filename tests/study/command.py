"""`mini-exp study` as a process, and a Dask cluster that another process runs."""

import contextlib
import dataclasses
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
GUARD = 600  # seconds until a process that hangs is killed


@dataclasses.dataclass
class Study:
    """One experiment file and one results directory."""

    config: Path
    results: Path
    printed: SimpleNamespace | None = None

    @property
    def folder(self):
        return self.results / "tiny" / "study"

    @property
    def replicates(self):
        return (self.folder / "replicates.csv").read_bytes()

    def digests(self):
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def started(self, *options, module="tests.study.quick"):
        """A process in a group of its own, as a terminal gives it."""
        command = ["-m", module, "study", str(self.config), "--results", str(self.results)]
        return subprocess.Popen(
            [sys.executable, *command, *options],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *options, module="tests.study.quick", timeout=GUARD):
        return ended(self.started(*options, module=module), timeout)


def ended(process, timeout=GUARD):
    """Exit code, lines on standard output, lines on standard error."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return SimpleNamespace(code=process.returncode, out=out.splitlines(), err=err.splitlines())


def chunks(lines):
    """(first, last) of every chunk that was computed."""
    found = [re.match(r"study: replicates (\d+)–(\d+), ", line) for line in lines]
    return sorted((int(match[1]), int(match[2])) for match in found if match)


def until_first_chunk(process):
    guard = threading.Timer(GUARD, os.killpg, (process.pid, signal.SIGKILL))
    guard.start()
    first = next((line for line in process.stdout if chunks([line])), None)
    guard.cancel()
    if first is None:
        pytest.fail(f"no chunk finished: {process.stderr.read()}")


def without_study(undisturbed, results):
    shutil.copytree(undisturbed.results, results, ignore=lambda *_: {"study"})
    return Study(undisturbed.config, results)


@contextlib.contextmanager
def cluster():
    """A process that runs a cluster, and the address of its scheduler."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.study.cluster"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process, process.stdout.readline().strip()
    process.communicate()
