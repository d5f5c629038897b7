"""Which channels of a network belong together: written by some layers, read by others."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from mini_exp.errors import DomainError, NetworkError

# What keeps every channel a function of that channel alone.
ELEMENTWISE_MODULES = (
    *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
)
ELEMENTWISE_FUNCTIONS = {
    *(torch.relu, torch.sigmoid, torch.tanh),
    *(functional.relu, functional.relu6, functional.leaky_relu, functional.elu, functional.gelu),
    *(functional.silu, functional.mish, functional.sigmoid, functional.tanh, functional.softplus),
    *(functional.hardtanh, functional.hardswish, functional.hardsigmoid, functional.dropout),
    *(functional.max_pool2d, functional.avg_pool2d),
    *(functional.adaptive_avg_pool2d, functional.adaptive_max_pool2d),
}
ELEMENTWISE_METHODS = {"relu", "relu_", "sigmoid", "tanh", "contiguous", "clone"}
SUMS: set[Any] = {
    *(operator.add, operator.iadd, operator.sub, torch.add, torch.sub),
    *("add", "add_", "sub", "sub_"),
}
SCALINGS: set[Any] = {
    *(operator.mul, operator.truediv, torch.mul, torch.div),
    *("mul", "mul_", "div", "div_"),
}
IN_PLACE: set[Any] = {operator.iadd}
FLATTENINGS: set[Any] = {torch.flatten, "flatten"}
RESHAPES: set[Any] = {torch.reshape, "view", "reshape"}
MEANS: set[Any] = {torch.mean, "mean"}
WEIGHTED = (nn.Linear, nn.Conv2d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Reader:
    """A layer that reads a group's channels.

    Attributes
    ----------
    module : str
        Name of the Linear or Conv2d.
    tensor : str
        What it reads; readers with the same name read the same tensor.
    positions : int
        Inputs per channel: 1, or the pixels of a channel where a Linear reads a flattened image
        (channel-major).
    """

    module: str
    tensor: str
    positions: int


@dataclass(frozen=True)
class Group:
    """Channels that can only be removed together.

    Attributes
    ----------
    name : str
        The first layer that writes them.
    width : int
        How many there are.
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
        names = {group.name for group in groups}
        layers = tuple(
            Layer(
                layer.module,
                layer.reads if layer.reads in names else None,
                layer.writes if layer.writes in names else None,
                layer.positions,
            )
            for layer in self.layers
        )
        return ChannelGraph(groups, layers)


@dataclass
class _Space:
    """Channels found so far to be tied; `fixed` if they are the network's input or output."""

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


def channel_graph(network: nn.Module, example: Tensor) -> ChannelGraph:
    """The groups of channels of a network.

    Parameters
    ----------
    network : nn.Module
        Traceable by torch.fx; one input, one output. Made of Linear, Conv2d (groups 1),
        BatchNorm, element-wise activations, dropout, pooling, flatten and sums of layers.
    example : (n, …) tensor
        A batch as the network takes it.

    Returns
    -------
    ChannelGraph
        The network's input and output channels are in no group, nor is what is tied to them.

    Raises
    ------
    NetworkError
        Naming the module or operation that is not covered. The network is not changed.

    Notes
    -----
    One forward pass of the example.
    """
    if not isinstance(network, nn.Module):
        raise NetworkError(f"prune: expected a network (nn.Module), got {type(network).__name__}")
    _refuse_special_parameters(network)
    name = type(network).__name__
    try:
        network = copy.deepcopy(network).eval()
    except Exception as error:  # whatever the network's own code raises, here and below
        raise NetworkError(f"prune: {name} cannot be copied: {_line(error)}") from None
    try:
        traced = fx.symbolic_trace(network)
    except Exception as error:
        raise NetworkError(
            f"prune: {name} cannot be traced by torch.fx: {_line(error)}; expected a forward "
            "without control flow that depends on values"
        ) from None
    n_inputs = sum(node.op == "placeholder" for node in traced.graph.nodes)
    if n_inputs != 1:
        raise NetworkError(f"prune: expected a network with one input, got {n_inputs}")
    try:
        with torch.no_grad():
            network(example.clone())
            _Shapes(traced).run(example.clone())
    except Exception as error:
        raise NetworkError(
            f"prune: {name} does not take a batch {tuple(example.shape)} of {example.dtype}: "
            f"{_line(error)}"
        ) from None
    return _Walk(network, traced).graph()


class _Shapes(fx.Interpreter):
    """Notes the shape of every tensor on its node."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            n.meta["shape"] = result.shape
        return result


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _refuse_special_parameters(network: nn.Module) -> None:
    """Those that other code computes, that two layers share, or that are not numbers."""
    owners: dict[int, str] = {}
    for name, module in network.named_modules():
        computed = [
            parameter
            for parameter in ("weight", "bias")
            if isinstance(getattr(module, parameter, None), Tensor)
            and parameter not in module._parameters
        ]
        if parametrize.is_parametrized(module) or computed:
            raise NetworkError(
                f"prune: {name or type(module).__name__}: expected plain parameters, got "
                "parametrised ones; remove the parametrisation first"
            )
        for kind, parameter in module.named_parameters(recurse=False):
            if not torch.isfinite(parameter).all():
                raise DomainError(f"prune: {name}: its {kind} is not finite; is it trained?")
            owner = owners.setdefault(id(parameter), name)
            if owner != name:
                raise NetworkError(f"prune: {owner} and {name} share a parameter")


class _Walk:
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
            raise NetworkError(
                f"prune: expected batches (n, features, …), got {tuple(_shape(node))}"
            )
        self.channels[node] = _Channels(self._new_space(_shape(node)[1], fixed=True))

    def _get_attr(self, node: fx.Node) -> None:
        raise NetworkError(
            f"prune: {node.target}: the forward uses a parameter or buffer of its own, which is "
            "not covered"
        )

    def _output(self, node: fx.Node) -> None:
        result = node.args[0]
        if not isinstance(result, fx.Node) or result not in self.channels:
            raise NetworkError(f"prune: expected a network that returns one tensor, got {result}")
        self.channels[result].space.root().fixed = True

    def _call_module(self, node: fx.Node) -> None:
        name = str(node.target)
        module = self.modules[name]
        argument, source = self._first(node, name)
        self._refuse_reuse(node, argument, name, getattr(module, "inplace", False))
        if isinstance(module, (*WEIGHTED, *BATCH_NORMS)) and name in self.called:
            raise NetworkError(f"prune: {name}: is called more than once, which is not covered")
        first_call = name not in self.called
        self.called.add(name)
        if isinstance(module, nn.Conv2d):
            if module.groups != 1:
                raise NetworkError(
                    f"prune: {name}: expected a Conv2d with groups 1, got {module.groups}"
                )
            self._weighted(node, name, argument, source, module.out_channels)
        elif isinstance(module, nn.Linear):
            if len(_shape(node)) != 2:
                raise NetworkError(
                    f"prune: {name}: expected a Linear that reads (n, features), got "
                    f"{tuple(_shape(argument))}; flatten first"
                )
            self._weighted(node, name, argument, source, module.out_features)
        elif isinstance(module, BATCH_NORMS):
            if source.positions != 1 or len(_shape(node)) == 3:
                raise NetworkError(f"prune: {name}: normalises flattened channels: not covered")
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
                f"prune: {name}: a {type(module).__name__} is not covered; expected Linear, "
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
                    f"prune: {where}: expected summands of one shape and layout, got "
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
                    f"prune: {where}: fixes the number of features; write flatten(1) instead"
                )
            self._flattened(node, argument, source, where)
        elif target in MEANS:
            over = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
            if over not in ([2, 3], (2, 3), [-2, -1], (-2, -1), [-1, -2], (-1, -2)):
                raise NetworkError(f"prune: {where}: expected a mean over dim (2, 3), got {over}")
            self._same(node, source)
        elif not self._is_last(node):
            raise NetworkError(f"prune: {where}: is not covered")

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
        raise NetworkError(f"prune: {where}: expected an activation as its first argument")

    def _refuse_reuse(self, node: fx.Node, argument: fx.Node, where: str, in_place: bool) -> None:
        """A tensor that is changed in place and read again is not what its name says."""
        later = set(self.nodes[self.nodes.index(node) + 1 :])
        if in_place and later & set(argument.users):
            raise NetworkError(f"prune: {where}: changes in place a tensor that is used again")

    def _same(self, node: fx.Node, source: _Channels) -> None:
        self.channels[node] = source

    def _flattened(self, node: fx.Node, argument: fx.Node, source: _Channels, where: str) -> None:
        before, after = _shape(argument), _shape(node)
        if len(after) != 2 or after[0] != before[0]:
            raise NetworkError(
                f"prune: {where}: expected (n, …) flattened to (n, features), got "
                f"{tuple(before)} to {tuple(after)}"
            )
        pixels = math.prod(before[2:])
        self.channels[node] = _Channels(source.space, source.positions * pixels)

    def _weighted(
        self, node: fx.Node, name: str, argument: fx.Node, source: _Channels, width: int
    ) -> None:
        reader = Reader(name, str(argument), source.positions)
        source.space.root().readers.append(reader)
        space = self._new_space(width)
        space.writers.append(name)
        self.channels[node] = _Channels(space)
        self.layers.append((name, source.space, space, math.prod(_shape(node)[2:])))


def _shape(node: Any) -> torch.Size:
    """Shape of a node's tensor; empty where it is no tensor."""
    shape: torch.Size = node.meta.get("shape", torch.Size())
    return shape
