"""One pass over the operations of a traced network: which channels each tensor holds."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.graph import ChannelGraph, Group, Layer, Reader
from mini_exp.pruning.layers import KINDS, is_weighted, kind_of
from mini_exp.pruning.operations import (
    BATCH_NORMS,
    ELEMENTWISE_FUNCTIONS,
    ELEMENTWISE_METHODS,
    ELEMENTWISE_MODULES,
    FLATTENINGS,
    IN_PLACE,
    MEANS,
    RESHAPES,
    SCALINGS,
    SUMS,
)


@dataclass
class _Space:
    """Channels tied as far as is known; `fixed` if they are the network's input or output."""

    index: int
    width: int
    fixed: bool = False
    writers: list[str] = field(default_factory=list)
    batch_norms: list[str] = field(default_factory=list)
    dropouts: list[str] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    parent: _Space | None = None

    def root(self) -> _Space:
        return self if self.parent is None else self.parent.root()

    def tie(self, other: _Space) -> None:
        """Make two spaces one; the earlier one stays."""
        first, second = sorted((self.root(), other.root()), key=lambda space: space.index)
        if first is second:
            return
        second.parent = first
        first.fixed |= second.fixed
        for name in ("writers", "batch_norms", "dropouts", "readers"):
            getattr(first, name).extend(getattr(second, name))


@dataclass(frozen=True)
class _Channels:
    """What a tensor (n, channels · positions) or (n, channels, …) holds."""

    space: _Space
    positions: int = 1  # features per channel of a flattened image


class Walk:
    """One pass over the traced operations, in the order of execution."""

    def __init__(self, network: nn.Module, traced: fx.GraphModule) -> None:
        self.modules = dict(network.named_modules())
        self.nodes = list(traced.graph.nodes)
        self.channels: dict[fx.Node, _Channels] = {}
        self.spaces: list[_Space] = []
        self.layers: list[tuple[str, _Space, _Space, int]] = []
        self.called: set[str] = set()

    def graph(self) -> ChannelGraph:
        for node in self.nodes:
            visit: Callable[[fx.Node], None] = getattr(self, f"_{node.op}")
            visit(node)
        roots = [space for space in self.spaces if space.parent is None and not space.fixed]
        groups = {
            id(root): Group(
                name=root.writers[0],
                width=root.width,
                writers=tuple(root.writers),
                batch_norms=tuple(root.batch_norms),
                dropouts=tuple(root.dropouts),
                readers=tuple(root.readers),
            )
            for root in roots
            if root.readers
        }

        def name(space: _Space) -> str | None:
            group = groups.get(id(space.root()))
            return group.name if group else None

        layers = tuple(
            Layer(module, name(reads), name(writes), positions)
            for module, reads, writes, positions in self.layers
        )
        return ChannelGraph(tuple(groups.values()), layers)

    def _new_space(self, width: int, fixed: bool = False) -> _Space:
        space = _Space(len(self.spaces), width, fixed)
        self.spaces.append(space)
        return space

    def _placeholder(self, node: fx.Node) -> None:
        if len(_shape(node)) < 2:
            raise NetworkError(f"expected batches (n, features, …), got {tuple(_shape(node))}")
        self.channels[node] = _Channels(self._new_space(_shape(node)[1], fixed=True))

    def _get_attr(self, node: fx.Node) -> None:
        raise NetworkError(
            f"{node.target}: the forward uses a parameter or buffer of its own, which is "
            "not covered"
        )

    def _output(self, node: fx.Node) -> None:
        result = node.args[0]
        if not isinstance(result, fx.Node) or result not in self.channels:
            raise NetworkError(f"expected a network that returns one tensor, got {result}")
        self.channels[result].space.root().fixed = True

    def _call_module(self, node: fx.Node) -> None:
        name = str(node.target)
        module = self.modules[name]
        argument, source = self._first(node, name)
        self._refuse_reuse(node, argument, name, getattr(module, "inplace", False))
        if isinstance(module, (*KINDS, *BATCH_NORMS)) and name in self.called:
            raise NetworkError(f"{name}: is called more than once, which is not covered")
        first_call = name not in self.called
        self.called.add(name)
        if is_weighted(module):
            self._weighted(node, name, argument, source)
        elif isinstance(module, BATCH_NORMS):
            if source.positions != 1 or len(_shape(node)) == 3:
                raise NetworkError(f"{name}: normalises flattened channels: not covered")
            source.space.root().batch_norms.append(name)
            self._same(node, source)
        elif isinstance(module, nn.Flatten):
            self._flattened(node, argument, source, name)
        elif isinstance(module, ELEMENTWISE_MODULES) or (
            isinstance(module, nn.PReLU) and module.num_parameters == 1
        ):
            dropout = isinstance(module, nn.Dropout | nn.Dropout2d | nn.AlphaDropout)
            if dropout and first_call:
                source.space.root().dropouts.append(name)
            self._same(node, source)
        elif not self._is_last(node):
            raise NetworkError(
                f"{name}: a {type(module).__name__} is not covered; expected Linear, "
                "Conv2d, BatchNorm, element-wise activations, dropout, pooling, flatten or sums"
            )

    def _call_function(self, node: fx.Node) -> None:
        self._called(node, node.target, getattr(node.target, "__name__", str(node.target)))

    def _call_method(self, node: fx.Node) -> None:
        self._called(node, node.target, str(node.target))

    def _called(self, node: fx.Node, target: Any, name: str) -> None:
        if target in (getattr, operator.getitem) or target in ("size", "dim"):
            return  # sizes; what is not a tensor is refused where a tensor is read
        where = f"{name} ({node.name})"
        argument, source = self._first(node, where)
        in_place = (isinstance(target, str) and target.endswith("_")) or target in IN_PLACE
        in_place = in_place or bool(node.kwargs.get("inplace", False))
        self._refuse_reuse(node, argument, where, in_place)
        arguments: Any = (*node.args, *node.kwargs.values())
        tensors = [a for a in arguments if isinstance(a, fx.Node) and a in self.channels]
        if target in ELEMENTWISE_FUNCTIONS or target in ELEMENTWISE_METHODS:
            self._same(node, source)
        elif target in SUMS and len(tensors) == 2:
            other = self.channels[tensors[1]]
            if _shape(tensors[0]) != _shape(tensors[1]) or source.positions != other.positions:
                raise NetworkError(
                    f"{where}: expected summands of one shape and layout, got "
                    f"{tuple(_shape(tensors[0]))} and {tuple(_shape(tensors[1]))}"
                )
            source.space.tie(other.space)
            self._same(node, source)
        elif target in SUMS | SCALINGS and len(tensors) == 1:
            self._same(node, source)
        elif target in FLATTENINGS:
            self._flattened(node, argument, source, where)
        elif target in RESHAPES:
            sizes: Any = [a for a in arguments if a is not argument]
            sizes = sizes[0] if len(sizes) == 1 else sizes
            if not (isinstance(sizes, tuple | list) and len(sizes) == 2 and sizes[1] == -1):
                raise NetworkError(
                    f"{where}: fixes the number of features; write flatten(1) instead"
                )
            self._flattened(node, argument, source, where)
        elif target in MEANS:
            over = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
            if over not in ([2, 3], (2, 3), [-2, -1], (-2, -1), [-1, -2], (-1, -2)):
                raise NetworkError(f"{where}: expected a mean over dim (2, 3), got {over}")
            self._same(node, source)
        elif not self._is_last(node):
            raise NetworkError(f"{where}: is not covered")

    def _is_last(self, node: fx.Node) -> bool:
        """Whether a node, softmax say, makes the output; then what it reads is fixed."""
        last = all(user.op == "output" for user in node.users)
        for argument in node.all_input_nodes if last else ():
            if argument in self.channels:
                self.channels[argument].space.root().fixed = True
                self._same(node, self.channels[argument])
        return last

    def _first(self, node: fx.Node, where: str) -> tuple[fx.Node, _Channels]:
        """The first activation among a call's arguments, and what it holds."""
        for argument in (*node.args, *node.kwargs.values()):
            if isinstance(argument, fx.Node) and argument in self.channels:
                return argument, self.channels[argument]
        raise NetworkError(f"{where}: expected an activation as its first argument")

    def _refuse_reuse(self, node: fx.Node, argument: fx.Node, where: str, in_place: bool) -> None:
        """A tensor that is changed in place and read again is not what its name says."""
        later = set(self.nodes[self.nodes.index(node) + 1 :])
        if in_place and later & set(argument.users):
            raise NetworkError(f"{where}: changes in place a tensor that is used again")

    def _same(self, node: fx.Node, source: _Channels) -> None:
        self.channels[node] = source

    def _flattened(self, node: fx.Node, argument: fx.Node, source: _Channels, where: str) -> None:
        before, after = _shape(argument), _shape(node)
        if len(after) != 2 or after[0] != before[0]:
            raise NetworkError(
                f"{where}: expected (n, …) flattened to (n, features), got "
                f"{tuple(before)} to {tuple(after)}"
            )
        pixels = math.prod(before[2:])
        self.channels[node] = _Channels(source.space, source.positions * pixels)

    def _weighted(self, node: fx.Node, name: str, argument: fx.Node, source: _Channels) -> None:
        kind, module = kind_of(self.modules[name]), self.modules[name]
        kind.check(name, module, _shape(argument), _shape(node))
        read = source.space.root()
        read.readers.append(Reader(name, str(argument), read.width, source.positions))
        space = self._new_space(kind.width(module))
        space.writers.append(name)
        self.channels[node] = _Channels(space)
        self.layers.append((name, read, space, kind.output_places(_shape(node))))


def _shape(node: Any) -> torch.Size:
    """Shape of a node's tensor; empty where it is no tensor."""
    shape: torch.Size = node.meta.get("shape", torch.Size())
    return shape
