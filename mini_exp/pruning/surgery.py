"""Removing channels: writers, batch norms and readers of a group made smaller."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.layers import is_weighted, kind_of
from mini_exp.pruning.layers.kind import replace_parameter
from mini_exp.pruning.selection import GroupSelection, Selection
from mini_exp.spectral import Floats, Integers


def smaller_network(network: nn.Module, selection: Selection) -> nn.Module:
    """A copy of a network with the selected channels only, weights as they are."""
    smaller = copy.deepcopy(network)
    for kept in selection.groups:
        for reader in kept.group.readers:
            slice_reader(smaller, reader, kept.index_set)
        shrink(smaller, kept, selection.rescale_dropout)
    return smaller


def shrink(network: nn.Module, kept: GroupSelection, rescale_dropout: bool) -> None:
    """Keep only some channels of what writes, normalises and drops a group.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    kept : GroupSelection
        The group and the channels that stay.
    rescale_dropout : bool
        Multiply the group's dropout probabilities by the kept share.
    """
    group, index_set = kept.group, torch.from_numpy(kept.index_set)
    for name in group.writers:
        module: Any = network.get_submodule(name)
        kind = kind_of(module)
        kind.write_blocks(module, _taken(kind.blocks(module, 1), index_set, -3))
        if module.bias is not None:
            replace_parameter(module, "bias", _taken(module.bias, index_set, -1))
    for name in group.batch_norms:
        module = network.get_submodule(name)
        for parameter in ("weight", "bias", "running_mean", "running_var"):
            tensor = getattr(module, parameter)
            if tensor is not None:
                replace_parameter(module, parameter, _taken(tensor, index_set, -1))
        module.num_features = kept.width
    for name in group.dropouts if rescale_dropout else ():
        module = network.get_submodule(name)
        module.p = module.p * kept.width / group.width


def slice_reader(network: nn.Module, reader: Reader, index_set: Integers) -> None:
    """Let a reader read only some channels; it loses the weights of the others."""
    module = network.get_submodule(reader.module)
    kind = kind_of(module)
    blocks = kind.blocks(module, reader.channels)
    kind.write_blocks(module, _taken(blocks, torch.from_numpy(index_set), -2))


def fold(network: nn.Module, reader: Reader, matrix: Floats, by_weight: bool) -> None:
    """Let a reader work on the estimate A φ_J of all its units: W ← W A.

    Parameters
    ----------
    network : nn.Module
        Changed in place; the reader reads the kept channels only from here on.
    reader : Reader
    matrix : (..., m, k) float64
        A over channels; (..., m q, k q) over weights (channel-major) where ``by_weight``, with q
        weights per channel.
    by_weight : bool

    References
    ----------
    Sørby (2019), (4.1.1).
    """
    module = network.get_submodule(reader.module)
    kind = kind_of(module)
    blocks = kind.blocks(module, reader.channels).double()
    a = torch.from_numpy(matrix).to(blocks.device)
    if by_weight:
        folded = (blocks.flatten(-2) @ a).unflatten(-1, (-1, blocks.shape[-1]))
    else:
        folded = torch.einsum("...ocq,...cj->...ojq", blocks, a)
    kind.write_blocks(module, folded)


def shift(network: nn.Module, reader: Reader, offset: Floats, by_weight: bool) -> None:
    """Add what a constant input would give to a reader's bias: b ← b + W offset.

    Parameters
    ----------
    network : nn.Module
        Changed in place; a reader without a bias gets one.
    reader : Reader
    offset : (..., m) float64
        Per channel, or per weight where ``by_weight``.
    by_weight : bool

    Notes
    -----
    Exact but for the zero padding of convolutions, which holds no constant.
    """
    module: Any = network.get_submodule(reader.module)
    blocks = kind_of(module).blocks(module, reader.channels).double()
    constant = torch.from_numpy(offset).to(blocks.device)
    if not by_weight:
        constant = constant.repeat_interleave(blocks.shape[-1], dim=-1)
    added = (blocks.flatten(-2) @ constant[..., None])[..., 0]
    if module.bias is None:
        module.bias = nn.Parameter(torch.zeros_like(added, dtype=module.weight.dtype))
    replace_parameter(module, "bias", module.bias.double() + added)


def output_matrix(network: nn.Module, group: Group) -> Floats:
    """What the readers make of a group's channels, (..., rows, m): a row per output and place."""
    rows = []
    for reader in group.readers:
        module = network.get_submodule(reader.module)
        blocks = kind_of(module).blocks(module, reader.channels).double().cpu()
        rows.append(blocks.mT.flatten(-3, -2))
    matrix: Floats = torch.cat(rows, dim=-2).numpy()
    return matrix


def with_new_biases(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """The network itself, with a bias in every layer that has one in a saved state only.

    Reconstruction with an intercept gives one to layers that had none.
    """
    for name, module in network.named_modules():
        if f"{name}.bias" in state and is_weighted(module) and module.bias is None:
            module.bias = nn.Parameter(torch.empty(kind_of(module).blocks(module, 1).shape[:-2]))
    return network


def _taken(tensor: Tensor, index: Tensor, dim: int) -> Tensor:
    """Entries of an axis counted from the end, by an index (..., k) of the same leading axes."""
    behind = -dim - 1
    between = tensor.ndim - index.ndim - behind
    shape = (*index.shape[:-1], *(1,) * between, index.shape[-1], *(1,) * behind)
    return torch.take_along_dim(tensor.detach(), index.reshape(shape).to(tensor.device), dim=dim)
