"""A reader's weight as blocks (..., out, channels, q), and its input as rows of channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mini_exp.errors import NetworkError
from mini_exp.pruning.calls import Call
from mini_exp.pruning.graph import Reader


def blocks_of(weight: Tensor, reader: Reader) -> Tensor:
    """The weight of a reader as blocks: y_o = Σ_{c, q} W[o, c, q] x[c, q].

    q runs over the entries of a channel where a flattened image is read, and over the places of a
    kernel. Leading axes are other networks', or the groups within which channels are read.

    Returns
    -------
    Tensor
        (..., out, channels, q).
    """
    behind = max(reader.input_axis, reader.output_axis) + 1
    kernel = weight.detach().unsqueeze(-1).flatten(behind)
    entries = kernel.movedim((reader.output_axis, reader.input_axis), (-3, -2))
    if reader.groups > 1 and reader.input_axis > reader.output_axis:
        entries = entries.unflatten(0, (reader.groups, -1))
    elif reader.groups > 1:  # a transposed convolution: every group writes to the same rows
        entries = entries.unflatten(1, (reader.groups, -1)).movedim(1, 0)
    if reader.order:
        entries = entries[..., list(reader.order), :]
    blocks: Tensor = entries.unflatten(-2, (-1, reader.positions)).flatten(-2)
    return blocks


def weight_of(blocks: Tensor, reader: Reader, like: Tensor) -> Tensor:
    """The weight whose blocks these are, of the shape of another."""
    entries = blocks.unflatten(-1, (reader.positions, -1)).flatten(-3, -2)
    if reader.order:
        entries = entries[..., torch.tensor(reader.order).argsort(), :]
    if reader.groups > 1 and reader.input_axis > reader.output_axis:
        entries = entries.flatten(0, 1)
    elif reader.groups > 1:
        entries = entries.movedim(0, 1).flatten(1, 2)
    kernel = entries.movedim((-3, -2), (reader.output_axis, reader.input_axis))
    weight: Tensor = kernel.reshape(like.shape)
    return weight


def rows_of(x: Tensor, reader: Reader) -> Any:
    """An input as (..., n, channels) float64: a row per sample and place."""
    if min(reader.input_axis, reader.output_axis):
        return _in_float64(x.detach())
    entries = x.detach().movedim(reader.axis, -1)
    entries = entries.reshape(-1, entries.shape[-1])
    if reader.order:
        entries = entries[:, list(reader.order)]
    if reader.positions > 1:
        entries = entries.unflatten(1, (-1, reader.positions)).transpose(1, 2)
        entries = entries.reshape(-1, reader.channels)
    if reader.groups > 1:
        entries = entries.unflatten(1, (reader.groups, -1)).transpose(0, 1)
    return _in_float64(entries)


def _in_float64(rows: Tensor) -> Any:
    """On a processor for NumPy, whose product of a matrix with itself takes half the time."""
    return rows.double() if rows.is_cuda else rows.double().cpu().numpy()


def patches_of(x: Tensor, reader: Reader, call: Call) -> Any:
    """An input as the weights meet it, (..., n, channels · q) float64, ordered as blocks are.

    Raises
    ------
    NetworkError
        If the layer meets something else at its edges.
    """
    if "conv" not in reader.operation:
        if min(reader.input_axis, reader.output_axis):
            return rows_of(x, reader)
        entries = x.detach().flatten(0, -2)
        return _in_float64(entries[:, list(reader.order)] if reader.order else entries)
    if reader.operation != "conv2d" or reader.groups > 1 or reader.positions > 1:
        raise NetworkError(
            f"refit: {reader.module}: expected linear layers and convolutions of images, "
            f"got {reader.operation}"
        )
    names = ("input", "weight", "bias", "stride", "padding", "dilation")
    _, weight, _, stride, padding, dilation = call.bound(*names, stride=1, padding=0, dilation=1)
    if isinstance(padding, str):
        raise NetworkError(
            f"refit: {reader.module}: expected a convolution with padding in numbers, got "
            f"{padding!r}"
        )
    columns = functional.unfold(x.detach(), weight.shape[2:], dilation, padding, stride)
    return _in_float64(columns.transpose(1, 2).flatten(0, 1))
