"""Which steps an experiment has, and in which order they run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mini_exp.settings.config import Config
from mini_exp.steps import (
    covariance,
    data,
    estimate_width,
    export,
    finetune,
    report,
    select,
    train,
)
from mini_exp.steps.step import Step

_AFTER_DATA = {
    "train": train.STEP,
    "covariance": covariance.STEP,
    "estimate-width": estimate_width.STEP,
    "select": select.STEP,
    "finetune": finetune.STEP,
}
REPORT = report.STEP
ARTIFACTS: dict[str, str] = {
    file: format_name
    for step in (data.STEP, *_AFTER_DATA.values())
    for file, format_name in step.outputs.items()
}
"""From every file that a step may read to the format that reads it."""


def steps_of(config: Config) -> dict[str, Step]:
    """The steps of every variant by the name of their command, in order."""
    steps = {config.first.data.data_step: data.STEP, **_AFTER_DATA}
    asked_for = config.first.export
    return {**steps, "export": export.STEPS[asked_for]} if asked_for else steps


@dataclass(frozen=True)
class Job:
    """One step of one variant; of the whole experiment where ``variant`` is empty."""

    variant: str
    name: str
    step: Step

    @property
    def key(self) -> str:
        """Its name in the manifest."""
        return f"{self.variant}/{self.name}" if self.variant else self.name


def jobs_of(config: Config) -> Iterator[Job]:
    """Every step of every variant, then the report."""
    steps = steps_of(config)
    for variant in config.variants:
        for name, step in steps.items():
            yield Job(variant, name, step)
    yield Job("", "report", REPORT)
