"""Step gen-mini or load-images: draw MINI (4.3.1), or load images and cut a validation set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from mini_exp.settings.settings import Settings
    from mini_exp.tasks.task import Samples

STEP = Step(
    module=__name__,
    settings=("seed", "data"),
    inputs=(),
    outputs={"dataset.npz": "samples"},
)


def run(settings: Settings) -> tuple[Samples]:
    """Return every split that is kept."""
    from mini_exp.tasks.task import task_of

    return (task_of(settings.data).samples(settings.data, settings.seed),)
