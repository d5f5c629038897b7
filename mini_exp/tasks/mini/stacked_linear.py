"""Fully connected layers of many networks at once: parameters lead with the networks' axes."""

from __future__ import annotations

from torch import Tensor, nn

from mini_exp.errors import ShapeError


class StackedLinear(nn.Module):
    """y = x Wᵀ + b for every network of a stack.

    Parameters
    ----------
    weight : (..., out, in) tensor
    bias : (..., out) tensor or None

    Examples
    --------
    >>> import torch
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
