"""Convolutional networks of the forms that are used, small."""

import torch
from torch import nn
from torch.nn import functional

from tests.pruning.forms.branching import (
    UNet,
    conv_next,
    ghost_net,
    inception,
    padded_shortcut,
    squeeze_net,
    super_resolution,
)
from tests.pruning.forms.parts import head, norm_act


class SqueezeExcitation(nn.Module):
    """Channels scaled by what is computed of their means."""

    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)

    def forward(self, x):
        scale = functional.adaptive_avg_pool2d(x, 1)
        return x * functional.hardsigmoid(self.fc2(torch.relu(self.fc1(scale))))


class InvertedResidual(nn.Module):
    """MobileNet 2 and 3, MNASNet, EfficientNet: expand, depthwise, excite, project, add."""

    def __init__(self, width_in, inner, width, stride, squeeze):
        super().__init__()
        self.expand = nn.Sequential(
            nn.Conv2d(width_in, inner, 1, bias=False), *norm_act(inner, nn.Hardswish)
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
            *norm_act(inner, nn.Hardswish),
        )
        self.excite = SqueezeExcitation(inner, squeeze) if squeeze else nn.Identity()
        self.project = nn.Sequential(nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width))
        self.adds = stride == 1 and width_in == width

    def forward(self, x):
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + y if self.adds else y


def mobile_net():
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3, 1, 1, bias=False), *norm_act(6, nn.Hardswish)),
        *(InvertedResidual(6, 12, 6, 1, 4), InvertedResidual(6, 10, 8, 2, 0)),
        *(InvertedResidual(8, 12, 8, 1, 6), head(8)),
    )


class DenseLayer(nn.Module):
    def __init__(self, width_in, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(width_in), nn.Conv2d(width_in, 8, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(8), nn.Conv2d(8, growth, 3, 1, 1, bias=False)

    def forward(self, several):
        x = torch.cat(several, 1)
        x = self.conv1(torch.relu(self.norm1(x)))
        return self.conv2(torch.relu(self.norm2(x)))


class DenseNet(nn.Module):
    """Every layer reads all before it, side by side; a transition narrows them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, 1, 1, bias=False)
        self.layers = nn.ModuleList([DenseLayer(6, 4), DenseLayer(10, 4), DenseLayer(14, 4)])
        self.transition = nn.Sequential(
            nn.BatchNorm2d(18), nn.ReLU(), nn.Conv2d(18, 8, 1, bias=False), nn.AvgPool2d(2)
        )
        self.last, self.norm, self.head = DenseLayer(8, 4), nn.BatchNorm2d(12), head(12)

    def forward(self, x):
        several = [self.stem(x)]
        for layer in self.layers:
            several.append(layer(several))
        x = self.transition(torch.cat(several, 1))
        return self.head(torch.relu(self.norm(torch.cat([x, self.last([x])], 1))))


class Branch(nn.Sequential):
    """ShuffleNet: pointwise, depthwise, pointwise."""

    def __init__(self, width_in, width, stride):
        super().__init__(
            *(nn.Conv2d(width_in, width, 1, bias=False), *norm_act(width)),
            nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False),
            *(nn.BatchNorm2d(width), nn.Conv2d(width, width, 1, bias=False), *norm_act(width)),
        )


def shuffled(x, groups):
    n, channels, height, width = x.shape
    x = x.view(n, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(n, channels, height, width)


class ShuffleUnit(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.stride = stride
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width_in, 3, stride, 1, groups=width_in, bias=False),
                *(nn.BatchNorm2d(width_in), nn.Conv2d(width_in, width // 2, 1, bias=False)),
                *norm_act(width // 2),
            )
        self.branch = Branch(width_in if stride > 1 else width_in // 2, width // 2, stride)

    def forward(self, x):
        if self.stride == 1:
            kept, x = x.chunk(2, dim=1)
            y = torch.cat([kept, self.branch(x)], dim=1)
        else:
            y = torch.cat([self.shortcut(x), self.branch(x)], dim=1)
        return shuffled(y, 2)


def shuffle_net():
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3, 1, 1, bias=False), *norm_act(6)),
        *(ShuffleUnit(6, 12, 2), ShuffleUnit(12, 12, 1), nn.Conv2d(12, 10, 1), nn.ReLU()),
        head(10),
    )


class GroupedShuffle(nn.Module):
    """ShuffleNet 1: pointwise convolutions in groups, with channels shuffled between them."""

    def __init__(self, module):
        super().__init__()
        self.first = nn.Conv2d(8, 12, 1, groups=2)
        self.shuffle = module
        self.depthwise = nn.Conv2d(12, 12, 3, 1, 1, groups=12)
        self.second = nn.Conv2d(12, 8, 1, groups=2)

    def forward(self, x):
        return x + self.second(self.depthwise(self.shuffle(torch.relu(self.first(x)))))


def grouped_shuffle():
    return nn.Sequential(nn.Conv2d(2, 8, 3), GroupedShuffle(nn.ChannelShuffle(2)), head(8))


class ResNeXtBlock(nn.Module):
    def __init__(self, width_in, inner, width, groups):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width_in, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, 1, 1, groups=groups, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3, self.norm3 = nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width)
        self.shortcut = None
        if width_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1), nn.BatchNorm2d(width))

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return torch.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def res_next():
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3), *norm_act(6)),
        *(ResNeXtBlock(6, 12, 8, 3), ResNeXtBlock(8, 8, 8, 2), head(8)),
    )


FORMS = {
    "depthwise and squeeze-and-excitation": (
        mobile_net,
        {
            "0": 6,
            "3.expand.0": 12,
            "3.excite.fc1": 4,
            "4.expand.0": 10,
            "4.project.0": 8,
            "5.expand.0": 12,
            "5.excite.fc1": 6,
        },
    ),
    "dense blocks": (
        DenseNet,
        {
            "stem": 6,
            **{
                name: width
                for i in range(3)
                for name, width in ((f"layers.{i}.conv1", 8), (f"layers.{i}.conv2", 4))
            },
            "transition.2": 8,
            "last.conv1": 8,
            "last.conv2": 4,
        },
    ),
    "shuffle units": (
        shuffle_net,
        {"0": 6, "3.shortcut.2": 3, "3.branch.0": 6, "4.branch.0": 6, "5": 10},
    ),
    "shuffled groups": (grouped_shuffle, {"0": 4, "1.first": 3}),
    "grouped convolutions": (
        res_next,
        {
            "0": 6,
            "3.conv1": 4,
            "3.conv2": 4,
            "3.conv3": 8,
            "4.conv1": 4,
            "4.conv2": 4,
        },
    ),
    "a U-Net": (
        UNet,
        {
            "down1.0": 4,
            "down1.3": 4,
            "down2.0": 6,
            "down2.3": 6,
            "bottom.0": 8,
            "bottom.3": 8,
            "up2": 6,
            "join2.0": 6,
            "join2.3": 6,
            "up1": 4,
            "join1.0": 4,
            "join1.3": 4,
        },
    ),
    "layer norm of channels moved last": (conv_next, {"2.fc1": 16, "5.fc1": 24}),
    "a padded shortcut": (padded_shortcut, {"0": 4, "3.conv1": 8, "4": 6}),
    "branches of several kernels": (
        inception,
        {
            "0": 4,
            "2.one": 4,
            "2.three.0": 3,
            "2.three.2": 5,
            "2.pool.1": 2,
            "4.one": 4,
            "4.three.0": 3,
            "4.three.2": 5,
            "4.pool.1": 2,
        },
    ),
    "squeeze and expand": (
        squeeze_net,
        {
            "0": 6,
            "2.squeeze": 4,
            "2.expand1": 5,
            "2.expand3": 5,
            "3.squeeze": 4,
            "3.expand1": 5,
            "3.expand3": 5,
        },
    ),
    "pixel shuffle": (super_resolution, {"0": 8, "2": 3}),
    "ghosts": (ghost_net, {"0": 6, "1.primary": 4, "2.primary": 6}),
}
"""By form: a function that makes one, and the groups that can be pruned with their widths."""
