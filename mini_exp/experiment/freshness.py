"""What a step's results depend on, and whether those on disk still belong to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.manifest import Manifest, Record, read_manifest
from mini_exp.experiment.publications import published_pages
from mini_exp.experiment.sequence import Job, jobs_of
from mini_exp.files import sha256
from mini_exp.settings.config import Config
from mini_exp.settings.walk import setting
from mini_exp.tasks.section import DataSection, ModelSection


@dataclass(frozen=True)
class State:
    """Whether a step's results are there and belong to the present settings, inputs and code."""

    variant: str  # "" for the report
    step: str
    state: str  # fresh, stale, missing
    why: str = ""


@dataclass(frozen=True)
class Fingerprint:
    """Everything that a step's results depend on, each part by name."""

    settings: dict[str, Any]
    inputs: dict[str, str | None]  # SHA-256; None where there is no file
    code: dict[str, str]
    files: dict[str, str | None]  # outside of the results; None where there is none


class Snapshot:
    """What one call sees of an experiment's results directory.

    Every file is hashed once, so a snapshot must not outlive the call: files change between calls.

    Parameters
    ----------
    config : Config
    directory : Path
        The experiment's own.

    Raises
    ------
    ArtifactError
        If the manifest is damaged or of another version.
    """

    def __init__(self, config: Config, directory: Path) -> None:
        self.config = config
        self.directory = directory
        self.manifest: Manifest = read_manifest(directory)
        self._hashes: dict[Path, str | None] = {}
        self._outside: dict[str, Mapping[str, str | None]] = {}  # by section

    def sha256(self, path: Path) -> str | None:
        """SHA-256 of a file when this snapshot first saw it; None where there was none."""
        if path not in self._hashes:
            self._hashes[path] = sha256(path)
        return self._hashes[path]

    def wrote(self, path: Path, digest: str) -> None:
        """Take note of a file that this process wrote."""
        self._hashes[path] = digest

    def states(self) -> list[State]:
        """The state of every step, in order; after one that is not fresh, none is."""
        states: dict[str, State] = {}
        for job in jobs_of(self.config):
            state = self.state(job)
            if state.state == "fresh":
                before = (states[other.key] for other in needed(self.config, job))
                waiting = next((other for other in before if other.state != "fresh"), None)
                if waiting:
                    state = State(job.variant, job.name, "stale", f"{waiting.step} comes first")
            states[job.key] = state
        return list(states.values())

    def state(self, job: Job) -> State:
        """The state of a step by itself."""
        record = self.manifest.steps.get(job.key)
        if record is None:
            return State(job.variant, job.name, "missing")
        for file in record.outputs:
            if self.sha256(self.directory / job.variant / file) is None:
                return State(job.variant, job.name, "missing", f"{file} is not there")
        why = self._why_stale(job, record)
        return State(job.variant, job.name, "stale" if why else "fresh", why)

    def _why_stale(self, job: Job, record: Record) -> str:
        if record.version == 1:
            return "made by mini-exp 0.1"
        for file, expected in record.outputs.items():
            if self.sha256(self.directory / job.variant / file) != expected:
                return f"{file} is damaged or was replaced"
        now = self.fingerprint(job)
        for key in sorted(record.settings.keys() | now.settings.keys()):
            where, was, is_now = _difference(key, record.settings.get(key), now.settings.get(key))
            if was != is_now:
                return f"{where} was {_short(was)}, is {_short(is_now)}"
        for file in sorted(record.inputs.keys() | now.inputs.keys()):
            if record.inputs.get(file) != now.inputs.get(file):
                return f"{file} changed"
        for name in sorted(record.files.keys() | now.files.keys()):
            if record.files.get(name) != now.files.get(name):
                return f"{name} changed"
        for module in sorted(record.code.keys() | now.code.keys()):
            if record.code.get(module) != now.code.get(module):
                return f"the code in {module} changed"
        return ""

    def fingerprint(self, job: Job) -> Fingerprint:
        """What a step's results would depend on if it ran now."""
        return Fingerprint(
            _settings(self.config, job),
            {file: self.sha256(self.directory / job.variant / file) for file in self._inputs(job)},
            code_hashes(*_modules(self.config, job)),
            self._files(job),
        )

    def _inputs(self, job: Job) -> list[str]:
        """Files that a step reads, relative to its own folder."""
        if job.step.per_variant:
            return list(job.step.inputs)
        files = [
            f"{variant}/{file}" for variant in self.config.variants for file in job.step.inputs
        ]
        return files + published_pages(self.config, self.directory)

    def _files(self, job: Job) -> dict[str, str | None]:
        """What a step reads outside of the results: the first step samples, most the network."""
        files: dict[str, str | None] = {}
        if job.step.per_variant:
            settings = self.config.variants[job.variant]
            if "data" in job.step.settings and not job.step.inputs:
                files |= self._of_section(settings.data)
            if "model" in job.step.settings:
                files |= self._of_section(settings.model)
        return files

    def _of_section(self, section: DataSection | ModelSection) -> Mapping[str, str | None]:
        key = section.model_dump_json()
        if key not in self._outside:
            self._outside[key] = section.files()
        return self._outside[key]

    def twin(self, job: Job, fingerprint: Fingerprint) -> str | None:
        """Another variant whose results of this step are there and depend on just the same."""
        for variant in self.config.variants:
            record = self.manifest.steps.get(Job(variant, job.name, job.step).key)
            if variant == job.variant or record is None or record.version == 1:
                continue
            made_for = Fingerprint(record.settings, record.inputs, record.code, record.files)
            if made_for == fingerprint and all(
                self.sha256(self.directory / variant / file) == digest
                for file, digest in record.outputs.items()
            ):
                return variant
        return None


def needed(config: Config, job: Job) -> list[Job]:
    """The steps that a step's inputs come from, in order: of the same variant, if it has one."""
    return [
        other
        for other in jobs_of(config)
        if job.variant in ("", other.variant) and set(other.step.outputs) & set(job.step.inputs)
    ]


def _settings(config: Config, job: Job) -> dict[str, Any]:
    """The settings that a step reads, by value."""
    if not job.step.per_variant:
        return {key: setting(config, key) for key in job.step.settings}
    variant = config.variants[job.variant]
    values = {key: setting(variant, key) for key in job.step.settings}
    if "data" in values and not job.step.scores:
        unread = variant.data.scoring_keys
        values["data"] = {key: value for key, value in values["data"].items() if key not in unread}
    return values


def _modules(config: Config, job: Job) -> list[str]:
    """Where the code stands that a step runs: its own, its task's, that of sections it reads."""
    if not job.step.per_variant:
        data = {type(settings.data).__module__ for settings in config.variants.values()}
        return [job.step.module, config.first.data.report, *sorted(data)]
    variant = config.variants[job.variant]
    read = [getattr(variant, key) for key in ("data", "model") if key in job.step.settings]
    sections = [type(section).__module__ for section in read]
    return [job.step.module, variant.data.task, *sections]


def _difference(key: str, was: Any, is_now: Any) -> tuple[str, Any, Any]:
    """The key and the values of the first setting that differs inside a section."""
    while isinstance(was, dict) and isinstance(is_now, dict) and was != is_now:
        part = next(p for p in [*was, *is_now] if was.get(p) != is_now.get(p))
        key, was, is_now = f"{key}.{part}", was.get(part), is_now.get(part)
    return key, was, is_now


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
