"""MiniModel, many at once: every parameter may lead with the axes of a stack (1.1.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.tasks.mini.stacked_linear import StackedLinear


class MiniModel(nn.Module):
    """Fully connected layers with ReLU between them; logits out.

    Parameters
    ----------
    layers : sequence of StackedLinear
        Weights (..., out, in): one network, or a stack of R of them.
    """

    def __init__(self, layers: Sequence[StackedLinear]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """From (..., n, d) to logits (..., n, 1)."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x) if i == last else torch.relu(layer(x))
        return x

    @property
    def stacked_layers(self) -> list[StackedLinear]:
        """The layers in order, by their type."""
        return [cast(StackedLinear, layer) for layer in self.layers]

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of input, hidden layers and output."""
        weights = [layer.weight for layer in self.stacked_layers]
        return (weights[0].shape[-1], *(weight.shape[-2] for weight in weights))

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of one network."""
        stacked = math.prod(self.stacked_layers[0].weight.shape[:-2])
        return sum(parameter.numel() for parameter in self.parameters()) // stacked

    def replicate(self, r: int) -> MiniModel:
        """A copy of one network of the stack, without the stack's axis."""
        return MiniModel([_like(layer, lambda tensor: tensor[r]) for layer in self.stacked_layers])

    def as_stack(self) -> MiniModel:
        """A copy as a stack of one network."""
        return MiniModel(
            [_like(layer, lambda tensor: tensor[None]) for layer in self.stacked_layers]
        )


def initial_stack(
    widths: Sequence[int], bias: bool, generators: Sequence[np.random.Generator]
) -> MiniModel:
    """Glorot-uniform weights, U(−a, a) with a = √(6 / (width_in + width_out)), and zero biases.

    Parameters
    ----------
    widths : sequence of int
        Input, hidden layers, output.
    bias : bool
        The weights are the same with and without.
    generators : sequence of numpy.random.Generator
        One per network of the stack.

    Examples
    --------
    >>> initial_stack([30, 16, 12, 10, 1], False, [np.random.default_rng(0)]).n_parameters
    802
    """
    draws = [
        [_glorot_uniform(rng, n_in, n_out) for n_in, n_out in pairwise(widths)]
        for rng in generators
    ]
    weights = [torch.from_numpy(np.stack(stack)) for stack in zip(*draws, strict=True)]
    return MiniModel(
        [
            StackedLinear(weight, weight.new_zeros(weight.shape[:2]) if bias else None)
            for weight in weights
        ]
    )


def _glorot_uniform(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    limit = float(np.sqrt(6 / (n_in + n_out)))
    return rng.uniform(-limit, limit, (n_out, n_in))


def _like(layer: StackedLinear, change: Callable[[Tensor], Tensor]) -> StackedLinear:
    bias = None if layer.bias is None else change(layer.bias.detach()).clone()
    return StackedLinear(change(layer.weight.detach()).clone(), bias)
