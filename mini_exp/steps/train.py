"""Step train: fit the network (section 4.3, step 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from torch import Tensor

    from mini_exp.settings.settings import Settings
    from mini_exp.tasks.task import History, OnEpoch, Samples

STEP = Step(
    module=__name__,
    settings=("seed", "device", "dtype", "model", "train"),
    inputs=("dataset.npz",),
    outputs={"original.safetensors": "state", "history.csv": "history"},
    counts="epoch",
)


def run(
    settings: Settings, samples: Samples, on_epoch: OnEpoch | None = None
) -> tuple[dict[str, Tensor], History]:
    """Return the trained network's parameters and its scores after every epoch.

    Raises
    ------
    TrainingError
        If it diverges.
    """
    from mini_exp.tasks.task import task_of

    task = task_of(settings.data)
    network, history = task.trained_network(
        task.new_network(settings.model, settings.data, settings.seed),
        samples,
        settings.train,
        settings.seed,
        "train order",
        device=settings.device,
        dtype=settings.dtype,
        on_epoch=on_epoch,
    )
    return network.state_dict(), history
