"""Torch-Pruning's local pruning (Fang et al., arXiv 2301.12900) to given widths."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch_pruning
from torch import nn
from torch.nn import functional

from mini_exp.compare.pruners.pruner import NetworkPruner
from mini_exp.errors import NetworkError
from mini_exp.pruning.batch_norm import reestimate_batch_norm

if TYPE_CHECKING:
    from mini_exp.compare.candidate import Candidate
    from mini_exp.spectral import Integers

WEIGHTED = (nn.Linear, nn.Conv2d)


def by_magnitude(candidate: Candidate, widths: Integers) -> nn.Module:
    """By the 2-norm of all weights that write or read a channel."""
    smaller = copy.deepcopy(candidate.network).eval()
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    prune(smaller, candidate, widths, importance)
    return smaller.train(candidate.network.training)


def by_taylor(candidate: Candidate, widths: Integers) -> nn.Module:
    """By the first-order change of the calibration samples' cross-entropy."""
    smaller = copy.deepcopy(candidate.network).eval()
    smaller.zero_grad()
    n_samples = sum(map(len, candidate.batches))
    for batch, labels in zip(candidate.batches, candidate.labels, strict=True):
        share = len(batch) / n_samples
        (functional.cross_entropy(smaller(batch), labels) * share).backward()
    prune(smaller, candidate, widths, torch_pruning.importance.GroupTaylorImportance())
    return smaller.train(candidate.network.training)


def prune(network: nn.Module, candidate: Candidate, widths: Integers, importance: Any) -> None:
    """Prune a copy of the candidate's network in place; batch norms see the calibration samples.

    Raises
    ------
    NetworkError
        If Torch-Pruning gives a group another width.
    """
    groups = dict(zip(candidate.graph.groups, widths.tolist(), strict=True))
    ratios = {
        _module(network, writer): _ratio(group.width, width)
        for group, width in groups.items()
        for writer in group.writers
    }
    pruner = torch_pruning.pruner.BasePruner(
        network,
        candidate.batches[0][:1],
        importance=importance,
        pruning_ratio=0.0,
        pruning_ratio_dict=ratios,
        ignored_layers=[
            m for m in network.modules() if isinstance(m, WEIGHTED) and m not in ratios
        ],
    )
    pruner.step()
    network.zero_grad()
    for group, width in groups.items():
        left = len(network.get_parameter(group.writers[0]))
        if left != width:
            raise NetworkError(
                f"compare: Torch-Pruning: expected {width} channels of {group.name}, got {left}"
            )
    reestimate_batch_norm(network, candidate.batches)


def _module(network: nn.Module, weight: str) -> nn.Module:
    return network.get_submodule(weight.rpartition(".")[0])


def _ratio(width: int, kept: int) -> float:
    """The ratio at which Torch-Pruning, which keeps ⌊(1 − ratio) width⌋, keeps ``kept``."""
    return (width - kept - 0.5) / width if kept < width else 0.0


MAGNITUDE = NetworkPruner("Torch-Pruning magnitude", by_magnitude)
TAYLOR = NetworkPruner("Torch-Pruning Taylor", by_taylor)
