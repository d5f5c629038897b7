"""From a network to its groups of channels: traced by torch.fx, then walked through."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.layers import is_weighted
from mini_exp.pruning.walk import Walk


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
        raise NetworkError(f"expected a network (nn.Module), got {type(network).__name__}")
    _refuse_special_parameters(network)
    name = type(network).__name__
    try:
        network = copy.deepcopy(network).eval()
    except Exception as error:  # whatever the network's own code raises, here and below
        raise NetworkError(f"{name} cannot be copied: {_line(error)}") from None
    try:
        traced = fx.GraphModule(network, _Tracer().trace(network))
    except Exception as error:
        raise NetworkError(
            f"{name} cannot be traced by torch.fx: {_line(error)}; expected a forward "
            "without control flow that depends on values"
        ) from None
    n_inputs = sum(node.op == "placeholder" for node in traced.graph.nodes)
    if n_inputs != 1:
        raise NetworkError(f"expected a network with one input, got {n_inputs}")
    try:
        with torch.no_grad():
            network(example.clone())
            _Shapes(traced).run(example.clone())
    except Exception as error:
        raise NetworkError(
            f"{name} does not take a batch {tuple(example.shape)} of {example.dtype}: "
            f"{_line(error)}"
        ) from None
    return Walk(network, traced).graph()


class _Tracer(fx.Tracer):
    """Takes every layer kind for one operation, as torch.fx does PyTorch's own layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_weighted(m) or super().is_leaf_module(m, module_qualified_name)


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
                f"{name or type(module).__name__}: expected plain parameters, got "
                "parametrised ones; remove the parametrisation first"
            )
        for kind, parameter in module.named_parameters(recurse=False):
            if not torch.isfinite(parameter).all():
                raise DomainError(f"{name}: its {kind} is not finite; is it trained?")
            owner = owners.setdefault(id(parameter), name)
            if owner != name:
                raise NetworkError(f"{owner} and {name} share a parameter")
