"""What `compare` does with one network: prune it in every way, recover, fine-tune, score."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from mini_exp.compare.candidate import Candidate
from mini_exp.compare.latency import LATENCY_IMAGES, latency_ms
from mini_exp.compare.pruners import all_methods, budget_methods, main_methods
from mini_exp.compare.pruners.spectral import spectral
from mini_exp.compare.rows import ORIGINAL, SCRATCH, Row
from mini_exp.compare.width_sets import WidthSet, width_sets
from mini_exp.pruning.compression import Compression
from mini_exp.pruning.costs import network_costs
from mini_exp.pruning.measured_losses import measured_losses
from mini_exp.pruning.recovery import Recovery, recovered_network, reduced_readers
from mini_exp.pruning.selection import first_channels
from mini_exp.pruning.surgery import smaller_network
from mini_exp.pruning.widths import spectral_losses
from mini_exp.seeds import Purpose
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats, Integers
from mini_exp.tasks.images import task
from mini_exp.tasks.images.training import logits_of, scores_of, seeded
from mini_exp.tasks.section import Train
from mini_exp.tasks.task import Samples
from mini_exp.tasks.threads import fitting_threads


def thetas(compare: Compare, settings: Settings) -> list[float]:
    """Every θ of spectral pruning, ascending."""
    return sorted({*compare.theta, settings.number_of_theta()})


def network_rows(
    compare: Compare, settings: Settings, samples: Samples, network: nn.Module, replicate: int
) -> Iterator[Row]:
    """All rows of one trained network: one per width set, method and stage.

    Cost: per width set and method a recovery and a fine-tuning; with controls, per width set a
    training.
    """
    trial = _Trial.of(settings, samples, network, replicate)
    candidate = trial.candidate
    full = np.array([group.width for group in candidate.graph.groups])
    whole = WidthSet("all", 1.0, False, full)
    yield trial.row(candidate.network, whole, ORIGINAL, method=ORIGINAL)
    main = list(filter(candidate.takes, main_methods(settings.number_of_theta())))
    every = main
    if compare.controls:
        every = list(filter(candidate.takes, all_methods(thetas(compare, settings))))
    losses = trial.losses() if compare.parameters or compare.flops else {}
    for width_set, methods in width_sets(compare, losses, candidate, every, main, budget_methods()):
        for method in methods:
            pruned, seconds = candidate.pruned(method, width_set)
            which = {**method.columns, "seconds": seconds}
            yield trial.row(pruned, width_set, "pruned", **which)
            if trial.recovery.steps:
                recovered, took = trial.recovered(pruned)
                yield trial.row(recovered, width_set, "recovered", **which, recovery=took)
            finetuned = trial.fitted(pruned, settings.finetune, "finetune order")
            yield trial.row(finetuned, width_set, "finetuned", **which)
        if compare.controls:
            fresh = trial.from_scratch(width_set.widths)
            yield trial.row(fresh, width_set, "finetuned", method=SCRATCH)


@dataclasses.dataclass(frozen=True)
class _Trial:
    """One trained network with the images, standardised once, and its decisions."""

    settings: Settings
    replicate: int
    data: Mapping[str, tuple[Tensor, Tensor]]
    candidate: Candidate
    decisions: Tensor
    recovery: Recovery
    recovery_batches: Sequence[Tensor]
    known_sizes: dict[tuple[int, ...], dict[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, samples: Samples, network: nn.Module, replicate: int) -> _Trial:
        data = task.tensors(samples, network)
        n_samples, batch_size = settings.covariance.n_samples, settings.covariance.batch_size
        recover = settings.compress.recover
        recovery = Recovery(**recover.model_dump(exclude={"n_samples"}), seed=settings.seed)
        candidate = Candidate(
            network,
            task.calibration_batches(network, samples, n_samples, batch_size),
            data["train"][1][:n_samples].split(batch_size),
            settings.seed,
            replicate,
            settings.select.tied,
            settings.compress.ridge,
        )
        decisions = logits_of(network, data["validation"][0]).argmax(dim=1)
        n_recovery = recover.n_samples or n_samples
        more = task.calibration_batches(network, samples, n_recovery, batch_size)
        return cls(settings, replicate, data, candidate, decisions, recovery, more)

    def losses(self) -> Mapping[str, Floats]:
        """What every group loses at every width, as ``width.losses`` says."""
        candidate = self.candidate
        if self.settings.width.losses == "spectral":
            return spectral_losses(candidate.moments.eigenvalues)
        paths, _ = candidate.ranking(spectral(self.settings.number_of_theta()))
        compression = Compression("reconstruct", self.settings.compress.ridge)
        tensors = candidate.moments.tensors
        return measured_losses(candidate.network, paths, tensors, candidate.batches, compression)

    def recovered(self, smaller: nn.Module) -> tuple[nn.Module, float]:
        """A smaller network that has learnt the original's outputs, and the seconds it took."""
        started = time.perf_counter()
        widths = self.candidate.widths_of(smaller)
        readers = reduced_readers(self.candidate.graph.groups, widths.tolist())
        original = self.candidate.network
        batches = self.recovery_batches
        with fitting_threads(batches[0]):
            recovered, _ = recovered_network(smaller, original, readers, batches, self.recovery)
        return recovered, time.perf_counter() - started

    def fitted(self, network: nn.Module, train: Train, purpose: Purpose) -> nn.Module:
        """A trained copy."""
        seed = self.settings.seed
        trained, _ = task.trained_on(self.data, network, train, seed, purpose, self.replicate)
        return trained

    def from_scratch(self, widths: Integers) -> nn.Module:
        """A network of these widths that was never larger, trained with the epochs of both."""
        settings = self.settings
        paths, _ = self.candidate.ranking(spectral(settings.number_of_theta()))
        with seeded(settings.seed, "scratch weights", self.replicate):
            fresh = smaller_network(settings.model.network(), first_channels(paths, widths))
            _reset(fresh)
        like = next(self.candidate.network.parameters())
        epochs = settings.train.epochs + settings.finetune.epochs
        train = settings.train.model_copy(update={"epochs": epochs})
        return self.fitted(fresh.to(like.device, like.dtype), train, "scratch order")

    def sizes(self, network: nn.Module) -> dict[str, Any]:
        """What networks of the same widths have in common."""
        widths = self.candidate.widths_of(network)
        key = tuple(widths.tolist())
        if key not in self.known_sizes:
            flops = network_costs(self.candidate.network, self.candidate.graph, "flops")
            self.known_sizes[key] = {
                "parameters": sum(parameter.numel() for parameter in network.parameters()),
                "flops": float(flops.total(widths)),
                "latency_ms": latency_ms(network, self.data["validation"][0][:LATENCY_IMAGES]),
            }
        return self.known_sizes[key]

    def row(
        self,
        network: nn.Module,
        width_set: WidthSet,
        stage: str,
        *,
        method: str,
        theta: float | None = None,
        weights: str = "",
        seconds: float = 0.0,
        recovery: float | None = None,
    ) -> Row:
        scores: dict[str, Any] = {}
        for split in ("validation", "test"):
            x, y = self.data[split]
            logits = logits_of(network, x)
            loss, accuracy = scores_of(logits, y)
            scores |= {f"{split}_loss": loss, f"{split}_accuracy": accuracy}
            if split == "validation":
                scores["disagreements"] = int((logits.argmax(dim=1) != self.decisions).sum())
                scores["n_validation"] = len(y)
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
            **self.sizes(network),
            pruning_seconds=seconds,
            recovery_seconds=recovery,
        )


def _reset(network: nn.Module) -> None:
    """Draw all weights anew: those of a sliced network have the scale of the wider one."""
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
