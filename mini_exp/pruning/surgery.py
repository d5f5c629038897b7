"""Removing channels: writers, batch norms and readers of a group made smaller."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mini_exp.pruning.graph import Reader
from mini_exp.pruning.selection import GroupPath, PruningSelection
from mini_exp.spectral import Floats, Integers


def shrink(network: nn.Module, path: GroupPath, rescale_dropout: bool) -> None:
    """Keep only some channels of a group; readers lose the columns of the others.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    path : GroupPath
        The group and the channels that stay.
    rescale_dropout : bool
        Multiply the group's dropout probabilities by the kept share.
    """
    group = path.group
    kept = torch.from_numpy(path.index_set)
    for name in group.writers:
        module: Any = network.get_submodule(name)
        _replace(module, "weight", lambda tensor: _rows(tensor, kept))
        _replace(module, "bias", lambda tensor: _rows(tensor, kept))
        _set_size(module, "out", len(kept))
    for name in group.batch_norms:
        module = network.get_submodule(name)
        for parameter in ("weight", "bias", "running_mean", "running_var"):
            _replace(module, parameter, lambda tensor: _rows(tensor, kept))
        module.num_features = len(kept)
    for reader in group.readers:
        module = network.get_submodule(reader.module)
        _replace(module, "weight", functools.partial(_columns, reader=reader, kept=kept))
        _set_size(module, "in", len(kept) * reader.positions)
    for name in group.dropouts if rescale_dropout else ():
        module = network.get_submodule(name)
        module.p = module.p * len(kept) / group.width


def smaller_network(network: nn.Module, selection: PruningSelection) -> nn.Module:
    """A copy of an unpruned network with the selection's sizes, to load a saved state into."""
    smaller = copy.deepcopy(network)
    for path in selection.groups:
        shrink(smaller, path, selection.rescale_dropout)
    return smaller


def fold(
    network: nn.Module, reader: Reader, index_set: Integers, matrix: Floats, by_weight: bool
) -> None:
    """Let a reader work on the estimate A φ_J of all its units: W ← W A.

    What it reads still has all channels: the new weights stand in the columns of J, the others
    are 0, until ``shrink`` removes them.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    reader : Reader
    index_set : (k,) int64
        J, channels.
    matrix : (m, k) float64
        A over channels; (m q, k q) over weights (channel-major) where ``by_weight``, with q
        weights per channel.
    by_weight : bool
    """

    def folded(weight: Tensor) -> Tensor:
        a = torch.from_numpy(matrix).to(weight.device)
        kept = torch.from_numpy(index_set).to(weight.device)
        units = weight.detach().double().flatten(1)  # (out, C · q)
        n_channels = weight.shape[1] // reader.positions
        by_channel = units.unflatten(1, (n_channels, -1))  # (out, C, q)
        if by_weight:
            estimate = (units @ a).unflatten(1, (len(kept), -1))
        else:
            estimate = torch.einsum("ocq,cj->ojq", by_channel, a)
        full = torch.zeros_like(by_channel)
        full[:, kept] = estimate
        return full.reshape(weight.shape).to(weight.dtype)

    _replace(network.get_submodule(reader.module), "weight", folded)


def shift(network: nn.Module, reader: Reader, offset: Floats, by_weight: bool) -> None:
    """Add what a constant input would give to a reader's bias: b ← b + W offset.

    Parameters
    ----------
    network : nn.Module
        Changed in place; a reader without a bias gets one.
    reader : Reader
    offset : (m,) float64
        Per channel, or per weight where ``by_weight``.
    by_weight : bool

    Notes
    -----
    Exact but for the zero padding of convolutions, which holds no constant.
    """
    module: Any = network.get_submodule(reader.module)
    weight = module.weight.detach().double()
    units = weight.flatten(1)
    constant = torch.from_numpy(offset).to(weight.device)
    if not by_weight:
        constant = constant.repeat_interleave(units.shape[1] // len(constant))
    added = units @ constant
    if module.bias is None:
        module.bias = nn.Parameter(torch.zeros_like(added).to(module.weight.dtype))
    _replace(module, "bias", lambda bias: (bias.double() + added).to(bias.dtype))


def _rows(tensor: Tensor, kept: Tensor) -> Tensor:
    return tensor.index_select(0, kept.to(tensor.device))


def with_new_biases(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """The network itself, with a bias in every layer that has one in a saved state only.

    Reconstruction with an intercept gives one to layers that had none.
    """
    for name, module in network.named_modules():
        if f"{name}.bias" in state and getattr(module, "bias", 0) is None:
            module.bias = nn.Parameter(torch.empty(len(module.get_parameter("weight"))))
    return network


def _columns(weight: Tensor, reader: Reader, kept: Tensor) -> Tensor:
    by_channel: Tensor = weight.unflatten(1, (-1, reader.positions))
    return by_channel.index_select(1, kept.to(weight.device)).flatten(1, 2)


def _replace(module: nn.Module, name: str, change: Callable[[Tensor], Tensor]) -> None:
    """Change a parameter or buffer, if the module has it; gradients start anew."""
    tensor = getattr(module, name)
    if tensor is None:
        return
    changed = change(tensor.detach()).contiguous()
    if isinstance(tensor, nn.Parameter):
        changed = nn.Parameter(changed, requires_grad=tensor.requires_grad)
    setattr(module, name, changed)


def _set_size(module: nn.Module, side: str, size: int) -> None:
    kind = "channels" if isinstance(module, nn.Conv2d) else "features"
    setattr(module, f"{side}_{kind}", size)
