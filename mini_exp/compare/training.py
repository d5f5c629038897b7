"""The networks of a comparison: trained once, kept, and pruned in every way."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.ledger import Ledger
from mini_exp.pruning.saving import parsed_state, state_bytes
from mini_exp.settings.settings import Settings
from mini_exp.tasks.images import task
from mini_exp.tasks.task import Samples

TRAINS = {"seed", "device", "dtype", "data", "model", "train"}


class TrainedNetworks:
    """Networks on disk, each trained when it is first asked for.

    Parameters
    ----------
    folder : Path
    settings : Settings
        Of the experiment's first variant.
    samples : Samples
    images : str
        SHA-256 of their file.
    anew : bool
        Train those again that are there.
    """

    def __init__(
        self, folder: Path, settings: Settings, samples: Samples, images: str, anew: bool
    ) -> None:
        made_for = {
            "settings": settings.model_dump(mode="json", include=TRAINS),
            "images": images,
            "code": code_hashes("mini_exp.tasks.images.task", type(settings.model).__module__),
        }
        self._ledger = Ledger(folder, made_for, anew)
        self._settings, self._samples = settings, samples

    def has(self, replicate: int) -> bool:
        """Whether it is trained."""
        return self._ledger.has(_file(replicate))

    def network(self, replicate: int) -> nn.Module:
        """The network of a replicate, in eval mode."""
        settings = self._settings
        new = task.new_network(settings.model, settings.data, settings.seed, replicate)
        if not self.has(replicate):
            trained, _ = task.trained_network(
                new,
                self._samples,
                settings.train,
                settings.seed,
                "train order",
                replicate=replicate,
                device=settings.device,
                dtype=settings.dtype,
            )
            self._ledger.add(_file(replicate), state_bytes(trained.state_dict()))
        new.load_state_dict(parsed_state(self._ledger.content(_file(replicate))))
        return new.to(settings.device, getattr(torch, settings.dtype)).eval()


def _file(replicate: int) -> str:
    return f"{replicate:03d}.safetensors"
