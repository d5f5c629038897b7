"""What `compare` does with one network: train it, prune it in every way, fine-tune, score."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.compare.candidate import Candidate
from mini_exp.compare.latency import LATENCY_IMAGES, latency_ms
from mini_exp.compare.pruners import all_methods, main_methods
from mini_exp.compare.pruners.spectral import spectral
from mini_exp.compare.rows import ORIGINAL, SCRATCH, Row
from mini_exp.compare.width_sets import WidthSet, width_sets
from mini_exp.pruning.costs import network_costs
from mini_exp.pruning.selection import first_channels
from mini_exp.pruning.surgery import smaller_network
from mini_exp.seeds import Purpose
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Integers
from mini_exp.tasks.images import task
from mini_exp.tasks.images.training import loss_and_accuracy, seeded
from mini_exp.tasks.section import Train
from mini_exp.tasks.task import Samples


def thetas(compare: Compare, settings: Settings) -> list[float]:
    """Every θ of spectral pruning, ascending."""
    return sorted({*compare.theta, settings.select.theta})


def network_rows(
    compare: Compare, settings: Settings, samples: Samples, replicate: int
) -> Iterator[Row]:
    """All rows of one network: one per width set, method and stage.

    Cost: a training, and per width set and method a fine-tuning; per width set one more training.
    """
    trial = _Trial.trained(settings, samples, replicate)
    candidate = trial.candidate
    full = np.array([group.width for group in candidate.graph.groups])
    whole = WidthSet("all", 1.0, False, full)
    sizes = trial.sizes(candidate.network, whole)
    yield trial.row(candidate.network, whole, sizes, ORIGINAL, method=ORIGINAL)
    every = all_methods(thetas(compare, settings))
    main = main_methods(settings.select.theta)
    for width_set, methods in width_sets(compare, candidate, every, main):
        sizes = {}
        for method in methods:
            pruned, seconds = candidate.pruned(method, width_set.widths)
            sizes = sizes or trial.sizes(pruned, width_set)
            which = {**method.columns, "seconds": seconds}
            yield trial.row(pruned, width_set, sizes, "pruned", **which)
            finetuned = trial.fitted(pruned, settings.finetune, "finetune order")
            yield trial.row(finetuned, width_set, sizes, "finetuned", **which)
        fresh = trial.from_scratch(width_set.widths)
        yield trial.row(fresh, width_set, sizes, "finetuned", method=SCRATCH)


@dataclasses.dataclass(frozen=True)
class _Trial:
    """One trained network with the images, standardised once."""

    settings: Settings
    replicate: int
    data: Mapping[str, tuple[Tensor, Tensor]]
    candidate: Candidate

    @classmethod
    def trained(cls, settings: Settings, samples: Samples, replicate: int) -> _Trial:
        seed, covariance = settings.seed, settings.covariance
        new = task.new_network(settings.model, settings.data, seed, replicate)
        new = new.to(settings.device, getattr(torch, settings.dtype))
        data = task.tensors(samples, new)
        original, _ = task.trained_on(data, new, settings.train, seed, "train order", replicate)
        original.eval()
        n_samples, batch_size = covariance.n_samples, covariance.batch_size
        candidate = Candidate(
            original,
            task.calibration_batches(original, samples, n_samples, batch_size),
            data["train"][1][:n_samples].split(batch_size),
            seed,
            replicate,
            settings.select.tied,
            settings.compress.ridge,
        )
        return cls(settings, replicate, data, candidate)

    def fitted(self, network: nn.Module, train: Train, purpose: Purpose) -> nn.Module:
        """A trained copy."""
        seed = self.settings.seed
        trained, _ = task.trained_on(self.data, network, train, seed, purpose, self.replicate)
        return trained

    def from_scratch(self, widths: Integers) -> nn.Module:
        """A network of these widths that was never larger, trained with the epochs of both."""
        settings = self.settings
        paths, _ = self.candidate.ranking(spectral(settings.select.theta))
        with seeded(settings.seed, "scratch weights", self.replicate):
            fresh = smaller_network(settings.model.network(), first_channels(paths, widths))
            _reset(fresh)
        like = next(self.candidate.network.parameters())
        epochs = settings.train.epochs + settings.finetune.epochs
        train = settings.train.model_copy(update={"epochs": epochs})
        return self.fitted(fresh.to(like.device, like.dtype), train, "scratch order")

    def sizes(self, network: nn.Module, width_set: WidthSet) -> dict[str, Any]:
        """What does not depend on the method."""
        flops = network_costs(self.candidate.network, self.candidate.graph, "flops")
        return {
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "flops": float(flops.total(width_set.widths)),
            "latency_ms": latency_ms(network, self.data["validation"][0][:LATENCY_IMAGES]),
        }

    def row(
        self,
        network: nn.Module,
        width_set: WidthSet,
        sizes: Mapping[str, Any],
        stage: str,
        *,
        method: str,
        theta: float | None = None,
        weights: str = "",
        seconds: float = 0.0,
    ) -> Row:
        scores: dict[str, Any] = {}
        for split in ("validation", "test"):
            loss, accuracy = loss_and_accuracy(network, *self.data[split])
            scores |= {f"{split}_loss": loss, f"{split}_accuracy": accuracy}
        return Row(
            self.replicate,
            width_set.rule,
            width_set.share,
            width_set.exact,
            method,
            theta,
            weights,
            stage,
            width_set.gap,
            **scores,
            **sizes,
            pruning_seconds=seconds,
        )


def _reset(network: nn.Module) -> None:
    """Draw all weights anew: those of a sliced network have the scale of the wider one."""
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
