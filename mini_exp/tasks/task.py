"""What a task gives to the steps: functions that its module ``task`` has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy.typing as npt

from mini_exp.seeds import Purpose
from mini_exp.spectral import Floats
from mini_exp.tasks.section import DataSection, Train

if TYPE_CHECKING:
    from torch import Tensor, nn

OnEpoch: TypeAlias = Callable[[int, int, float], None]
"""Receives after every epoch how many are done, of how many, and the training loss."""

Samples: TypeAlias = dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""From split to inputs (n, …) and labels (n,)."""

History: TypeAlias = dict[str, Floats]
"""From a score's name to its value after every epoch: (..., epochs)."""


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy of one network on one sample; NaN where labels do not give them."""

    split: str
    loss: float
    accuracy: float
    n: int


class Task(Protocol):
    """One kind of experiment. Sections are of the kind's own classes."""

    def samples(self, data: Any, seed: int) -> Samples:
        """Every split that is kept on disk."""

    def new_network(self, model: Any, data: Any, seed: int, replicate: int = 0) -> nn.Module:
        """The network before training, as it is stored."""

    def trained_network(
        self,
        network: nn.Module,
        samples: Samples,
        train: Train,
        seed: int,
        purpose: Purpose,
        *,
        replicate: int = 0,
        device: str = "cpu",
        dtype: str = "float64",
        on_epoch: OnEpoch | None = None,
    ) -> tuple[nn.Module, History]:
        """A trained copy of the network, as it is stored, and its scores after every epoch."""

    def scores(self, network: nn.Module, samples: Samples, data: Any, seed: int) -> list[Score]:
        """Of every split that counts, on the network's device."""

    def fidelity(
        self, network: nn.Module, original: nn.Module, samples: Samples
    ) -> dict[str, tuple[float, float]]:
        """Divergence and agreement on every split; only where ``data.fidelity`` is true."""

    def calibration_batches(
        self, network: nn.Module, samples: Samples, n_samples: int | None, batch_size: int
    ) -> Sequence[Tensor]:
        """Training inputs without labels, on the network's device."""

    def tensors(self, samples: Samples, network: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
        """Inputs and labels of every split, as the network takes them, on its device."""


def task_of(data: DataSection) -> Task:
    """The task of an experiment's data."""
    import importlib

    task: Task = importlib.import_module(data.task)
    return task
