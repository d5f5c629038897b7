"""Fully connected layers, which may read a flattened image channel after channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.layers.kind import replace_parameter


class Linear:
    """q is 1, or the pixels of a channel of a flattened image (channel-major)."""

    def check(self, name: str, module: nn.Linear, reads: torch.Size, writes: torch.Size) -> None:
        if len(writes) != 2:
            raise NetworkError(
                f"{name}: expected a Linear that reads (n, features), got {tuple(reads)}; "
                "flatten first"
            )

    def width(self, module: nn.Linear) -> int:
        return module.out_features

    def output_places(self, writes: torch.Size) -> int:
        return 1

    def blocks(self, module: nn.Linear, channels: int) -> Tensor:
        blocks: Tensor = module.weight.detach().unflatten(1, (channels, -1))
        return blocks

    def write_blocks(self, module: nn.Linear, blocks: Tensor) -> None:
        replace_parameter(module, "weight", blocks.flatten(-2))
        module.out_features, module.in_features = module.weight.shape

    def rows(self, x: Tensor, channels: int) -> Tensor:
        by_channel: Tensor = x.double().unflatten(1, (channels, -1))
        return by_channel.transpose(1, 2).reshape(-1, channels)

    def patches(self, name: str, module: nn.Linear, x: Tensor, channels: int) -> Tensor:
        return x.double()
