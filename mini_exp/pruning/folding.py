"""Readers with other weights: they work on the estimate of all channels from the kept ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.blocks import blocks_of, weight_of
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.surgery import owner, replace_tensor
from mini_exp.spectral import Floats, Integers

ENTRIES_AT_A_TIME = 2**22
"""Of a weight that are made float64 together: 32 MB."""


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
    blocks = blocks_of(weight, reader)
    a = torch.from_numpy(matrix).to(blocks.device)
    index = torch.from_numpy(units).to(blocks.device)
    folded = torch.zeros(blocks.shape, dtype=blocks.dtype, device=blocks.device)
    outputs = _outputs_at_a_time(blocks, ENTRIES_AT_A_TIME)
    for part, into in zip(blocks.split(outputs, -3), folded.split(outputs, -3), strict=True):
        if by_weight:
            _put(into.flatten(-2), -1, index, part.double().flatten(-2) @ a)
        else:
            new = torch.einsum("...ocq,...cj->...ojq", part.double(), a)
            _put(into, -2, index, new)
    replace_tensor(module, attribute, weight_of(folded, reader, weight))


def _outputs_at_a_time(blocks: Tensor, entries: int) -> int:
    return max(entries // max(blocks[..., :1, :, :].numel(), 1), 1)


def _put(into: Tensor, dim: int, index: Tensor, values: Tensor) -> None:
    """Write values (..., k at dim, ...) where an index (..., k) of the same leading axes says."""
    values = values.to(into.dtype)
    if index.ndim == 1:
        into.index_copy_(dim, index, values)
        return
    lead = index.shape[:-1]
    between = values.ndim + dim - len(lead)
    shape = (*lead, *(1,) * between, index.shape[-1], *(1,) * (-dim - 1))
    into.scatter_(dim, index.reshape(shape).expand(values.shape), values)


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
    return np.concatenate(list(output_rows(network, group)), axis=-2)


def output_rows(network: nn.Module, group: Group) -> Iterator[Floats]:
    """The rows of ``output_matrix``, with at most ``ENTRIES_AT_A_TIME`` entries, or m², at a time.

    Their product with themselves takes m².
    """
    pending: list[Tensor] = []
    most = max(ENTRIES_AT_A_TIME, group.width**2)
    for reading in group.readings:
        reader = reading.reader
        blocks = blocks_of(network.get_parameter(reader.weight), reader)
        if reader.groups > 1:
            places = [torch.block_diag(*blocks[..., q]) for q in range(blocks.shape[-1])]
            blocks = torch.stack(places, dim=-1)
        outputs = _outputs_at_a_time(blocks, most)
        for entries in np.array(reading.places).T:
            whole = np.array_equal(entries, np.arange(blocks.shape[-2]))
            for part in blocks.split(outputs, dim=-3):
                own = part if whole else part[..., entries.tolist(), :]
                rows = own.mT.flatten(-3, -2).double().cpu()
                if sum(x.numel() for x in (*pending, rows)) > most and pending:
                    yield torch.cat(pending, dim=-2).numpy()
                    pending = []
                pending.append(rows)
    yield torch.cat(pending, dim=-2).numpy()
