"""Convolutional networks: the thesis's CNN, a small one for digits, CIFAR ResNets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mini_exp.errors import DomainError

N_CLASSES = 10


def thesis_cnn(dropout: Sequence[float] = (0.25, 0.25, 0.5)) -> nn.Sequential:
    """The thesis's CIFAR-10 network: conv 32-32, pool, conv 64-64, pool, 512 units, 10 classes.

    Keras's example of 2019: 3 × 3 kernels, the second of each pair without padding; 1 250 858
    parameters. Takes (n, 3, 32, 32).

    Parameters
    ----------
    dropout : three probabilities
        After each pool and after the 512 units.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in thesis_cnn().parameters())
    1250858
    """
    return _cnn((3, 32, 32, 64, 64), (1, 0, 1, 0), 64 * 6 * 6, 512, dropout)


def digits_cnn(dropout: Sequence[float] = (0.25, 0.25, 0.5)) -> nn.Sequential:
    """The same form for 8 × 8 digits: conv 16-16, pool, conv 32-32, pool, 64 units, 10 classes.

    Takes (n, 1, 8, 8).

    Examples
    --------
    >>> digits_cnn()(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    return _cnn((1, 16, 16, 32, 32), (1, 1, 1, 1), 32 * 2 * 2, 64, dropout)


def _cnn(
    widths: Sequence[int],
    padding: Sequence[int],
    features: int,
    hidden: int,
    dropout: Sequence[float],
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(4):
        layers[f"conv{i + 1}"] = nn.Conv2d(widths[i], widths[i + 1], 3, padding=padding[i])
        layers[f"relu{i + 1}"] = nn.ReLU()
        if i % 2:
            layers[f"pool{i // 2 + 1}"] = nn.MaxPool2d(2)
            layers[f"dropout{i // 2 + 1}"] = nn.Dropout(dropout[i // 2])
    layers["flatten"] = nn.Flatten()
    layers["hidden"] = nn.Linear(features, hidden)
    layers["relu5"] = nn.ReLU()
    layers["dropout3"] = nn.Dropout(dropout[2])
    layers["output"] = nn.Linear(hidden, 10)
    return nn.Sequential(layers)


class _Block(nn.Module):
    """relu(norm(conv(relu(norm(conv(x))))) + x), with a 1 × 1 convolution where sizes differ."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        inside = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inside)) + self.shortcut(x))


class ResNet(nn.Module):
    """The CIFAR ResNet of depth 6n + 2: three stages of n blocks with 16, 32, 64 channels.

    He et al., Deep residual learning for image recognition (2016), section 4.2, with a 1 × 1
    convolution where a stage begins. Takes (n, 3, h, w).

    Examples
    --------
    >>> ResNet(20)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise DomainError(f"ResNet: expected a depth of 6n + 2 ≥ 8, got {depth}")
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        blocks: list[nn.Module] = []
        width_in = 16
        for stage, width in enumerate((16, 32, 64)):
            for i in range(depth // 6):
                blocks.append(_Block(width_in, width, 2 if stage and not i else 1))
                width_in = width
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.norm(self.conv(x))))
        logits: Tensor = self.output(x.mean(dim=(2, 3)))
        return logits
