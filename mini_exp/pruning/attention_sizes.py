"""What modules keep of the sizes of attention and of the residual stream, and queries' scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from mini_exp.pruning.graph import Slot
from mini_exp.pruning.propagation import Propagation
from mini_exp.spectral import Integers


def scaled_queries(
    run: Propagation, slots: Sequence[Slot]
) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
    """Entries that write queries, which attention divides by the root of their number."""
    scaled = run.constraints.marked(run.constraints.scaled)
    for sums, bias in run.constraints.biases:
        scaled[bias] |= scaled[sums]
    first = {(axis.tensor, axis.axis): axis.first for axis in run.axes}
    written = []
    for slot in slots:
        entries = np.nonzero(scaled[first[slot.tensor, slot.axis] + np.arange(slot.size)])[0]
        if len(entries) and not slot.reads:
            written.append((slot.tensor, slot.axis, tuple(entries.tolist())))
    return tuple(written)


HEAD_COUNTS = (
    *("num_heads", "n_heads", "n_head", "heads", "nhead", "num_attention_heads"),
    *("num_key_value_heads", "num_kv_heads", "n_kv_heads"),
)
HEAD_SIZES = ("head_dim", "head_size", "attention_head_size", "dim_head", "key_dim", "d")
ALL_SIZES = ("all_head_size", "attn_dim", "inner_dim", "embed_dim", "split_size", "hidden_size")
"""Names under which modules keep how many heads they have, of what size, and all together."""
STREAM_SIZES = ("hidden_dim", "hidden_size", "embed_dim", "d_model", "dim")
"""Names under which they keep how many channels there are between their layers."""


def kept_sizes(
    run: Propagation, of_label: Integers, members: Integers
) -> tuple[tuple[str, str], ...]:
    """Numbers that modules keep and that shrink with a group.

    Of an axis which they split in several, and of what they normalise without any tensor.
    """
    attributes: dict[tuple[str, str], None] = {}
    for place, labels in run.bare_norms:
        whole = np.isin(of_label[labels], members).all()
        if whole and getattr(run.network.get_submodule(place), "num_features", 0) == len(labels):
            attributes[place, "num_features"] = None
    for place, labels in run.constraints.splits:
        units = of_label[labels]
        varying = [axis for axis in range(units.ndim) if (np.diff(units, axis=axis) != 0).any()]
        if len(varying) != 1 or units.ndim < 2 or not np.isin(units, members).all():
            continue
        own = varying[0] - units.ndim
        module = run.network.get_submodule(place)
        kept = {name: value for name, value in vars(module).items() if isinstance(value, int)}
        if isinstance(module, nn.MultiheadAttention):
            kept = {"num_heads": module.num_heads}  # the others are of its input
        for name in {-1: HEAD_SIZES, -2: HEAD_COUNTS}.get(own, ()):
            if kept.get(name) == units.shape[own]:
                attributes[place, name] = None
        for name in ALL_SIZES:
            if kept.get(name) in (units.shape[-1], units.shape[-1] * units.shape[-2]):
                attributes[place, name] = None
    return tuple(attributes)


def stream_sizes(
    run: Propagation, of_label: Integers, members: Integers
) -> tuple[tuple[str, str], ...]:
    """Numbers that modules keep of a group which they view as it is, its positions otherwise."""
    attributes = []
    for place, labels in run.views:
        if np.isin(of_label[labels], members).all():
            kept = vars(run.network.get_submodule(place))
            sizes = {name: kept[name] for name in STREAM_SIZES if isinstance(kept.get(name), int)}
            attributes += [(place, name) for name, size in sizes.items() if size == len(labels)]
    return tuple(attributes)
