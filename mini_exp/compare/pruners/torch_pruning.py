"""Torch-Pruning (Fang et al., arXiv 2301.12900) by its own criteria.

Its GroupNorm is this magnitude for networks that were not trained with its regulariser; its Hessian
(1.6.0) keeps the last sample's gradients alone and is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch_pruning
from torch import nn
from torch.nn import functional

from mini_exp.compare.pruners.pruner import BudgetPruner, NetworkPruner
from mini_exp.errors import NetworkError
from mini_exp.pruning.batch_norm import batch_norms, reestimate_batch_norm
from mini_exp.pruning.costs import Unit, network_costs

if TYPE_CHECKING:
    from mini_exp.compare.candidate import Candidate
    from mini_exp.pruning.graph import Group
    from mini_exp.spectral import Integers

WEIGHTED = (nn.Linear, nn.Conv2d)
HALVINGS = 12
"""Of the interval of ratios in which a budget's is sought."""

Importance = Callable[[nn.Module, "Candidate"], Any]
"""A criterion for a copy of the candidate's network, in eval mode."""


def l1(network: nn.Module, candidate: Candidate) -> Any:
    """The 1-norm of all weights that write or read a channel."""
    return torch_pruning.importance.GroupMagnitudeImportance(p=1)


def magnitude(network: nn.Module, candidate: Candidate) -> Any:
    """The 2-norm of all weights that write or read a channel."""
    return torch_pruning.importance.GroupMagnitudeImportance(p=2)


def batch_norm_scale(network: nn.Module, candidate: Candidate) -> Any:
    """|γ| of batch norms (Liu et al., arXiv 1708.06519)."""
    return torch_pruning.importance.BNScaleImportance()


def taylor(network: nn.Module, candidate: Candidate) -> Any:
    """The first-order change of the calibration samples' cross-entropy."""
    network.zero_grad()
    n_samples = sum(map(len, candidate.batches))
    for batch, labels in zip(candidate.batches, candidate.labels, strict=True):
        share = len(batch) / n_samples
        (functional.cross_entropy(network(batch), labels) * share).backward()
    return torch_pruning.importance.GroupTaylorImportance()


def to_widths(importance: Importance, candidate: Candidate, widths: Integers) -> nn.Module:
    """A copy of the candidate's network, every group pruned to its width.

    Raises
    ------
    NetworkError
        If Torch-Pruning gives a group another width.
    """
    smaller = copy.deepcopy(candidate.network).eval()
    groups = dict(zip(candidate.graph.groups, widths.tolist(), strict=True))
    ratios = {
        module: _ratio(group.width, width)
        for group, width in groups.items()
        for module in _writers(smaller, group)
    }
    criterion = importance(smaller, candidate)
    _prune(smaller, candidate, criterion, pruning_ratio=0.0, pruning_ratio_dict=ratios)
    for (group, width), left in zip(groups.items(), candidate.widths_of(smaller), strict=True):
        if left != width:
            raise NetworkError(
                f"compare: Torch-Pruning: expected {width} channels of {group.name}, got {left}"
            )
    return _finished(smaller, candidate)


def to_budget(importance: Importance, candidate: Candidate, unit: Unit, share: float) -> nn.Module:
    """The same with the widths that its ranking of all groups together gives within a budget.

    Raises
    ------
    NetworkError
        If it does not come below the budget.
    """
    network = copy.deepcopy(candidate.network).eval()
    criterion = importance(network, candidate)
    costs = network_costs(candidate.network, candidate.graph, unit)
    budget = share * costs.total(np.array([group.width for group in candidate.graph.groups]))
    within, low, high = None, 0.0, 1.0
    for _ in range(HALVINGS):
        ratio = (low + high) / 2
        smaller = _copy_with_gradients(network)
        _prune(smaller, candidate, criterion, pruning_ratio=ratio, global_pruning=True)
        if costs.total(candidate.widths_of(smaller)) <= budget:
            high, within = ratio, smaller
        else:
            low = ratio
    if within is None:
        raise NetworkError(f"compare: Torch-Pruning: no widths within {share:g} of the {unit}")
    return _finished(within, candidate)


def _prune(network: nn.Module, candidate: Candidate, importance: Any, **ratios: Any) -> None:
    """Prune in place, groups of the candidate's graph alone."""
    writers = {m for group in candidate.graph.groups for m in _writers(network, group)}
    pruner = torch_pruning.pruner.BasePruner(
        network,
        candidate.batches[0][:1],
        importance=importance,
        ignored_layers=[
            m for m in network.modules() if isinstance(m, WEIGHTED) and m not in writers
        ],
        **ratios,
    )
    pruner.step()


def _writers(network: nn.Module, group: Group) -> list[nn.Module]:
    return [network.get_submodule(writer.rpartition(".")[0]) for writer in group.writers]


def _finished(network: nn.Module, candidate: Candidate) -> nn.Module:
    """In the mode of the candidate's; batch norms have seen the calibration samples."""
    network.zero_grad()
    reestimate_batch_norm(network, candidate.batches)
    return network.train(candidate.network.training)


def _copy_with_gradients(network: nn.Module) -> nn.Module:
    """A deep copy leaves them behind."""
    other = copy.deepcopy(network)
    for parameter, source in zip(other.parameters(), network.parameters(), strict=True):
        parameter.grad = None if source.grad is None else source.grad.clone()
    return other


def _ratio(width: int, kept: int) -> float:
    """The ratio at which Torch-Pruning, which keeps ⌊(1 − ratio) width⌋, keeps ``kept``."""
    return (width - kept - 0.5) / width if kept < width else 0.0


def _has_batch_norms(candidate: Candidate) -> bool:
    return bool(batch_norms(candidate.network))


L1 = NetworkPruner("Torch-Pruning L1", partial(to_widths, l1))
MAGNITUDE = NetworkPruner("Torch-Pruning magnitude", partial(to_widths, magnitude))
BATCH_NORM_SCALE = NetworkPruner(
    "Torch-Pruning BNScale", partial(to_widths, batch_norm_scale), _has_batch_norms
)
TAYLOR = NetworkPruner("Torch-Pruning Taylor", partial(to_widths, taylor))
GLOBAL_MAGNITUDE = BudgetPruner("Torch-Pruning magnitude, global", partial(to_budget, magnitude))
GLOBAL_TAYLOR = BudgetPruner("Torch-Pruning Taylor, global", partial(to_budget, taylor))
