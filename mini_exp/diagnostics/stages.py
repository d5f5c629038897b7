"""What an instrument looks at: the networks of one variant at every stage, and its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mini_exp.pruning.selection import Selection
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats, Integers
from mini_exp.study.networks import snapshots, untrained
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from mini_exp.tasks.task import Samples

STAGES = ("original", "compressed", "finetuned")


@dataclass(frozen=True, eq=False)
class Stages:
    """R replicates of one variant, each at three stages. Only to be looked at.

    Attributes
    ----------
    variant : str
    settings : Settings
        Of the variant; ``seed`` is the one that drew these replicates.
    networks : mapping from stage to MiniModel
        ``original``, ``compressed``, ``finetuned``, in float64; parameters lead with R.
    data : dict from split to (x, y)
        ``train`` and ``test``: (R, n, 30) and (R, n); ``population``: (1, N, 30) and (1, N), the
        same for all replicates.
    selection : Selection
        Per hidden layer ``.groups[i].path.index_path`` (R, m), all units in the order of picking,
        and ``.index_set`` (R, width), what was kept, ascending.
    first : int
        Number of the first replicate: replicate r's random numbers depend on (seed, purpose, r).
    diverged : (R,) bool
        Whose networks are zero networks on zero inputs; nothing measured on them counts.
    """

    variant: str
    settings: Settings
    networks: Mapping[str, MiniModel]
    data: Samples
    selection: Selection
    first: int
    diverged: npt.NDArray[np.bool_]

    @property
    def n_replicates(self) -> int:
        """R: 1 in a run."""
        return len(self.diverged)

    def logits(self, stage: str, split: str) -> Floats:
        """Of a stage's networks on a split: (R, n)."""
        return self.of_inputs(stage, self.data[split][0])

    @torch.no_grad()
    def of_inputs(self, stage: str, x: Floats) -> Floats:
        """Logits of a stage's networks on inputs (R, n, 30) or (1, n, 30): (R, n)."""
        return np.asarray(self.networks[stage](torch.from_numpy(x))[..., 0].numpy())

    def hidden_outputs(self, stage: str, split: str) -> list[Floats]:
        """After the ReLU of every hidden layer, in order: (R, n, width) each."""
        return layer_outputs(self.networks[stage], self.data[split][0])

    def labels(self, split: str) -> Floats:
        """0 or 1 for every replicate: (R, n)."""
        y = self.data[split][1]
        return np.asarray(np.broadcast_to(y, (self.n_replicates, y.shape[-1])))

    def index_sets(self) -> list[Integers]:
        """The units of the original that every hidden layer keeps, ascending: (R, width) each."""
        return [kept.index_set for kept in self.selection.groups]

    def untrained(self) -> MiniModel:
        """The original networks before training."""
        widths = self.settings.model.widths
        return untrained(self.settings, widths, "weights", self.first, self.n_replicates)

    def during(self, stage: str, epochs: Sequence[int]) -> list[MiniModel]:
        """The networks after so many epochs of the training that ended in a stage, trained anew.

        Parameters
        ----------
        stage : {"original", "finetuned"}
        epochs : sequence of int
            Ascending, from 1.

        Notes
        -----
        25 ms per epoch of 50 replicates, 2 ms of one.
        """
        fine_tuning = stage == "finetuned"
        start = self.networks["compressed"] if fine_tuning else self.untrained()
        return snapshots(
            self.settings,
            start,
            self.data["train"],
            "finetune order" if fine_tuning else "train order",
            self.first,
            epochs,
        )

    def zero_padded(self, stage: str) -> MiniModel:
        """A smaller stage's networks in the original's shape: zeros where units were removed."""
        indices = self.index_sets()
        n, widths = self.n_replicates, self.networks["original"].widths
        reads = [np.tile(np.arange(widths[0]), (n, 1)), *indices]
        writes = [*indices, np.zeros((n, 1), dtype=np.int64)]
        layers = []
        for i, layer in enumerate(self.networks[stage].stacked_layers):
            weight = torch.zeros(n, widths[i + 1], widths[i], dtype=layer.weight.dtype)
            own = np.arange(n)[:, None, None]
            weight[own, writes[i][:, :, None], reads[i][:, None, :]] = layer.weight.detach()
            bias = None
            if layer.bias is not None:
                bias = torch.zeros(n, widths[i + 1], dtype=layer.bias.dtype)
                bias[own[:, :, 0], writes[i]] = layer.bias.detach()
            layers.append(StackedLinear(weight, bias))
        return MiniModel(layers)


@torch.no_grad()
def layer_outputs(networks: MiniModel, x: Floats) -> list[Floats]:
    """After the ReLU of every hidden layer, in order: (R, n, width) each."""
    outputs, read = [], torch.from_numpy(x)
    for layer in networks.stacked_layers[:-1]:
        read = torch.relu(layer(read))
        outputs.append(read.numpy())
    return outputs
