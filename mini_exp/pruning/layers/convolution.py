"""Two-dimensional convolutions over all channels (groups 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mini_exp.errors import NetworkError
from mini_exp.pruning.layers.kind import replace_parameter


class Convolution:
    """q is the pixels of the kernel."""

    def check(self, name: str, module: nn.Conv2d, reads: torch.Size, writes: torch.Size) -> None:
        if module.groups != 1:
            raise NetworkError(f"{name}: expected a Conv2d with groups 1, got {module.groups}")

    def width(self, module: nn.Conv2d) -> int:
        return module.out_channels

    def output_places(self, writes: torch.Size) -> int:
        return math.prod(writes[2:])

    def blocks(self, module: nn.Conv2d, channels: int) -> Tensor:
        blocks: Tensor = module.weight.detach().flatten(1).unflatten(1, (channels, -1))
        return blocks

    def write_blocks(self, module: nn.Conv2d, blocks: Tensor) -> None:
        kernel: tuple[int, ...] = module.kernel_size
        replace_parameter(module, "weight", blocks.flatten(-2).unflatten(-1, (-1, *kernel)))
        module.out_channels, module.in_channels = module.weight.shape[:2]

    def rows(self, x: Tensor, channels: int) -> Tensor:
        return x.double().flatten(2).transpose(1, 2).reshape(-1, channels)

    def patches(self, name: str, module: nn.Conv2d, x: Tensor, channels: int) -> Tensor:
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise NetworkError(
                f"refit: {name}: expected a Conv2d with zero padding in numbers, got "
                f"{module.padding!r} of {module.padding_mode}"
            )
        columns = functional.unfold(
            x, module.kernel_size, module.dilation, module.padding, module.stride
        )
        return columns.double().transpose(1, 2).flatten(0, 1)
