"""Which channels of a network belong together: what writes, carries and reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

Places: TypeAlias = tuple[tuple[int, ...], ...]
"""Of every channel of a group, where it is found: (m, s)."""


@dataclass(frozen=True)
class Slot:
    """Entries along an axis of a parameter or buffer that go with a group's channels.

    Attributes
    ----------
    tensor : str
        Name of the parameter or buffer.
    axis : int
    size : int
        Of the axis before pruning.
    places : tuple of tuples, (m, s)
        Entries of every channel, ascending.
    reads : bool
        Whether the axis is summed over: the entries are columns of a reader.
    masked : bool
        Whether zeros there do what removing the channels does: where they are read, or, for heads
        of attention, everywhere.
    """

    tensor: str
    axis: int
    size: int
    places: Places
    reads: bool = False
    masked: bool = False

    @property
    def module(self) -> str:
        """The module that holds the tensor."""
        return self.tensor.rpartition(".")[0]


@dataclass(frozen=True)
class Reader:
    """A weight that sums over channels.

    Attributes
    ----------
    module : str
        Where it is used.
    weight : str
        Name of the parameter.
    input_axis, output_axis : int
        Axes of the parameter that read and write; those before both are other networks', those
        behind are places of a kernel.
    operation : str
        Name of the function that is called.
    moved : bool
        Whether the function is given a view of the parameter: its transpose, say.
    input_at, weight_at, axis : int
        Among the tensors that it is given, those that are read and read with, and the axis of the
        former, from its end, along which it is read.
    tensor : str
        What it reads, named after the first weight that reads it in the same way.
    channels, positions : int
        How many channels the input has, and how many entries of the axis each: the pixels of a
        channel where a flattened image is read.
    order : tuple of int
        The entries, channel by channel; empty where they stand in that order.
    groups : int
        Channels are read within so many groups of them.
    folds : bool
        Whether new weights change nothing else: the parameter has no other use.
    """

    module: str
    weight: str
    input_axis: int
    output_axis: int
    operation: str
    moved: bool
    input_at: int
    weight_at: int
    axis: int
    tensor: str
    channels: int
    positions: int = 1
    order: tuple[int, ...] = ()
    groups: int = 1
    folds: bool = True


@dataclass(frozen=True)
class Reading:
    """A reader of a group, and which of its channels are the group's: (m, s)."""

    reader: Reader
    places: Places


@dataclass(frozen=True)
class Group:
    """Channels that are alike and can be removed, each with all that goes with it.

    Attributes
    ----------
    name : str
        The first layer that writes them.
    width : int
        How many there are, m.
    writers : tuple of str
        Parameters whose rows write them. A group with several is tied, by a sum, say.
    slots : tuple of Slot
        All entries of parameters and buffers that go with them.
    readings : tuple of Reading
    dropouts : tuple of str
        Modules that drop them.
    attributes : tuple of (module, name)
        Numbers that modules keep and that shrink with the group: of heads, say.
    scaled : tuple of (tensor, axis, entries)
        What writes queries that attention divides by the root of their number: it is multiplied by
        the root of the share that stays.
    norms : tuple of str
        Weights of norms over these channels, which are over fewer of them afterwards.
    """

    name: str
    width: int
    writers: tuple[str, ...]
    slots: tuple[Slot, ...]
    readings: tuple[Reading, ...]
    dropouts: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    scaled: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    norms: tuple[str, ...] = ()

    @property
    def readers(self) -> tuple[Reader, ...]:
        return tuple(reading.reader for reading in self.readings)


@dataclass(frozen=True)
class Frozen:
    """Channels that stay, and why."""

    name: str
    width: int
    reason: str


Entries: TypeAlias = tuple[tuple[str | None, int], ...]
"""How many entries of an axis each group has; None: those that stay."""


@dataclass(frozen=True)
class Layer:
    """A use of a weight.

    Attributes
    ----------
    module : str
    kernel : int
        Weights for every pair of what is read and written within a group.
    positions : int
        How often each of them is used for one sample.
    reads, writes : Entries
    groups : int
        What is read and written lies in so many groups.
    """

    module: str
    kernel: int
    positions: int
    reads: Entries
    writes: Entries
    groups: int = 1


@dataclass(frozen=True)
class ChannelGraph:
    """Every group that can be pruned, in the order of execution, and what stays.

    Attributes
    ----------
    groups : tuple of Group
    layers : tuple of Layer
    frozen : tuple of Frozen
    """

    groups: tuple[Group, ...]
    layers: tuple[Layer, ...] = ()
    frozen: tuple[Frozen, ...] = ()

    def without(self, names: dict[str, str]) -> ChannelGraph:
        """The same where some groups stay, for the reasons that are given by name."""
        left = tuple(group for group in self.groups if group.name not in names)
        more = tuple(
            Frozen(group.name, group.width, names[group.name])
            for group in self.groups
            if group.name in names
        )

        def merged(
            entries: tuple[tuple[str | None, int], ...],
        ) -> tuple[tuple[str | None, int], ...]:
            return tuple((None if name in names else name, size) for name, size in entries)

        layers = tuple(
            replace(layer, reads=merged(layer.reads), writes=merged(layer.writes))
            for layer in self.layers
        )
        return ChannelGraph(left, layers, self.frozen + more)

    @property
    def readers(self) -> tuple[Reader, ...]:
        """Of all groups, each once, in order."""
        return tuple(dict.fromkeys(reader for group in self.groups for reader in group.readers))
