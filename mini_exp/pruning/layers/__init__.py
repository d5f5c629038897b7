"""Layers whose weights are read and written, each as a block tensor (..., out, channels, q).

A new kind is a file with a ``LayerKind`` and a line in ``KINDS``.
"""

from __future__ import annotations

from torch import nn

from mini_exp.pruning.layers.convolution import Convolution
from mini_exp.pruning.layers.kind import LayerKind
from mini_exp.pruning.layers.linear import Linear
from mini_exp.pruning.layers.stacked_linear import Stacked, StackedLinear

KINDS: dict[type[nn.Module], LayerKind] = {
    nn.Linear: Linear(),
    nn.Conv2d: Convolution(),
    StackedLinear: Stacked(),
}


def is_weighted(module: nn.Module | None) -> bool:
    """Whether a module's weight is read and written by one of the kinds."""
    return isinstance(module, tuple(KINDS))


def kind_of(module: nn.Module) -> LayerKind:
    """How a module's weight is read and written."""
    return next(kind for layer, kind in KINDS.items() if isinstance(module, layer))
