"""From labels to groups: units with entries in the same axes are channels of one group."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mini_exp.pruning.attention_sizes import kept_sizes, scaled_queries, stream_sizes
from mini_exp.pruning.constraints import CONSTANT, Attention
from mini_exp.pruning.graph import (
    ChannelGraph,
    Entries,
    Frozen,
    Group,
    Layer,
    Reader,
    Reading,
    Slot,
)
from mini_exp.pruning.propagation import Axis, Contraction, Propagation
from mini_exp.pruning.readers import weight_readers
from mini_exp.spectral import Integers

OUTPUT = "the network's output"
ATTENTION = "attention, of which heads=True or entries=True prunes something"


def labelled_graph(
    run: Propagation, attention: Attention = "whole", residual: bool = False
) -> ChannelGraph:
    """The groups of channels of a network that has been run on labels.

    Parameters
    ----------
    run : Propagation
    attention : {"whole", "heads", "entries"}
        What may be removed of attention.
    residual : bool
        Whether norms over channels may be over fewer of them.
    """
    units = run.constraints.units(attention, residual)
    of_label = units.of_label
    readers = weight_readers(run)
    groups: dict[int, Group] = {}  # by each of its units
    alike = _alike_units(run, of_label, set(units.reasons))
    named: list[Group] = []
    numbers = Counter[str]()
    attended = set(of_label[run.constraints.attended()].tolist())
    left: dict[str, str] = {}
    for members in sorted(alike, key=lambda members: _first_use(run, of_label, members)):
        group = _group(run, of_label, members, readers, attention)
        numbers[group.name] += 1
        if numbers[group.name] > 1:
            group = replace(group, name=f"{group.name}#{numbers[group.name]}")
        if attention == "whole" and attended & set(members.tolist()):
            left[group.name] = ATTENTION
        elif not group.readings:
            left[group.name] = "no weight reads it as it is"
        named.append(group)
        groups |= dict.fromkeys(members.tolist(), group)
    reasons = dict.fromkeys(_readable(run, of_label), "is removed together or not at all")
    layers = tuple(_layer(run, one, of_label, groups) for one in run.contractions)
    reasons |= units.reasons
    if attention == "whole":
        reasons |= dict.fromkeys(attended & reasons.keys(), ATTENTION)
    frozen = _frozen(run, of_label, groups, reasons)
    return ChannelGraph(tuple(named), layers, frozen).without(left)


def _alike_units(run: Propagation, of_label: Integers, kept: set[int]) -> list[Integers]:
    """Units that can be removed, by the axes in which they have entries; several alike, ordered."""
    readable = _readable(run, of_label) - kept - {int(of_label[CONSTANT])}
    entries: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, axis in enumerate(run.axes):
        found, counts = np.unique(of_label[axis.labels], return_counts=True)
        for unit, count in zip(found.tolist(), counts.tolist(), strict=True):
            if unit in readable:
                entries[unit].append((i, count))
    alike: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for unit, places in entries.items():
        alike[tuple(places)].append(unit)
    found, labels = np.unique(of_label, return_index=True)
    first = dict(zip(found.tolist(), labels.tolist(), strict=True))
    return [
        np.array(sorted(members, key=lambda unit: first[unit]))
        for places, members in alike.items()
        if len(members) > 1 or all(run.axes[i].size == 1 for i, _ in places)
    ]


def _readable(run: Propagation, of_label: Integers) -> set[int]:
    """Units that a weight or another activation sums over."""
    constraints = run.constraints
    read = constraints.marked(constraints.readings + constraints.dots)
    return set(np.unique(of_label[read]).tolist())


def _first_use(run: Propagation, of_label: Integers, members: Integers) -> float:
    """The first contraction that writes a unit, or just before the first that reads one."""
    for i, one in enumerate(run.contractions):
        if one.columns is not None and np.isin(of_label[one.columns], members).any():
            return i - 0.5
        if one.rows is not None and np.isin(of_label[one.rows], members).any():
            return i
    return len(run.contractions)


def _group(
    run: Propagation,
    of_label: Integers,
    members: Integers,
    readers: Sequence[Reader],
    attention: Attention,
) -> Group:
    read = run.constraints.marked(run.constraints.readings)
    dots = run.constraints.marked(run.constraints.dots)
    dotted = bool(np.isin(of_label[dots], members).any())
    slots = []
    for axis in run.axes:
        labels = axis.labels
        places = _places(of_label[labels], members)
        if places:
            reads = bool(read[labels].any())
            slots.append(Slot(axis.tensor, axis.axis, axis.size, places, reads, reads or dotted))
    columns = {axis: of_label[axis.labels] for axis in run.axes}
    readings = []
    for reader in readers:
        axis = _axis(run, reader.weight, reader.input_axis)
        entries = np.resize(columns[axis], reader.channels * reader.positions)  # once per group
        if reader.order:
            entries = entries[list(reader.order)]
        places = _places(entries[:: reader.positions], members)
        if places:
            readings.append(Reading(reader, places))
    writers = dict.fromkeys(
        one.use.weight
        for one in run.contractions
        if one.rows is not None
        and (one.columns is not None or one.groups == 1)  # not channel by channel
        and one.use.weight
        and np.isin(of_label[one.rows], members).any()
    )
    name = _module(next(iter(writers), slots[0].tensor))
    norms = tuple(slot.tensor for slot in slots if slot.tensor in run.norms)
    attributes = kept_sizes(run, of_label, members)
    if norms:
        attributes = tuple(dict.fromkeys(attributes + stream_sizes(run, of_label, members)))
    dropouts = dict.fromkeys(
        place
        for place, factors in run.dropouts
        if any(np.isin(of_label[factor.numpy()], members).any() for factor in factors)
    )
    return Group(
        name,
        len(members),
        tuple(writers),
        tuple(slots),
        tuple(readings),
        tuple(dropouts),
        attributes,
        scaled_queries(run, slots) if attention == "entries" else (),
        norms,
    )


def _layer(
    run: Propagation, one: Contraction, of_label: Integers, groups: Mapping[int, Group]
) -> Layer:
    """The multiply-accumulates of a contraction, by what it reads and writes."""

    def counted(labels: Integers | None, size: int) -> Entries:
        if labels is None:
            return ((None, size),)
        own = (groups.get(unit) for unit in of_label[labels].tolist())
        return tuple(Counter(None if group is None else group.name for group in own).items())

    return Layer(
        one.use.module,
        one.kernel,
        one.positions,
        counted(one.columns, len(one.channels)),
        counted(one.rows, one.n_rows),
        one.groups,
    )


def _frozen(
    run: Propagation, of_label: Integers, groups: Mapping[int, Group], reasons: Mapping[int, str]
) -> tuple[Frozen, ...]:
    """What the layers write that stays, but for the network's output."""
    frozen: dict[str, Frozen] = {}
    for one in run.contractions:
        if one.rows is None:
            continue
        left = [unit for unit in of_label[one.rows].tolist() if unit not in groups]
        why = Counter(reasons.get(unit, "nothing reads it") for unit in left)
        why.pop(OUTPUT, None)
        if why:
            name = _module(one.use.weight) if one.use.weight else one.use.module or "the network"
            reason, _ = why.most_common(1)[0]
            frozen.setdefault(name, Frozen(name, sum(why.values()), reason))
    return tuple(frozen.values())


def _axis(run: Propagation, tensor: str, number: int) -> Axis:
    return next(axis for axis in run.axes if (axis.tensor, axis.axis) == (tensor, number))


def _places(units: Integers, members: Integers) -> tuple[tuple[int, ...], ...]:
    """Where every member is among units, ascending; empty where none is."""
    if not (units == members[0]).any():
        return ()
    by_unit = np.argsort(units, kind="stable")
    low, high = (np.searchsorted(units[by_unit], members, side) for side in ("left", "right"))
    return tuple(
        tuple(by_unit[a:b].tolist()) for a, b in zip(low.tolist(), high.tolist(), strict=True)
    )


def _module(tensor: str) -> str:
    """The module that holds a tensor; the tensor itself where the network does."""
    return tensor.rpartition(".")[0] or tensor
