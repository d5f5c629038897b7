"""The only loop over steps: what is fresh, what is stale and why; load, run, save."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mini_exp import __version__, artifacts
from mini_exp.config import Config, ImageConfig, setting
from mini_exp.errors import ArtifactError, ConfigError, DomainError, TrainingError

if TYPE_CHECKING:
    from mini_exp.training import OnEpoch

Say = Callable[[str], None]
Watch = Callable[[str, str], "OnEpoch | None"]

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Step:
    """One step of the experiment: what it reads and what it writes, in the order of ``run``."""

    name: str
    settings: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    package: str = "mini_exp.steps"
    trains: bool = False  # then ``run`` takes ``on_epoch``, too

    @property
    def module(self) -> str:
        """The module whose ``run(settings, *inputs)`` returns the outputs."""
        return f"{self.package}.{self.name.replace('-', '_')}"


STEPS = (
    Step(
        "gen-mini",
        ("seed", "data.kind", "data.n_train", "data.n_test", "data.epsilon", "data.labels"),
        (),
        ("dataset.npz",),
    ),
    Step(
        "train",
        ("seed", "device", "dtype", "model", "train"),
        ("dataset.npz",),
        ("original.safetensors", "history.csv"),
        trains=True,
    ),
    Step(
        "covariance",
        ("covariance",),
        ("original.safetensors", "dataset.npz"),
        ("covariance.npz",),
    ),
    Step(
        "estimate-width",
        ("width.solver", "width.regularizer", "width.boundary", "width.rho", "width.choose.rho"),
        ("covariance.npz",),
        ("widths.csv",),
    ),
    Step(
        "select",
        ("model.bias", "width.choose", "select", "compress"),
        ("original.safetensors", "covariance.npz", "widths.csv"),
        ("selection.json", "compressed.safetensors"),
    ),
    Step(
        "finetune",
        (
            *("seed", "device", "dtype", "finetune"),
            *("data.kind", "data.n_population", "data.epsilon", "data.labels"),
        ),
        ("dataset.npz", "original.safetensors", "compressed.safetensors"),
        ("finetuned.safetensors", "finetune_history.csv", "evaluation.csv"),
        trains=True,
    ),
)
_IMAGES = "mini_exp.steps.images"
IMAGE_STEPS = (
    Step("load-images", ("seed", "data"), (), ("dataset.npz",), _IMAGES),
    Step(
        "train",
        ("seed", "device", "model", "train"),
        ("dataset.npz",),
        ("original.safetensors", "history.csv"),
        _IMAGES,
        trains=True,
    ),
    Step(
        "covariance",
        ("device", "model", "covariance", "select.tied"),
        ("original.safetensors", "dataset.npz"),
        ("covariance.npz",),
        _IMAGES,
    ),
    Step(
        "estimate-width",
        ("width.regularizer", "width.rho"),
        ("covariance.npz",),
        ("widths.csv",),
        _IMAGES,
    ),
    Step(
        "select",
        ("device", "model", "covariance", "width.choose", "select", "compress"),
        ("dataset.npz", "original.safetensors", "covariance.npz"),
        ("selection.json", "compressed.safetensors"),
        _IMAGES,
    ),
    Step(
        "finetune",
        ("seed", "device", "model", "finetune"),
        ("dataset.npz", "original.safetensors", "selection.json", "compressed.safetensors"),
        ("finetuned.safetensors", "finetune_history.csv", "evaluation.csv"),
        _IMAGES,
        trains=True,
    ),
)
REPORT = "report"
STUDY_PAGES = (
    "study/claims.md",
    "study/claims.csv",
    *(
        f"study/figures/{name}.png"
        for name in ("table1_distributions", "stages", "widths_over_rho", "jump")
    ),
)
COMPARE_PAGES = ("compare/compare.md", "compare/figures/accuracy.png")
COMPARISON_PAGES = ("differences.md", "figures/accuracy.png")
COMMANDS = (*(step.name for step in STEPS), REPORT)


@dataclass(frozen=True)
class State:
    """Whether a step's results are there and belong to the present settings, inputs and code."""

    variant: str  # "" for the report
    step: str
    state: str  # fresh, stale, missing
    why: str = ""


@dataclass
class _Fingerprint:
    """Everything that a step's results depend on, each part by name."""

    settings: dict[str, Any]
    inputs: dict[str, str | None]
    code: dict[str, str]


@dataclass
class Experiment:
    """An experiment and its results directory.

    Parameters
    ----------
    config : Config
    results : Path
        The directory that holds ``<name>/``; created when something is written.
    say : callable
        Receives one line per step.
    watch : callable
        Told of a variant's step that begins; what it returns hears of every epoch, if the step
        trains.
    """

    config: Config | ImageConfig
    results: Path
    say: Say = print
    watch: Watch = lambda variant, step: None
    _hashes: dict[Path, str | None] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.results / self.config.name

    @property
    def kind(self) -> str:
        """Of the experiment: on MINI or on images."""
        return "mini" if isinstance(self.config, Config) else "images"

    @property
    def steps(self) -> tuple[Step, ...]:
        """Of this kind of experiment, in order."""
        return STEPS if self.kind == "mini" else IMAGE_STEPS

    @property
    def makers(self) -> dict[str, Step]:
        """From every artifact to the step that makes it."""
        return {file: step for step in self.steps for file in step.outputs}

    @property
    def _report_module(self) -> str:
        return f"{self.steps[0].package}.{REPORT}"

    # What is there

    def status(self) -> list[State]:
        """The state of every step of every variant, then of the report; writes nothing."""
        manifest = artifacts.read_manifest(self.directory)
        states = []
        for variant in self.config.variants:
            not_fresh: dict[str, State] = {}
            for step in self.steps:
                state = self._state(manifest, variant, step)
                after = [self.makers[file].name for file in step.inputs]
                waiting = next((name for name in after if name in not_fresh), None)
                if state.state == "fresh" and waiting:
                    state = State(variant, step.name, "stale", f"{waiting} comes first")
                if state.state != "fresh":
                    not_fresh[step.name] = state
                states.append(state)
        report = self._report_state(manifest)
        if report.state == "fresh" and any(state.state != "fresh" for state in states):
            report = State("", REPORT, "stale", "steps before it come first")
        return [*states, report]

    def _state(self, manifest: artifacts.Manifest, variant: str, step: Step) -> State:
        record = manifest.steps.get(f"{variant}/{step.name}")
        return self._compared(variant, step.name, record, self._fingerprint(variant, step))

    def _report_state(self, manifest: artifacts.Manifest) -> State:
        record = manifest.steps.get(REPORT)
        return self._compared("", REPORT, record, self._report_fingerprint())

    def _compared(
        self, variant: str, step: str, record: artifacts.Record | None, now: _Fingerprint
    ) -> State:
        folder = self.directory / variant
        if record is None:
            return State(variant, step, "missing")
        for file, expected in record.outputs.items():
            found = self._sha256(folder / file)
            if found is None:
                return State(variant, step, "missing", f"{file} is not there")
            if found != expected:
                return State(variant, step, "stale", f"{file} is damaged or was replaced")
        for key in sorted(record.settings.keys() | now.settings.keys()):
            where, was, is_now = _difference(key, record.settings.get(key), now.settings.get(key))
            if was != is_now:
                why = f"{where} was {_short(was)}, is {_short(is_now)}"
                return State(variant, step, "stale", why)
        for file in sorted(record.inputs.keys() | now.inputs.keys()):
            if record.inputs.get(file) != now.inputs.get(file):
                return State(variant, step, "stale", f"{file} changed")
        for module in sorted(record.code.keys() | now.code.keys()):
            if record.code.get(module) != now.code.get(module):
                return State(variant, step, "stale", f"the code in {module} changed")
        return State(variant, step, "fresh")

    def _fingerprint(self, variant: str, step: Step) -> _Fingerprint:
        settings = self.config.variants[variant]
        return _Fingerprint(
            settings={key: setting(settings, key) for key in step.settings},
            inputs={file: self._sha256(self.directory / variant / file) for file in step.inputs},
            code=code_hashes(step.module),
        )

    def _report_fingerprint(self) -> _Fingerprint:
        return _Fingerprint(
            settings={
                **self._section(),
                **{
                    f"variants.{variant}": settings.model_dump(mode="json")
                    for variant, settings in self.config.variants.items()
                },
            },
            inputs={
                **{
                    f"{variant}/{file}": self._sha256(self.directory / variant / file)
                    for variant in self.config.variants
                    for file in self.makers
                },
                **self._extra_pages(),
                **self._comparisons(),
            },
            code=code_hashes(self._report_module),
        )

    def _section(self) -> dict[str, Any]:
        """What the config says of `study` or `compare`."""
        if isinstance(self.config, Config):
            return {"study": self.config.study.model_dump(mode="json")}
        return {"compare": self.config.compare.model_dump(mode="json")}

    def _extra_pages(self) -> dict[str, str | None]:
        """What `study` or `compare` wrote: no step makes it, the report takes up what was made
        with the same settings."""
        folder, files = (
            ("study", STUDY_PAGES) if self.kind == "mini" else ("compare", COMPARE_PAGES)
        )
        same = hashlib.sha256(self.config.as_yaml().encode()).hexdigest()
        if self._sha256(self.directory / folder / "config.yaml") != same:
            return {}
        pages = {file: self._sha256(self.directory / file) for file in files}
        return {file: found for file, found in pages.items() if found is not None}

    def _comparisons(self) -> dict[str, str | None]:
        """What `compare` found on images, beside an experiment on MINI."""
        files: dict[str, str | None] = {}
        if self.kind != "mini":
            return files
        for folder in sorted(self.results.glob("*/compare")):
            pages = [f"../{folder.parent.name}/compare/{page}" for page in COMPARISON_PAGES]
            found = {page: self._sha256(self.directory / page) for page in pages}
            if None not in found.values():
                files.update(found)
        return files

    def _sha256(self, path: Path) -> str | None:
        if path not in self._hashes:
            self._hashes[path] = artifacts.sha256(path)
        return self._hashes[path]

    # Running

    def check_devices(self) -> None:
        """Refuse a GPU where there is none, before anything is written."""
        for variant, settings in self.config.variants.items():
            if settings.device.startswith("cuda"):
                import torch

                if not torch.cuda.is_available():
                    raise ConfigError(
                        f"{variant}: device: expected cpu, since PyTorch finds no CUDA device "
                        f"here, got {settings.device!r}"
                    )

    def run(self, force: bool = False) -> None:
        """Run whatever is not fresh, of every variant, then the report."""
        self.check_devices()
        with artifacts.locked(self.directory):
            for variant in self.config.variants:
                for step in self.steps:
                    self._run_step(variant, step, force)
            self._run_report(force)

    def run_command(self, command: str, force: bool = False) -> None:
        """Run one step of every variant, from the artifacts of the steps before it.

        Raises
        ------
        ArtifactError
            If an input is missing, stale or damaged, naming the command that makes it. Nothing
            is run then.
        """
        self.check_devices()
        states = {(state.variant, state.step): state for state in self.status()}
        steps = [step for step in self.steps if step.name == command]
        if not steps and command != REPORT:
            raise ConfigError(
                f"{command}: not a step of an experiment on {self.kind}; expected one of "
                f"{', '.join(step.name for step in self.steps)}"
            )
        needed = set(self.makers) if command == REPORT else set(steps[0].inputs)
        makers = {self.makers[file].name for file in needed}
        for (variant, name), state in states.items():
            if name in makers and state.state != "fresh":
                why = f": {state.why}" if state.why else ""
                raise ArtifactError(
                    f"{command}: {self.directory / variant}: the results of {name} are "
                    f"{state.state}{why}; make them with `mini-exp {name}`"
                )
        with artifacts.locked(self.directory):
            if command == REPORT:
                self._run_report(force)
            for step in steps:
                for variant in self.config.variants:
                    self._run_step(variant, step, force)

    def _run_step(self, variant: str, step: Step, force: bool) -> None:
        manifest = artifacts.read_manifest(self.directory)
        state = self._state(manifest, variant, step)
        if state.state == "fresh" and not force:
            self.say(f"{variant:16} {step.name:15} fresh, skipped")
            return
        started = time.perf_counter()
        folder = self.directory / variant
        fingerprint = self._fingerprint(variant, step)
        twin = None if force else self._twin(manifest, variant, step, fingerprint)
        if twin is not None:
            source = manifest.steps[f"{twin}/{step.name}"].outputs
            written = {
                file: artifacts.write_bytes(
                    folder / file, artifacts.read_bytes(self.directory / twin / file, digest)
                )
                for file, digest in source.items()
            }
            self._record(f"{variant}/{step.name}", variant, fingerprint, written, started, manifest)
            self.say(f"{variant:16} {step.name:15} the same as {twin}'s, copied")
            return
        on_epoch = self.watch(variant, step.name)
        inputs = [
            artifacts.read(folder / file, fingerprint.inputs[file], self.kind)
            for file in step.inputs
        ]
        settings = self.config.variants[variant]
        heard = {"on_epoch": on_epoch} if step.trains else {}
        try:
            outputs = importlib.import_module(step.module).run(settings, *inputs, **heard)
        except TrainingError as error:
            raise TrainingError(f"{variant}: {step.name}: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"{variant}: {error}") from None
        except DomainError as error:
            raise DomainError(f"{variant}: {step.name}: {error}") from None
        written = {
            file: artifacts.write(folder / file, value, self.kind)
            for file, value in zip(step.outputs, outputs, strict=True)
        }
        self._record(f"{variant}/{step.name}", variant, fingerprint, written, started, manifest)
        self._say_done(variant, step.name, started, state)

    def _twin(
        self, manifest: artifacts.Manifest, variant: str, step: Step, fingerprint: _Fingerprint
    ) -> str | None:
        """Another variant whose results of this step are there and depend on just the same."""
        for other in self.config.variants:
            record = manifest.steps.get(f"{other}/{step.name}")
            if other == variant or record is None:
                continue
            made_for = _Fingerprint(record.settings, record.inputs, record.code)
            there = all(
                self._sha256(self.directory / other / file) == digest
                for file, digest in record.outputs.items()
            )
            if made_for == fingerprint and there:
                return other
        return None

    def _run_report(self, force: bool) -> None:
        manifest = artifacts.read_manifest(self.directory)
        state = self._report_state(manifest)
        if state.state == "fresh" and not force:
            self.say(f"{'':16} {REPORT:15} fresh, skipped")
            return
        started = time.perf_counter()
        self.watch("", REPORT)
        fingerprint = self._report_fingerprint()
        results = {
            variant: {
                file: artifacts.read(
                    self.directory / variant / file,
                    fingerprint.inputs[f"{variant}/{file}"],
                    self.kind,
                )
                for file in self.makers
            }
            for variant in self.config.variants
        }
        extra = {
            file: artifacts.read_bytes(self.directory / file, expected)
            for file, expected in {**self._extra_pages(), **self._comparisons()}.items()
        }
        records = self._step_records(manifest)
        report = importlib.import_module(self._report_module)
        pages = report.run(self.config, results, extra, records)
        written = {
            file: artifacts.write_bytes(self.directory / file, content)
            for file, content in pages.items()
        }
        self._record(REPORT, "", fingerprint, written, started, manifest)
        self._say_done("", REPORT, started, state)

    def _step_records(self, manifest: artifacts.Manifest) -> list[Any]:
        from mini_exp.types import StepRecord

        records = []
        for step in self.steps:
            done = {v: manifest.steps[f"{v}/{step.name}"] for v in self.config.variants}
            seconds = {variant: record.seconds for variant, record in done.items()}
            finished = {variant: record.finished for variant, record in done.items()}
            records.append(StepRecord(step.name, step.settings, step.outputs, seconds, finished))
        return records

    def _say_done(self, variant: str, step: str, started: float, state: State) -> None:
        why = f"  ({state.why})" if state.why else ""
        self.say(f"{variant:16} {step:15} {time.perf_counter() - started:6.2f} s{why}")

    def _record(
        self,
        key: str,
        variant: str,
        fingerprint: _Fingerprint,
        written: dict[str, str],
        started: float,
        manifest: artifacts.Manifest,
    ) -> None:
        for file, digest in written.items():
            self._hashes[self.directory / variant / file] = digest
        environment = _environment()
        label = hashlib.sha256(json.dumps(environment).encode()).hexdigest()[:12]
        manifest.name = self.config.name
        manifest.seeds = {variant: s.seed for variant, s in self.config.variants.items()}
        manifest.steps[key] = artifacts.Record(
            settings=fingerprint.settings,
            inputs=fingerprint.inputs,
            code=fingerprint.code,
            outputs=written,
            seconds=round(time.perf_counter() - started, 3),
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            environment=label,
        )
        used = {record.environment for record in manifest.steps.values()}
        known = {**manifest.environments, label: environment}
        manifest.environments = {name: made for name, made in known.items() if name in used}
        artifacts.write_manifest(self.directory, manifest)


def _difference(key: str, was: Any, is_now: Any) -> tuple[str, Any, Any]:
    """The key and the values of the first setting that differs inside a section."""
    while isinstance(was, dict) and isinstance(is_now, dict) and was != is_now:
        part = next(p for p in [*was, *is_now] if was.get(p) != is_now.get(p))
        key, was, is_now = f"{key}.{part}", was.get(part), is_now.get(part)
    return key, was, is_now


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


@functools.cache
def _environment() -> dict[str, Any]:
    """Versions, platform, what sets the number of threads, git revision."""
    names = ("numpy", "scipy", "torch", "pandas", "matplotlib")
    return {
        "mini_exp": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        **{name: importlib.metadata.version(name) for name in names},
        "git_revision": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
    }


def _git(*arguments: str) -> str | None:
    """Output of git in the package's checkout; None where there is none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@functools.cache
def code_hashes(module: str) -> dict[str, str]:
    """SHA-256 of the code in every source file that a module depends on, by name.

    Comments, docstrings and layout do not count: they change no result. Found by reading the
    imports, so nothing is imported. ``config`` and ``errors`` are left out: what a step reads of
    the config is in its fingerprint by value.
    """
    found: dict[str, str] = {}
    waiting = [module.removeprefix("mini_exp.")]
    while waiting:
        name = waiting.pop()
        path = PACKAGE.joinpath(*name.split(".")).with_suffix(".py")
        if name not in (*found, "config", "errors") and path.is_file():
            found[name], imports = _code(path)
            waiting += imports
    if module.endswith(f".{REPORT}"):
        beside = [*PACKAGE.glob("report/templates/*"), *PACKAGE.glob("report/*.mplstyle")]
        for file in sorted(beside):
            found[f"report/{file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


@functools.cache
def _code(path: Path) -> tuple[str, list[str]]:
    """SHA-256 of a file's code, and what it imports of this package."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), list(_imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Names of this package that the source imports, without the package's own name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mini_exp"):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                yield name.removeprefix("mini_exp").removeprefix(".")
