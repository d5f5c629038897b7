"""Removing channels: every parameter and buffer that they have entries in made smaller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mini_exp.pruning.graph import Slot
from mini_exp.pruning.narrow_attention import narrow
from mini_exp.pruning.narrow_norms import release_norms, restrict_norms
from mini_exp.pruning.selection import GroupSelection, Selection
from mini_exp.pruning.trace import independent_copy
from mini_exp.spectral import Integers

Holders: TypeAlias = dict[int, list[tuple[nn.Module, str]]]
"""Modules that hold a tensor, and the names that it has there, by the tensor's id."""


class KeptSlot(NamedTuple):
    """A slot, the channels that stay, and the name of their group."""

    slot: Slot
    index_set: Integers
    group: str


def smaller_network(network: nn.Module, selection: Selection) -> nn.Module:
    """A copy of a network with the selected channels only, weights as they are."""
    smaller = independent_copy(network)
    shrink(smaller, selection)
    return smaller


def shrink(network: nn.Module, selection: Selection) -> None:
    """Remove, in place, the entries of all channels that are not selected.

    Sizes that modules keep of their tensors follow, and dropout probabilities where the selection
    says so.
    """
    module: Any
    release_norms(network)
    _rescale_queries(network, selection)
    axes, holders = by_axis(selection), _holders(network)
    by_tensor: dict[str, dict[int, Integers]] = defaultdict(dict)
    for (tensor, axis), slots in axes.items():
        kept = stays(slots)
        index = np.nonzero(kept)[-1].reshape(*kept.shape[:-1], -1)
        by_tensor[tensor][axis] = index
        if not slots[0].slot.reads and _new_bias(network, tensor, slots[0].slot.size, axes):
            by_tensor[f"{slots[0].slot.module}.bias".lstrip(".")][-1] = index
    for tensor, indices in by_tensor.items():
        reads = [axis for axis in indices if axis >= 0 and axes[tensor, axis][0].slot.reads]
        _shrink_tensor(network, holders, tensor, indices, reads)
    for own in selection.groups:
        for place, attribute in own.group.attributes:
            module = network.get_submodule(place)
            size = getattr(module, attribute)
            setattr(module, attribute, size * own.width // own.group.width)
    for name, own in _dropped(selection).items() if selection.rescale_dropout else ():
        module = network.get_submodule(name)
        module.p = module.p * own.width / own.group.width


def _rescale_queries(network: nn.Module, selection: Selection) -> None:
    """Undo, in place, that attention divides by the root of another number of entries."""
    holders = _holders(network)
    for own in selection.groups:
        for name, axis, entries in own.group.scaled:
            module, attribute = owner(network, name)
            tensor = getattr(module, attribute)
            index = torch.tensor(entries, device=tensor.device)
            queries = tensor.detach().index_select(axis, index)
            queries = queries * (own.width / own.group.width) ** 0.5
            value = tensor.detach().index_copy(axis, index, queries)
            _replace_everywhere(holders, tensor, value)


def mask(network: nn.Module, selection: Selection) -> None:
    """Put zeros, in place, where channels that are not selected are read, or normalised."""
    restrict_norms(network, kept_of_norms(selection))
    holders = _holders(network)
    for (name, axis), slots in by_axis(selection).items():
        if slots[0].slot.masked:
            module, attribute = owner(network, name)
            tensor = getattr(module, attribute)
            kept = torch.from_numpy(stays(slots)).to(tensor.device)
            lead = (*kept.shape[:-1], *(1,) * (axis - kept.ndim + 1), kept.shape[-1])
            kept = kept.reshape(*lead, *(1,) * (tensor.ndim - len(lead)))
            _replace_everywhere(holders, tensor, tensor.detach() * kept)


def kept_of_norms(selection: Selection) -> dict[str, Integers]:
    """The channels that are left of every norm that is over fewer, by its weight."""
    norms = {name for own in selection.groups for name in own.group.norms}
    axes = by_axis(selection).items()
    return {name: np.nonzero(stays(slots))[0] for (name, _), slots in axes if name in norms}


def by_axis(selection: Selection) -> dict[tuple[str, int], list[KeptSlot]]:
    """All slots of every axis of a tensor from which something is removed."""
    slots: dict[tuple[str, int], list[KeptSlot]] = defaultdict(list)
    for kept in selection.groups:
        if kept.width < kept.group.width:
            for slot in kept.group.slots:
                slots[slot.tensor, slot.axis].append(
                    KeptSlot(slot, kept.index_set, kept.group.name)
                )
    return slots


def stays(slots: Sequence[KeptSlot]) -> npt.NDArray[np.bool_]:
    """Which entries of an axis stay when groups keep these channels: (..., size)."""
    leading = slots[0].index_set.shape[:-1]
    kept = np.ones((*leading, slots[0].slot.size), dtype=bool)
    for slot, index_set, _ in slots:
        places = np.array(slot.places)
        every = np.broadcast_to(places.ravel(), (*leading, places.size))
        np.put_along_axis(kept, every, False, axis=-1)
        np.put_along_axis(kept, places[index_set].reshape(*leading, -1), True, axis=-1)
    return kept


def _new_bias(network: nn.Module, weight: str, size: int, axes: Container[Any]) -> bool:
    """Whether reconstruction gave a layer a bias that the groups do not know."""
    module, attribute = owner(network, weight)
    bias = getattr(module, "bias", None)
    if attribute != "weight" or not isinstance(bias, Tensor) or bias.shape[-1] != size:
        return False
    name = weight.removesuffix("weight") + "bias"
    return not any((name, axis) in axes for axis in range(bias.ndim))


def _shrink_tensor(
    network: nn.Module,
    holders: Holders,
    name: str,
    indices: Mapping[int, Integers],
    reads: Sequence[int],
) -> None:
    module, attribute = owner(network, name)
    old = getattr(module, attribute)
    new = old.detach()
    for axis, index in indices.items():
        new = taken(new, torch.from_numpy(index), axis - old.ndim if axis >= 0 else axis)
    for holder in _replace_everywhere(holders, old, new):
        if isinstance(holder, nn.MultiheadAttention) and "weight" in attribute:
            narrow(holder)
        for axis in indices:
            _resize(holder, axis in reads, axis, old.shape, new.shape)


def _dropped(selection: Selection) -> dict[str, GroupSelection]:
    """The first group that each dropout drops: a module that several share is rescaled once."""
    return {
        name: kept for kept in reversed(selection.groups) for name in reversed(kept.group.dropouts)
    }


WRITTEN_SIZES = (
    "out_channels",
    "out_features",
    "num_features",
    "embedding_dim",
    "num_channels",
    "num_parameters",
    "nf",
)
READ_SIZES = ("in_channels", "in_features", "input_size", "nx")


def _resize(module: Any, reads: bool, axis: int, old: torch.Size, new: torch.Size) -> None:
    """Let the sizes that a module keeps follow those of its tensor."""
    groups = getattr(module, "groups", 1)
    if reads:
        factor = groups if axis == 1 else 1
        for name in READ_SIZES:
            if getattr(module, name, None) == old[axis] * factor:
                setattr(module, name, new[axis] * factor)
        return
    transposed = getattr(module, "transposed", False)
    if groups > 1 and len(old) > 2 and axis == 0 and (transposed or old[1] == 1):
        module.groups = new[0] * groups // old[0]  # channel by channel
        for name in ("in_channels", "out_channels"):
            if hasattr(module, name):
                setattr(module, name, getattr(module, name) // groups * module.groups)
        return
    for name in WRITTEN_SIZES:
        if getattr(module, name, None) == old[axis]:
            setattr(module, name, new[axis])
    shape = getattr(module, "normalized_shape", None)
    if shape is not None and len(shape) == len(old):
        module.normalized_shape = tuple(new)


def replace_tensor(module: nn.Module, name: str, value: Tensor) -> None:
    """Put new values in a parameter's or buffer's place, its attributes and memory format kept."""
    old = getattr(module, name)
    value = value.detach().to(old.dtype)
    channels_last = old.ndim == 4 and old.is_contiguous(memory_format=torch.channels_last)
    if channels_last and not old.is_contiguous():
        value = value.contiguous(memory_format=torch.channels_last)
    else:
        value = value.contiguous()
    if isinstance(old, nn.Parameter):
        value = nn.Parameter(value, requires_grad=old.requires_grad)
    value.__dict__.update(old.__dict__)
    setattr(module, name, value)


def with_new_biases(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """The network itself, with a bias in every layer that has one in a saved state only.

    Reconstruction with an intercept gives one to layers that had none.
    """
    for name, module in network.named_modules():
        if f"{name}.bias" in state and getattr(module, "bias", 0) is None:
            size: Any = getattr(module, "out_features", getattr(module, "out_channels", None))
            weight = module.get_parameter("weight")
            leading = weight.shape[:-2] if hasattr(module, "out_features") else ()
            module.bias = nn.Parameter(
                torch.empty(*leading, size, dtype=weight.dtype), requires_grad=weight.requires_grad
            )
    return network


def owner(network: nn.Module, tensor: str) -> tuple[Any, str]:
    """The module that holds a parameter or buffer, and the name that it has there."""
    module, _, attribute = tensor.rpartition(".")
    return network.get_submodule(module), attribute


def _holders(network: nn.Module) -> Holders:
    holders: Holders = defaultdict(list)
    for module in network.modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            holders[id(tensor)].append((module, name))
    return holders


def _replace_everywhere(holders: Holders, tensor: Tensor, value: Tensor) -> list[nn.Module]:
    """Put new values in a tensor's place in all modules that hold it, which share them again."""
    own = holders.pop(id(tensor))
    (first, attribute), *others = own
    replace_tensor(first, attribute, value)
    new = getattr(first, attribute)
    for module, name in others:
        setattr(module, name, new)
    holders[id(new)] = own
    return [module for module, _ in own]


def taken(tensor: Tensor, index: Tensor, dim: int) -> Tensor:
    """Entries of an axis counted from the end, by an index (..., k) of the same leading axes."""
    if index.ndim == 1:
        return tensor.detach().index_select(dim, index.to(tensor.device))
    behind = -dim - 1
    between = tensor.ndim - index.ndim - behind
    shape = (*index.shape[:-1], *(1,) * between, index.shape[-1], *(1,) * behind)
    return torch.take_along_dim(tensor.detach(), index.reshape(shape).to(tensor.device), dim=dim)
