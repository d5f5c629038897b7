"""One variant of an experiment: what its steps wrote, each file read when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mini_exp.results.layers import Layers
from mini_exp.results.result_files import ResultFiles
from mini_exp.settings.settings import Settings
from mini_exp.tasks.task import task_of

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from mini_exp.pruning.flattened import CalibrationMoments
    from mini_exp.pruning.selection import GroupSelection, Selection
    from mini_exp.spectral import Floats
    from mini_exp.tasks.task import Samples


@dataclass(frozen=True, eq=False, repr=False)
class Variant:
    """One variant of an experiment.

    What it has is kept once it is read: copy what you want to change. What belongs to hidden layers
    goes by a layer's number, from 1, and by the name of its group of units.

    Attributes
    ----------
    name : str
    settings : Settings
    """

    name: str
    settings: Settings
    _files: ResultFiles

    def __repr__(self) -> str:
        return f"<variant {self.name}: {self._files.state}>"

    # Tables

    @cached_property
    def history(self) -> pd.DataFrame:
        """``history.csv``: loss and accuracies after every epoch of training."""
        return self._files.frame("history.csv")

    @cached_property
    def finetune_history(self) -> pd.DataFrame:
        """``finetune_history.csv``: the same of fine-tuning."""
        return self._files.frame("finetune_history.csv")

    @cached_property
    def widths(self) -> pd.DataFrame:
        """``widths.csv``: λ, N(λ) and m̂ of every layer, for every ρ."""
        return self._files.frame("widths.csv")

    @cached_property
    def evaluation(self) -> pd.DataFrame:
        """``evaluation.csv``: loss and accuracy of every stage on every split."""
        return self._files.frame("evaluation.csv")

    # Samples

    @cached_property
    def dataset(self) -> Samples:
        """From split to inputs and classes, as they are stored.

        MINI (train, test): (n, 30) float64 and (n,) float64 of 0 and 1. Images (train, validation,
        test): (n, channels, height, width) uint8 pixels and (n,) int64.
        """
        samples: Samples = self._files.artifact("dataset.npz")
        return samples

    @cached_property
    def tensors(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The same as the networks take it; images are standardised by the training set."""
        samples, network = self.dataset, self.original
        with self._files.explained("dataset.npz"):
            return task_of(self.settings.data).tensors(samples, network)

    # Hidden layers

    @cached_property
    def second_moments(self) -> Layers[Floats]:
        """Σ of every layer's units, of images' channels: (m, m) float64."""
        return Layers(self._moments.groups.sigma)

    @cached_property
    def eigenvalues(self) -> Layers[Floats]:
        """Of every Σ: (m,) float64, descending."""
        return Layers(self._moments.groups.eigenvalues)

    @cached_property
    def width_spectra(self) -> Layers[Floats]:
        """The eigenvalues that ``widths`` is made from, in its order.

        Those of Σ; where they were computed, those of whole layers, (n_samples,) float64.
        """
        return Layers(self._moments.flattened or self._moments.groups.eigenvalues)

    @cached_property
    def selection(self) -> Layers[GroupSelection]:
        """What stays of every layer: ``index_set``, ``index_path``, ``information_ratio``."""
        return Layers({kept.group.name: kept for kept in self._selection.groups})

    @cached_property
    def _moments(self) -> CalibrationMoments:
        moments: CalibrationMoments = self._files.artifact("covariance.npz")
        return moments

    @cached_property
    def _selection(self) -> Selection:
        selection: Selection = self._files.artifact("selection.json")
        return selection

    # Networks

    @cached_property
    def original(self) -> nn.Module:
        """The trained network, in eval mode: ``tensors`` in, (n, 1) or (n, 10) logits out."""
        return self._network("original.safetensors", None)

    @cached_property
    def compressed(self) -> nn.Module:
        """The smaller network before fine-tuning."""
        return self._network("compressed.safetensors", self._selection)

    @cached_property
    def finetuned(self) -> nn.Module:
        """The smaller network after fine-tuning."""
        return self._network("finetuned.safetensors", self._selection)

    def _network(self, file: str, selection: Selection | None) -> nn.Module:
        import torch

        from mini_exp.pruning.saving import check_layout, restored_network

        settings, folder = self.settings, self._files.folder
        new = task_of(settings.data).new_network(settings.model, settings.data, settings.seed)
        if selection is not None:
            with self._files.explained("selection.json"):
                check_layout(new, selection, str(folder / "selection.json"))
        state: dict[str, Any] = self._files.artifact(file)
        with self._files.explained(file), torch.random.fork_rng(devices=[]):
            return restored_network(new, state, selection, str(folder / file)).eval()
