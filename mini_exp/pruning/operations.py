"""Operations that a network may be made of besides the layers that contract channels."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

# What keeps every channel a function of that channel alone.
ELEMENTWISE_MODULES = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.AlphaDropout,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.Softsign,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
ELEMENTWISE_FUNCTIONS = {
    torch.relu,
    torch.sigmoid,
    torch.tanh,
    functional.relu,
    functional.relu6,
    functional.leaky_relu,
    functional.elu,
    functional.gelu,
    functional.silu,
    functional.mish,
    functional.sigmoid,
    functional.tanh,
    functional.softplus,
    functional.hardtanh,
    functional.hardswish,
    functional.hardsigmoid,
    functional.dropout,
    functional.max_pool2d,
    functional.avg_pool2d,
    functional.adaptive_avg_pool2d,
    functional.adaptive_max_pool2d,
}
ELEMENTWISE_METHODS = {"relu", "relu_", "sigmoid", "tanh", "contiguous", "clone"}
SUMS: set[Any] = {
    operator.add,
    operator.iadd,
    operator.sub,
    torch.add,
    torch.sub,
    "add",
    "add_",
    "sub",
    "sub_",
}
SCALINGS: set[Any] = {
    operator.mul,
    operator.truediv,
    torch.mul,
    torch.div,
    "mul",
    "mul_",
    "div",
    "div_",
}
IN_PLACE: set[Any] = {operator.iadd}
FLATTENINGS: set[Any] = {torch.flatten, "flatten"}
RESHAPES: set[Any] = {torch.reshape, "view", "reshape"}
MEANS: set[Any] = {torch.mean, "mean"}
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
