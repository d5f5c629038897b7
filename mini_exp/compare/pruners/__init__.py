"""Ways to prune a network to given widths: a file each, and a line in ``PRUNERS``."""

from __future__ import annotations

from collections.abc import Iterable

from mini_exp.compare.pruners import torch_pruning
from mini_exp.compare.pruners.l1_magnitude import L1_MAGNITUDE
from mini_exp.compare.pruners.pruner import BudgetPruner, Method, NetworkPruner, Pruner
from mini_exp.compare.pruners.random_units import RANDOM_UNITS
from mini_exp.compare.pruners.spectral import spectral

PRUNERS: tuple[Pruner, ...] = (
    RANDOM_UNITS,
    L1_MAGNITUDE,
    torch_pruning.L1,
    torch_pruning.MAGNITUDE,
    torch_pruning.BATCH_NORM_SCALE,
    torch_pruning.TAYLOR,
    torch_pruning.GLOBAL_MAGNITUDE,
    torch_pruning.GLOBAL_TAYLOR,
)
"""What spectral pruning is compared with."""


def all_methods(thetas: Iterable[float]) -> list[Method]:
    """Spectral pruning at every θ and all others that take widths, with every kind of weights."""
    others = (pruner for pruner in PRUNERS if not isinstance(pruner, BudgetPruner))
    pruners = (*map(spectral, thetas), *others)
    return [Method(pruner, weights) for pruner in pruners for weights in pruner.weights]


def main_methods(theta: float) -> list[Method]:
    """Spectral pruning with reconstruction at one θ, and what people would use instead."""
    others = (pruner for pruner in PRUNERS if isinstance(pruner, NetworkPruner))
    return [Method(spectral(theta), "reconstruct"), *(Method(other, "") for other in others)]


def budget_methods() -> list[Method]:
    """Those that choose the widths within a budget themselves."""
    return [Method(pruner, "") for pruner in PRUNERS if isinstance(pruner, BudgetPruner)]
