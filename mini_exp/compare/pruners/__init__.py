"""Ways to prune a network to given widths: a file each, and a line in ``PRUNERS``."""

from __future__ import annotations

from collections.abc import Iterable

from mini_exp.compare.pruners.l1_magnitude import L1_MAGNITUDE
from mini_exp.compare.pruners.pruner import Method, NetworkPruner, Pruner
from mini_exp.compare.pruners.random_units import RANDOM_UNITS
from mini_exp.compare.pruners.spectral import spectral
from mini_exp.compare.pruners.torch_pruning import MAGNITUDE, TAYLOR

PRUNERS: tuple[Pruner, ...] = (
    RANDOM_UNITS,
    L1_MAGNITUDE,
    MAGNITUDE,
    TAYLOR,
)
"""What spectral pruning is compared with."""


def all_methods(thetas: Iterable[float]) -> list[Method]:
    """Spectral pruning at every θ and all others, each with every way to make the weights."""
    pruners = (*map(spectral, thetas), *PRUNERS)
    return [Method(pruner, weights) for pruner in pruners for weights in pruner.weights]


def main_methods(theta: float) -> list[Method]:
    """Spectral pruning with reconstruction at one θ, and what people would use instead."""
    others = (pruner for pruner in PRUNERS if isinstance(pruner, NetworkPruner))
    return [Method(spectral(theta), "reconstruct"), *(Method(other, "") for other in others)]
