"""Small experiments that run once per session; tests that change one get a copy."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from click.testing import CliRunner, Result
from filelock import FileLock

from mini_exp.cli import main
from tests.blank_figures import leave_out_drawing
from tests.digits import digits_file

ROOT = Path(__file__).parent.parent
T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    """An experiment file and a results directory, with the command line to work on them."""

    config: Path
    results: Path

    @property
    def directory(self) -> Path:
        """The experiment's own results directory."""
        return self.results / self.config.stem

    def __call__(self, command: str, *options: str) -> Result:
        where = () if command == "validate" else ("--results", str(self.results))
        return CliRunner().invoke(main, [command, str(self.config), *where, *options])

    def paths(self) -> Iterator[Path]:
        """Every file but the lock, by name."""
        for path in sorted(self.results.rglob("*")):
            if path.is_file() and not path.name.startswith(".lock"):
                yield path

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file but the manifest, and of report.html but for its marked times."""
        return {
            str(path.relative_to(self.results)): hashlib.sha256(_timeless(path)).hexdigest()
            for path in self.paths()
            if path.name != "manifest.json"
        }

    def identities(self) -> dict[Path, tuple[int, int]]:
        """Inode and time of change of every file: the same only where nothing was rewritten."""
        stats = {path: path.stat() for path in self.paths()}
        return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in stats.items()}


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name != "report.html":
        return content
    timeless, times = re.subn(rb'<span class="run">[^<]*</span>', b"", content)
    assert times in (7, 8)  # of six steps and the date; with an export of seven
    return timeless


def stub(patch: pytest.MonkeyPatch) -> None:
    """Leave out what takes ten times as long as a small experiment: drawing, waiting for disks."""
    patch.setattr(os, "fsync", lambda _: None)
    leave_out_drawing(patch.setattr)


def experiment_file(path: Path, **changes: object) -> Path:
    """An experiment of two variants made from configs/smoke.yaml."""
    settings = yaml.safe_load((ROOT / "configs" / "smoke.yaml").read_text(encoding="utf-8"))
    settings["name"] = path.stem
    settings["data"] = {"n_population": 500}
    settings["train"], settings["finetune"] = {"epochs": 3}, {"epochs": 3}
    settings["width"]["rho"]["num"] = 3
    settings["variants"] = {
        name: settings["variants"][name] for name in ("published", "corrected_bias")
    }
    settings["variants"]["published"]["width"]["rho"]["num"] = 3
    settings.update(changes)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Record a fault and what came of it; call it after the assertions."""
    return lambda fault, outcome: record_property("tried", (fault, outcome))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table of every fault tried, by whichever process."""
    outcomes = Counter(
        tuple(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == "tried"
    )
    if outcomes:
        terminalreporter.section("faults tried")
        for (fault, outcome), times in sorted(outcomes.items()):
            terminalreporter.line(f"{times:5} x  {fault:52} {outcome}")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A background job ignores Ctrl-C, and so would every process that these tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What ``make`` gives and writes to a folder, made by one of pytest's processes for all."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    made = folder / "made.pickle"
    with FileLock(f"{folder}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made.write_bytes(pickle.dumps(make(folder)))
        result: T = pickle.loads(made.read_bytes())
        return result


def after(command: str, config: Path) -> Project:
    """The experiment with results beside its file."""
    project = Project(config, config.parent / "results")
    result = project(command)
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """MiniModel, drawn in full. Only to be looked at: every test shares it."""
    return once(tmp_path_factory, "tiny", lambda f: after("run", experiment_file(f / "tiny.yaml")))


@pytest.fixture(scope="session")
def small_finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Hidden widths 6, 5, 4 and no drawing. Only to be looked at."""
    folder = tmp_path_factory.mktemp("small")
    config = experiment_file(
        folder / "small.yaml",
        model={"widths": [6, 5, 4]},
        width={"rho": {"start": 1, "stop": 10, "num": 3}, "choose": [3, 2, 2]},
    )
    project = Project(config, folder / "results")
    with pytest.MonkeyPatch.context() as patch:
        stub(patch)
        result = project("run")
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture
def small(small_finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the finished small experiment; drawing stays off."""
    stub(monkeypatch)
    shutil.copytree(small_finished.results, tmp_path / "results")
    return Project(small_finished.config, tmp_path / "results")


@pytest.fixture(scope="session")
def compared_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Digits with a comparison, drawn in full. Only to be looked at."""
    file = "small_digits.yaml"
    return once(tmp_path_factory, "compared", lambda f: after("compare", digits_file(f / file)))


@pytest.fixture
def compared(compared_once: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy; drawing is off from now on."""
    stub(monkeypatch)
    shutil.copytree(compared_once.results, tmp_path / "results")
    return Project(compared_once.config, tmp_path / "results")


@pytest.fixture
def empty(small_finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The small experiment before anything has run; drawing stays off."""
    stub(monkeypatch)
    return Project(small_finished.config, tmp_path / "results")


@pytest.fixture
def another(tmp_path: Path) -> Callable[[Project], Project]:
    """The same experiment with another, empty results directory."""
    return lambda project: Project(project.config, tmp_path / "another")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """For subprocesses that must find the package wherever pytest was started."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
