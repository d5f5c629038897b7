"""Which channels of a network belong together: written by some layers, read by others."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Reader:
    """A layer that reads a group's channels.

    Attributes
    ----------
    module : str
        Name of the layer.
    tensor : str
        What it reads; readers with the same name read the same tensor.
    channels : int
        How many channels that tensor has: the group's width.
    positions : int
        Inputs per channel: 1, or the pixels of a channel where a Linear reads a flattened image
        (channel-major).
    """

    module: str
    tensor: str
    channels: int
    positions: int


@dataclass(frozen=True)
class Group:
    """Channels that can only be removed together.

    Attributes
    ----------
    name : str
        The first layer that writes them.
    width : int
        How many there are, m.
    writers, batch_norms, dropouts : tuple of str
        Modules that write, normalise and drop them. A group with several writers is tied by skip
        connections.
    readers : tuple of Reader
    """

    name: str
    width: int
    writers: tuple[str, ...]
    batch_norms: tuple[str, ...]
    dropouts: tuple[str, ...]
    readers: tuple[Reader, ...]


@dataclass(frozen=True)
class Layer:
    """A weighted layer: the groups it reads and writes (None: fixed), and its output's size."""

    module: str
    reads: str | None
    writes: str | None
    positions: int  # outputs per channel: 1, or the pixels of a convolution's output


@dataclass(frozen=True)
class ChannelGraph:
    """Every group that can be pruned, in the order of execution, and every weighted layer."""

    groups: tuple[Group, ...]
    layers: tuple[Layer, ...]

    def without_tied(self) -> ChannelGraph:
        """The same with the groups of several writers fixed."""
        groups = tuple(group for group in self.groups if len(group.writers) == 1)
        kept = {group.name: group.name for group in groups}
        layers = tuple(
            replace(layer, reads=kept.get(layer.reads or ""), writes=kept.get(layer.writes or ""))
            for layer in self.layers
        )
        return ChannelGraph(groups, layers)

    @property
    def readers(self) -> list[Reader]:
        """Of all groups, in order."""
        return [reader for group in self.groups for reader in group.readers]
