"""What the method has to know of a kind of layer, and nothing else."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class LayerKind(Protocol):
    """A layer that contracts channels: y_o = Σ_{c, q} W[o, c, q] x[c, q].

    ``channels`` is how many units its input has: a unit is a channel c with all its places q.
    """

    def check(self, name: str, module: Any, reads: torch.Size, writes: torch.Size) -> None:
        """Refuse what is not covered, given the shapes of input and output.

        Raises
        ------
        NetworkError
        """

    def width(self, module: Any) -> int:
        """How many units it writes."""

    def output_places(self, writes: torch.Size) -> int:
        """Outputs per unit: 1, or the pixels of a channel."""

    def blocks(self, module: Any, channels: int) -> Tensor:
        """The weight as (..., out, channels, q)."""

    def write_blocks(self, module: Any, blocks: Tensor) -> None:
        """Replace the weight, and the sizes that the module keeps of it."""

    def rows(self, x: Tensor, channels: int) -> Any:
        """An input as (..., n, channels) float64: a row per sample and place."""

    def patches(self, name: str, module: Any, x: Tensor, channels: int) -> Any:
        """An input as the weights meet it, (..., n, channels · q) float64, ordered as blocks are.

        Raises
        ------
        NetworkError
            If the layer meets something else at its edges.
        """


def replace_parameter(module: nn.Module, name: str, value: Tensor) -> None:
    """Put new values in a parameter's or buffer's place; gradients start anew."""
    old = getattr(module, name)
    value = value.detach().to(old.dtype).contiguous()
    if isinstance(old, nn.Parameter):
        value = nn.Parameter(value, requires_grad=old.requires_grad)
    setattr(module, name, value)
