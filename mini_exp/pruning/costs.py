"""What a network costs as a function of its widths: parameters and multiply-accumulates."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import nn

from mini_exp.pruning.graph import ChannelGraph
from mini_exp.spectral.costs import Costs

Unit = Literal["parameters", "flops"]


def network_costs(
    network: nn.Module, graph: ChannelGraph, unit: Unit, intercept: bool = False
) -> Costs:
    """Cost of the network for every choice of its groups' widths.

    * parameters: everything that ``network.parameters()`` holds;
    * flops: multiply-accumulates of one sample, k² m_ℓ m_{ℓ+1} H W per convolution, m_ℓ m_{ℓ+1} per
      linear layer; biases, batch norms and activations, linear in the widths, are not counted.

    Parameters
    ----------
    network : nn.Module
    graph : ChannelGraph
        Of this network.
    unit : {"parameters", "flops"}
    intercept : bool
        Count a bias in every layer that reads a group, as if ``prune`` had given it one.

    References
    ----------
    Sørby (2019), (4.2.2), with the layers' true costs.
    """
    index = {group.name: i for i, group in enumerate(graph.groups)}
    width = {group.name: group.width for group in graph.groups}
    linear = np.zeros(len(index))
    pairs: dict[tuple[int, int], float] = {}
    constant = 0.0
    for layer in graph.layers:
        module = network.get_submodule(layer.module)
        weight = module.get_parameter("weight")
        each = float(weight.numel()) * (layer.positions if unit == "flops" else 1)
        each /= width.get(layer.reads or "", 1) * width.get(layer.writes or "", 1)
        if layer.reads and layer.writes:
            first, second = sorted((index[layer.reads], index[layer.writes]))
            pairs[first, second] = pairs.get((first, second), 0.0) + each
        elif layer.reads or layer.writes:
            linear[index[layer.reads or layer.writes or ""]] += each
        else:
            constant += each
    if unit == "flops":
        return Costs(constant, linear, pairs)

    for group in graph.groups:
        linear[index[group.name]] += sum(
            network.get_submodule(name).get_parameter(kind).numel() / group.width
            for name, kinds in (
                *((name, ("bias",)) for name in group.writers),
                *((name, ("weight", "bias")) for name in group.batch_norms),
            )
            for kind in kinds
            if getattr(network.get_submodule(name), kind) is not None
        )
    counted = Costs(0.0, linear, pairs).total([group.width for group in graph.groups])
    constant = sum(parameter.numel() for parameter in network.parameters()) - float(counted)
    for layer in graph.layers if intercept else ():
        module = network.get_submodule(layer.module)
        if layer.reads and module.bias is None:
            if layer.writes:
                linear[index[layer.writes]] += 1
            else:
                constant += len(module.get_parameter("weight"))
    return Costs(constant, linear, pairs)
