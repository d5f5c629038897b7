"""Fully connected layers of many networks at once: parameters lead with the networks' axes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mini_exp.errors import ShapeError
from mini_exp.pruning.layers.kind import replace_parameter
from mini_exp.spectral import Floats


class StackedLinear(nn.Module):
    """y = x Wᵀ + b for every network of a stack.

    Parameters
    ----------
    weight : (..., out, in) tensor
    bias : (..., out) tensor or None

    Examples
    --------
    >>> layer = StackedLinear(torch.ones(5, 2, 3))
    >>> layer(torch.ones(5, 7, 3)).shape
    torch.Size([5, 7, 2])
    """

    bias: nn.Parameter | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias))

    @property
    def in_features(self) -> int:
        return self.weight.shape[-1]

    @property
    def out_features(self) -> int:
        return self.weight.shape[-2]

    def forward(self, x: Tensor) -> Tensor:
        """From (..., n, in) to (..., n, out); leading axes of 1 are the same for every network."""
        if x.ndim < 2 or x.shape[-1] != self.weight.shape[-1]:
            raise ShapeError(
                f"network: expected inputs (..., n, {self.weight.shape[-1]}), got {tuple(x.shape)}"
            )
        y = x @ self.weight.mT
        return y if self.bias is None else y + self.bias[..., None, :]


class Stacked:
    """q is 1; samples stand on the second-last axis, units on the last."""

    def check(
        self, name: str, module: StackedLinear, reads: torch.Size, writes: torch.Size
    ) -> None:
        """Every one is covered."""

    def width(self, module: StackedLinear) -> int:
        return module.weight.shape[-2]

    def output_places(self, writes: torch.Size) -> int:
        return 1

    def blocks(self, module: StackedLinear, channels: int) -> Tensor:
        blocks: Tensor = module.weight.detach().unflatten(-1, (channels, -1))
        return blocks

    def write_blocks(self, module: StackedLinear, blocks: Tensor) -> None:
        replace_parameter(module, "weight", blocks.flatten(-2))

    def rows(self, x: Tensor, channels: int) -> Floats:
        # NumPy's product: the published width solver is sensitive to its last digits.
        rows: Floats = x.double().cpu().numpy()
        return rows

    def patches(self, name: str, module: StackedLinear, x: Tensor, channels: int) -> Floats:
        return self.rows(x, channels)
