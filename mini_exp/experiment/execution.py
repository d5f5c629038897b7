"""One step: load what it reads, run it, save what it returns."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mini_exp.errors import ConfigError, named
from mini_exp.experiment import formats
from mini_exp.experiment.freshness import Fingerprint, Snapshot
from mini_exp.experiment.manifest import Manifest
from mini_exp.experiment.sequence import ARTIFACTS, Job, steps_of
from mini_exp.files import read_bytes, write_bytes
from mini_exp.settings.config import Config
from mini_exp.steps.record import StepRecord

if TYPE_CHECKING:
    from mini_exp.tasks.task import OnEpoch


def execute(
    snapshot: Snapshot, job: Job, fingerprint: Fingerprint, on_epoch: OnEpoch | None
) -> dict[str, str]:
    """Run a step on inputs that are the fingerprint's; return the SHA-256 of what it wrote."""
    folder = snapshot.directory / job.variant
    takes = _per_variant if job.step.per_variant else _over_all
    inputs = takes(snapshot, job, fingerprint)
    heard = {"on_epoch": on_epoch} if job.step.counts else {}
    where = f"{job.variant}: {job.name}" if job.variant else job.name
    # A ConfigError names the key, so the variant is enough.
    with named(where), named(job.variant or job.name, (ConfigError,)):
        outputs = importlib.import_module(job.step.module).run(*inputs, **heard)
    if not job.step.per_variant:
        return {file: write_bytes(folder / file, content) for file, content in outputs.items()}
    return {
        file: formats.write(folder / file, value, format_name)
        for (file, format_name), value in zip(job.step.outputs.items(), outputs, strict=True)
    }


def copy_twin(snapshot: Snapshot, job: Job, twin: str) -> dict[str, str]:
    """Copy what another variant's step wrote."""
    outputs = snapshot.manifest.steps[Job(twin, job.name, job.step).key].outputs
    return {
        file: write_bytes(
            snapshot.directory / job.variant / file,
            read_bytes(snapshot.directory / twin / file, digest),
        )
        for file, digest in outputs.items()
    }


def _per_variant(snapshot: Snapshot, job: Job, fingerprint: Fingerprint) -> tuple[Any, ...]:
    """A variant's settings and its artifacts."""
    folder = snapshot.directory / job.variant
    inputs = (
        formats.read(folder / file, digest, ARTIFACTS[file])
        for file, digest in fingerprint.inputs.items()
    )
    return (snapshot.config.variants[job.variant], *inputs)


def _over_all(snapshot: Snapshot, job: Job, fingerprint: Fingerprint) -> tuple[Any, ...]:
    """The config, every variant's artifacts, pages that others published, how the steps ran."""
    results: dict[str, dict[str, Any]] = {variant: {} for variant in snapshot.config.variants}
    extra = {}
    for path, digest in fingerprint.inputs.items():
        variant, _, file = path.partition("/")
        if variant in results and file in job.step.inputs:
            artifact = formats.read(snapshot.directory / path, digest, ARTIFACTS[file])
            results[variant][file] = artifact
        else:
            extra[path] = read_bytes(snapshot.directory / path, digest)
    return (snapshot.config, results, extra, _step_records(snapshot.config, snapshot.manifest))


def _step_records(config: Config, manifest: Manifest) -> list[StepRecord]:
    scoring = tuple(f"data.{key}" for key in config.first.data.scoring_keys)
    records = []
    for name, step in steps_of(config).items():
        done = {variant: manifest.steps[f"{variant}/{name}"] for variant in config.variants}
        records.append(
            StepRecord(
                name,
                step.settings + scoring if step.scores else step.settings,
                tuple(step.outputs),
                {variant: record.seconds for variant, record in done.items()},
                {variant: record.finished for variant, record in done.items()},
            )
        )
    return records
