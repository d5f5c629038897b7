"""Is a pruned network right? An answer that asks nothing of the pruner but the two networks.

Where pruning only slices, the surviving entries of every parameter are known by their values. The
original with all other entries set to zero must give the same outputs: units that nobody reads
might as well be gone.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves

from scripts.zoo_families import Batch


class NotASliceError(Exception):
    """A parameter of the pruned network holds values that the original's does not."""


def tensors_in(outputs: Any) -> list[Tensor]:
    """What a network returned, whatever it is packed in, as real tensors in order."""
    leaves = tree_leaves(outputs)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def output_tensors(network: nn.Module, batch: Batch) -> list[Tensor]:
    return tensors_in(network(**batch) if isinstance(batch, dict) else network(batch))


def relative_difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """max |a - b| / max |b|, the worst of all outputs."""
    pairs = zip(ours, theirs, strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def surviving_positions(original: Tensor, smaller: Tensor) -> list[Tensor]:
    """By axis, where the smaller tensor's entries are in the original; -1 where unknown."""
    values, order = original.flatten().sort()
    wanted = smaller.flatten()
    last = len(values) - 1
    place = torch.searchsorted(values, wanted).clamp(max=last)
    is_single = (place == last) | (values[(place + 1).clamp(max=last)] != wanted)
    is_known = (values[place] == wanted) & is_single
    old = torch.unravel_index(order[place[is_known]], original.shape)
    new = torch.unravel_index(is_known.nonzero()[:, 0], smaller.shape)
    positions = []
    for axis, size in enumerate(smaller.shape):
        found = torch.full((size,), -1)
        found[new[axis]] = old[axis]
        positions.append(torch.arange(size) if size == original.shape[axis] else found)
    return positions


def surviving_mask(original: Tensor, smaller: Tensor) -> Tensor:
    """True where the original's entry is in the smaller tensor.

    Raises
    ------
    NotASliceError
    """
    if original.dim() != smaller.dim() or original.numel() < smaller.numel():
        raise NotASliceError
    positions = surviving_positions(original, smaller)
    mask = torch.zeros_like(original, dtype=torch.bool)
    if all(bool((kept >= 0).all()) for kept in positions):
        block = torch.meshgrid(positions, indexing="ij")
        if torch.equal(original[block], smaller):
            mask[block] = True
            return mask
    if original.dim() == 1 or bool((positions[0] < 0).any()):
        raise NotASliceError
    for new, old in enumerate(positions[0].tolist()):  # a grouped convolution's rows differ
        mask[old] = surviving_mask(original[old], smaller[new])
    return mask


def masked_network(original: nn.Module, smaller: nn.Module) -> nn.Module:
    """The original in eval mode, zero wherever the smaller network has no entry."""
    masked = copy.deepcopy(original).eval()
    parameters = dict(smaller.named_parameters())
    with torch.no_grad():
        for name, module in masked.named_modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                copy_statistics(module, smaller.get_submodule(name))
        for name, parameter in masked.named_parameters():
            if name not in parameters:
                raise NotASliceError(name)
            try:
                parameter.mul_(surviving_mask(parameter, parameters[name].detach()))
            except NotASliceError:
                raise NotASliceError(name) from None
    return masked


def copy_statistics(norm: nn.Module, smaller: nn.Module) -> None:
    """Let the surviving channels have the pruned network's statistics if these are new ones."""
    kept: slice | Tensor = slice(None)
    if isinstance(norm.weight, Tensor) and isinstance(smaller.weight, Tensor):
        kept = surviving_mask(norm.weight, smaller.weight)
    for name in ("running_mean", "running_var"):
        statistic, estimated = getattr(norm, name), getattr(smaller, name)
        if not bool(torch.isin(estimated, statistic).all()):
            statistic[kept] = estimated


def difference_from_masked(original: nn.Module, smaller: nn.Module, batch: Batch) -> float:
    """Relative difference between a pruned network and the masked original, both in eval mode.

    Parameters
    ----------
    original, smaller : nn.Module
        The second is the first with units removed and nothing else changed.
    batch : tensor or dict of tensors

    Raises
    ------
    NotASliceError
        If a parameter cannot be traced; the message is its name.
    """
    masked = masked_network(original, smaller)
    was_training = smaller.training
    with torch.no_grad():
        ours = output_tensors(smaller.eval(), batch)
        smaller.train(was_training)
        return relative_difference(ours, output_tensors(masked, batch))
