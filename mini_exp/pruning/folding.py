"""Readers with other weights: they work on the estimate of all channels from the kept ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.blocks import blocks_of, weight_of
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.surgery import owner, replace_tensor
from mini_exp.spectral import Floats, Integers


def fold(
    network: nn.Module, reader: Reader, matrix: Floats, units: Integers, by_weight: bool
) -> None:
    """Let a reader work on the estimate A φ_J of all its units: W ← W A, zero outside J.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    reader : Reader
    matrix : (..., m, k) float64
        A over channels, or over weights (channel-major) where ``by_weight``.
    units : (..., k) int64
        J.
    by_weight : bool

    References
    ----------
    Sørby (2019), (4.1.1).
    """
    module, attribute = owner(network, reader.weight)
    weight = getattr(module, attribute)
    blocks = blocks_of(weight, reader).double()
    a = torch.from_numpy(matrix).to(blocks.device)
    index = torch.from_numpy(units).to(blocks.device)
    folded = torch.zeros_like(blocks)
    if by_weight:
        flat = folded.flatten(-2)
        new = blocks.flatten(-2) @ a
        flat.scatter_(-1, _along(index, new, -1), new)
        folded = flat.unflatten(-1, blocks.shape[-2:])
    else:
        new = torch.einsum("...ocq,...cj->...ojq", blocks, a)
        folded.scatter_(-2, _along(index, new, -2), new)
    replace_tensor(module, attribute, weight_of(folded, reader, weight))


def _along(index: Tensor, values: Tensor, dim: int) -> Tensor:
    """An index (..., k) as it stands along an axis of values (..., k at dim, ...), expanded."""
    lead = index.shape[:-1]
    between = values.ndim + dim - len(lead)
    shape = (*lead, *(1,) * between, index.shape[-1], *(1,) * (-dim - 1))
    return index.reshape(shape).expand(values.shape)


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

    Raises
    ------
    NetworkError
        If the reader is not a layer that can have a bias, or makes something else of a constant
        from place to place.

    Notes
    -----
    Exact but for the zero padding of convolutions, which holds no constant.
    """
    module, attribute = owner(network, reader.weight)
    if attribute != "weight" or not hasattr(module, "bias"):
        raise NetworkError(
            f"intercept: {reader.weight}: expected the weight of a layer with a bias"
        )
    if "transpose" in reader.operation:
        raise NetworkError(
            f"intercept: {reader.module}: expected a layer that makes the same of a constant at "
            f"every place, got {reader.operation}"
        )
    weight = module.weight
    blocks = blocks_of(weight, reader).double()
    constant = torch.from_numpy(offset).to(blocks.device)
    if not by_weight:
        constant = constant.repeat_interleave(blocks.shape[-1], dim=-1)
    added = (blocks.flatten(-2) @ constant[..., None])[..., 0]
    if reader.groups > 1:
        added = added.flatten()
    if module.bias is None:
        module.bias = nn.Parameter(
            torch.zeros_like(added, dtype=weight.dtype), requires_grad=weight.requires_grad
        )
    replace_tensor(module, "bias", module.bias.double() + added)


def output_matrix(network: nn.Module, group: Group) -> Floats:
    """What the readers make of a group's channels, (..., rows, m): a row per output and place."""
    rows = []
    for reading in group.readings:
        reader = reading.reader
        blocks = blocks_of(network.get_parameter(reader.weight), reader).double().cpu()
        if reader.groups > 1:
            places = [torch.block_diag(*blocks[..., q]) for q in range(blocks.shape[-1])]
            blocks = torch.stack(places, dim=-1)
        for entries in np.array(reading.places).T:
            own = blocks[..., entries.tolist(), :]
            rows.append(own.mT.flatten(-3, -2))
    matrix: Floats = torch.cat(rows, dim=-2).numpy()
    return matrix
