"""The only loop over steps."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mini_exp.errors import ArtifactError, ConfigError
from mini_exp.experiment.execution import copy_twin, execute
from mini_exp.experiment.freshness import Fingerprint, Snapshot, State, needed
from mini_exp.experiment.lock import locked
from mini_exp.experiment.manifest import Record, write_manifest
from mini_exp.experiment.memory import check_memory
from mini_exp.experiment.provenance import environment
from mini_exp.experiment.sequence import Job, jobs_of, steps_of
from mini_exp.settings.config import Config
from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from mini_exp.tasks.task import OnEpoch

Say = Callable[[str], None]
Watch = Callable[[str, str, str], "OnEpoch | None"]


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
        Told of a variant's step that begins and of what it counts; what it returns hears of every
        epoch, if there are any.
    """

    config: Config
    results: Path
    say: Say = print
    watch: Watch = lambda variant, step, counts: None

    @property
    def directory(self) -> Path:
        return self.results / self.config.name

    @property
    def steps(self) -> dict[str, Step]:
        """Of every variant, by the name of their command, in order."""
        return steps_of(self.config)

    def status(self) -> list[State]:
        """The state of every step of every variant, then of the report; writes nothing."""
        return self._look().states()

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
        jobs = list(jobs_of(self.config))
        self._check_sources(jobs, force)
        self._run_jobs(jobs, force)

    def run_command(self, command: str, force: bool = False) -> None:
        """Run one step of every variant, or the report, from what the steps before it saved.

        Raises
        ------
        ArtifactError
            If an input is missing, stale or damaged, naming the command that makes it. Nothing
            is run then.
        """
        self.check_devices()
        jobs = [job for job in jobs_of(self.config) if job.name == command]
        if not jobs:
            raise ConfigError(
                f"{command}: not a step of an experiment on {self.config.first.data.kind}; "
                f"expected one of {', '.join(self.steps)}"
            )
        self.require(command, [other for job in jobs for other in needed(self.config, job)])
        self._check_sources(jobs, force)
        self._run_jobs(jobs, force)

    def require(self, command: str, jobs: Iterable[Job]) -> None:
        """Refuse a command while one of these steps is not fresh.

        Raises
        ------
        ArtifactError
            Naming the command that makes what is missing, stale or damaged.
        """
        makers = {(job.variant, job.name) for job in jobs}
        for state in self.status():
            if (state.variant, state.step) in makers and state.state != "fresh":
                why = f": {state.why}" if state.why else ""
                raise ArtifactError(
                    f"{command}: {self.directory / state.variant}: the results of {state.step} "
                    f"are {state.state}{why}; make them with `mini-exp {state.step}`"
                )

    def _check_sources(self, jobs: Sequence[Job], force: bool) -> None:
        """Refuse counts, files and functions that steps would stumble over, before they run."""
        check_memory(self.config)
        if self.config.first.export:
            from mini_exp.tasks.exporting import check_packages

            check_packages(self.config.first.export)
        try:
            snapshot = self._look()
        except ArtifactError:  # which the steps, that want to write there, tell better
            return
        checked: set[str] = set()
        for job in jobs:
            if job.variant and (force or snapshot.state(job).state != "fresh"):
                settings = self.config.variants[job.variant]
                keys = ("train", "finetune")
                trained = [f"{key}.epochs" for key in keys if getattr(settings, key).epochs]
                data, model = (one.model_dump_json() for one in (settings.data, settings.model))
                if not job.step.inputs and data not in checked:
                    settings.data.check(trained)
                if model not in checked:
                    settings.model.check()
                checked |= {data, model}

    def _look(self) -> Snapshot:
        return Snapshot(self.config, self.directory)

    def _run_jobs(self, jobs: list[Job], force: bool) -> None:
        with locked(self.directory):
            snapshot = self._look()
            for job in jobs:
                self._run_job(snapshot, job, force)

    def _run_job(self, snapshot: Snapshot, job: Job, force: bool) -> None:
        state = snapshot.state(job)
        if state.state == "fresh" and not force:
            self._say(job, "fresh, skipped")
            return
        started = time.perf_counter()
        fingerprint = snapshot.fingerprint(job)
        twin = None if force else snapshot.twin(job, fingerprint)
        if twin is not None:
            written = copy_twin(snapshot, job, twin)
        else:
            on_epoch = self.watch(job.variant, job.name, job.step.counts)
            written = execute(snapshot, job, fingerprint, on_epoch)
        seconds = time.perf_counter() - started
        self._record(snapshot, job, fingerprint, written, seconds)
        why = f"  ({state.why})" if state.why else ""
        self._say(job, f"the same as {twin}'s, copied" if twin else f"{seconds:6.2f} s{why}")

    def _say(self, job: Job, what: str) -> None:
        self.say(f"{job.variant:16} {job.name:15} {what}")

    def _record(
        self,
        snapshot: Snapshot,
        job: Job,
        fingerprint: Fingerprint,
        written: Mapping[str, str],
        seconds: float,
    ) -> None:
        for file, digest in written.items():
            snapshot.wrote(self.directory / job.variant / file, digest)
        made_in = environment()
        label = hashlib.sha256(json.dumps(made_in).encode()).hexdigest()[:12]
        manifest = snapshot.manifest
        manifest.name = self.config.name
        manifest.seeds = {variant: s.seed for variant, s in self.config.variants.items()}
        manifest.environments[label] = made_in
        manifest.steps[job.key] = Record(
            settings=fingerprint.settings,
            inputs=fingerprint.inputs,
            code=fingerprint.code,
            files=fingerprint.files,
            outputs=dict(written),
            seconds=round(seconds, 3),
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            environment=label,
            version=2,
        )
        write_manifest(self.directory, manifest)
