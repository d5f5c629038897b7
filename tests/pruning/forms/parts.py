"""Parts of several forms."""

from torch import nn


def norm_act(width, act=nn.ReLU):
    return nn.BatchNorm2d(width), act()


def head(width, n_classes=3):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes))
