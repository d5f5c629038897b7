"""Convolutional networks whose branches meet again, small."""

import torch
from torch import nn
from torch.nn import functional

from tests.pruning.forms.parts import head, norm_act


def twice(width_in, width):
    return nn.Sequential(
        *(nn.Conv2d(width_in, width, 3, 1, 1), *norm_act(width)),
        *(nn.Conv2d(width, width, 3, 1, 1), *norm_act(width)),
    )


class UNet(nn.Module):
    """Skips side by side with what transposed convolutions bring up."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = twice(2, 4), twice(4, 6), twice(6, 8)
        self.up2, self.up1 = nn.ConvTranspose2d(8, 6, 2, 2), nn.ConvTranspose2d(6, 4, 2, 2)
        self.join2, self.join1 = twice(12, 6), twice(8, 4)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x1 = self.down1(x)
        x2 = self.down2(functional.max_pool2d(x1, 2))
        y = self.bottom(functional.max_pool2d(x2, 2))
        y = self.join2(torch.cat([x2, self.up2(y)], 1))
        return self.out(self.join1(torch.cat([self.up1(y), x1], 1)))


class ConvNeXtBlock(nn.Module):
    """Depthwise, layer norm over channels that were moved last, an MLP, a scale per channel."""

    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.rand(width, 1, 1))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.fc2(functional.gelu(self.fc1(y))).permute(0, 3, 1, 2)
        return x + self.scale * y


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv_next():
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 2, 2), ChannelNorm(4), ConvNeXtBlock(4), ChannelNorm(4)),
        *(nn.Conv2d(4, 6, 2, 2), ConvNeXtBlock(6), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.LayerNorm(6), nn.Linear(6, 3)),
    )


class PaddedShortcut(nn.Module):
    """ResNet's option A: strided, with zeros for the channels that are new."""

    def __init__(self, width_in, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, 2, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.new = (width - width_in) // 2

    def forward(self, x):
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        shortcut = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.new, self.new))
        return torch.relu(y + shortcut)


def padded_shortcut():
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, 1, 1), *norm_act(4)),
        *(PaddedShortcut(4, 8), nn.Conv2d(8, 6, 1), nn.ReLU(), head(6)),
    )


class Inception(nn.Module):
    """Branches of several kernels side by side."""

    def __init__(self, width):
        super().__init__()
        self.one = nn.Conv2d(width, 4, 1)
        self.three = nn.Sequential(
            nn.Conv2d(width, 3, 1), nn.ReLU(), nn.Conv2d(3, 5, (1, 3), 1, (0, 1))
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(width, 2, 1))

    def forward(self, x):
        branches = [self.one(x), self.three(x), self.pool(x), functional.avg_pool2d(x, 3, 1, 1)]
        return torch.cat([functional.relu(y, inplace=True) for y in branches], 1)


def inception():
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, 1, 1), nn.ReLU(), Inception(4), nn.BatchNorm2d(15), Inception(15)),
        head(26),
    )


class Fire(nn.Module):
    """SqueezeNet."""

    def __init__(self, width):
        super().__init__()
        self.squeeze = nn.Conv2d(width, 4, 1)
        self.expand1, self.expand3 = nn.Conv2d(4, 5, 1), nn.Conv2d(4, 5, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1(x)), torch.relu(self.expand3(x))], 1)


def squeeze_net():
    return nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), Fire(6), Fire(10), nn.Conv2d(10, 3, 1))


def super_resolution():
    """Pixel shuffle."""
    return nn.Sequential(
        *(nn.Conv2d(2, 8, 3, 1, 1), nn.PReLU(8), nn.Conv2d(8, 12, 3, 1, 1), nn.PixelShuffle(2)),
        *(nn.PReLU(3), nn.Conv2d(3, 8, 3, 1, 1), nn.PixelShuffle(2)),
    )


class Ghost(nn.Module):
    """GhostNet: half of the channels are made of the others, one by one."""

    def __init__(self, width_in, width):
        super().__init__()
        self.width = width
        self.primary = nn.Conv2d(width_in, width // 2, 1)
        self.cheap = nn.Conv2d(width // 2, width // 2, 3, 1, 1, groups=width // 2)

    def forward(self, x):
        x = torch.relu(self.primary(x))
        return torch.cat([x, torch.relu(self.cheap(x))], 1)


def ghost_net():
    return nn.Sequential(nn.Conv2d(2, 6, 3), Ghost(6, 8), Ghost(8, 12), head(12))
