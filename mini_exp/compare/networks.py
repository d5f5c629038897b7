"""What `compare` does with one network: train it, prune it in every way, fine-tune, score."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor, nn

from mini_exp.compare.methods import (
    METHODS,
    SCRATCH,
    SPECTRAL,
    TORCH_PRUNING,
    Candidates,
    Method,
    latency_ms,
)
from mini_exp.config import ImageConfig, ImageSettings
from mini_exp.image_networks import new_network
from mini_exp.image_training import fitted, image_scores, seeded
from mini_exp.pruning.costs import Unit, network_costs
from mini_exp.pruning.prune import widths_within
from mini_exp.pruning.selection import first_channels, uniform_widths
from mini_exp.pruning.surgery import smaller_network
from mini_exp.seeds import generator
from mini_exp.spectral import Integers

Data = dict[str, tuple[Tensor, Tensor]]

LATENCY_IMAGES = 100


@dataclasses.dataclass(frozen=True)
class WidthSet:
    """Widths at which methods are compared, and which methods."""

    label: str
    widths: Integers
    methods: tuple[Method, ...]


def network_rows(
    config: ImageConfig, settings: ImageSettings, data: Data, r: int
) -> Iterator[dict[str, Any]]:
    """All rows of the r-th network: one per width set, method and stage."""
    model, seed = settings.model, settings.seed
    with seeded(seed, "weights", r):
        start = new_network(model.kind, model.depth).to(settings.device)
    with seeded(seed, "train order", r) as rng:
        original, _ = fitted(start, data, settings.train, rng)
    original.eval()
    x, y = data["train"]
    n = settings.covariance.n_images
    candidates = Candidates(
        original,
        x[:n],
        y[:n],
        settings.covariance.batch_size,
        generator(seed, "random units", r),
        settings.select.tied,
    )
    full = np.array([group.width for group in candidates.graph.groups])
    sizes = _sizes(candidates, original, full, data)
    yield _row(r, "all", Method("original", ""), "original", original, data, sizes, 0.0)
    for wanted in width_sets(config, candidates):
        sizes = {}
        for method in wanted.methods:
            pruned, seconds = candidates.pruned(method, wanted.widths)
            sizes = sizes or _sizes(candidates, pruned, wanted.widths, data)
            yield _row(r, wanted.label, method, "pruned", pruned, data, sizes, seconds)
            with seeded(seed, "finetune order", r) as rng:
                tuned, _ = fitted(pruned, data, settings.finetune, rng)
            yield _row(r, wanted.label, method, "finetuned", tuned, data, sizes, seconds)
        paths, _ = candidates.paths(SPECTRAL.name)
        with seeded(seed, "scratch weights", r):
            fresh = new_network(model.kind, model.depth)
            fresh = smaller_network(fresh, first_channels(paths, wanted.widths))
            _reset(fresh)
        train = settings.train.model_copy(
            update={"epochs": settings.train.epochs + settings.finetune.epochs}
        )
        with seeded(seed, "scratch order", r) as rng:
            trained, _ = fitted(fresh.to(settings.device), data, train, rng)
        yield _row(r, wanted.label, SCRATCH, "finetuned", trained, data, sizes, 0.0)


def _reset(network: nn.Module) -> None:
    """Draw all weights anew: those of a sliced network have the scale of the wider one."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
            module.reset_parameters()


def width_sets(config: ImageConfig, candidates: Candidates) -> list[WidthSet]:
    """Equal shares for all methods; per budget, the exact widths and the widest uniform ones."""
    graph = candidates.graph
    sets = [
        WidthSet(f"keep {keep:g}", uniform_widths(graph, keep), METHODS)
        for keep in config.compare.keep
    ]
    some = (SPECTRAL, *TORCH_PRUNING)
    budgets: list[tuple[Unit, float]] = [
        *(("parameters", share) for share in config.compare.parameters),
        *(("flops", share) for share in config.compare.flops),
    ]
    for unit, share in budgets:
        exact = widths_within(candidates.network, graph, candidates.moments, unit, share)
        uniform = widest_uniform(candidates, unit, share)
        sets.append(WidthSet(f"{unit} {share:g}, exact", exact, some))
        sets.append(WidthSet(f"{unit} {share:g}, uniform", uniform, some))
    return sets


def widest_uniform(candidates: Candidates, unit: Unit, share: float) -> Integers:
    """The largest uniform share of channels that stays within a share of the cost."""
    graph = candidates.graph
    costs = network_costs(candidates.network, graph, unit)
    full = [group.width for group in graph.groups]
    keeps = sorted({(k + 0.5) / width for width in full for k in range(width)} | {1.0})
    budget = share * costs.total(np.array(full))
    within = [keep for keep in keeps if costs.total(uniform_widths(graph, keep)) <= budget]
    return uniform_widths(graph, max(within, default=keeps[0]))


def _sizes(
    candidates: Candidates, network: nn.Module, widths: Integers, data: Data
) -> dict[str, float]:
    """What does not depend on the method."""
    flops = network_costs(candidates.network, candidates.graph, "flops")
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "flops": float(flops.total(widths)),
        "latency_ms": latency_ms(network, data["validation"][0][:LATENCY_IMAGES]),
    }


def _row(
    r: int,
    widths: str,
    method: Method,
    stage: str,
    network: nn.Module,
    data: Data,
    sizes: dict[str, float],
    seconds: float,
) -> dict[str, Any]:
    scores = {split: image_scores(network, *data[split]) for split in ("validation", "test")}
    return {
        "network": r,
        "widths": widths,
        "method": method.name,
        "weights": method.weights,
        "stage": stage,
        **{f"{split}_loss": loss for split, (loss, _) in scores.items()},
        **{f"{split}_accuracy": accuracy for split, (_, accuracy) in scores.items()},
        **sizes,
        "pruning_seconds": seconds,
    }
