"""What a network costs as a function of its widths: parameters and multiply-accumulates."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import nn

from mini_exp.errors import DomainError
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.spectral.budget import Costs

Unit = Literal["parameters", "flops"]


def network_costs(network: nn.Module, graph: ChannelGraph, unit: Unit) -> Costs:
    """Cost of the network for every choice of its groups' widths.

    * parameters: every weight, bias and batch norm parameter;
    * flops: multiply-accumulates of one sample, k² m_ℓ m_{ℓ+1} H W per convolution, m_ℓ m_{ℓ+1} per
      linear layer; biases, batch norms and activations, linear in the widths, are not counted.

    Parameters
    ----------
    network : nn.Module
    graph : ChannelGraph
        Of this network.
    unit : {"parameters", "flops"}

    References
    ----------
    Sørby (2019), (4.2.2), with the layers' true costs.
    """
    index = {group.name: i for i, group in enumerate(graph.groups)}
    width = {group.name: group.width for group in graph.groups}
    constant, linear = 0.0, np.zeros(len(index))
    pairs: dict[tuple[int, int], float] = {}
    for layer in graph.layers:
        module = network.get_submodule(layer.module)
        bias = module.bias is not None and unit == "parameters"
        each = float(module.get_parameter("weight").numel())
        if unit == "flops":
            each *= layer.positions
        each /= width.get(layer.reads or "", 1) * width.get(layer.writes or "", 1)
        n_biases = module.get_parameter("bias").numel() if bias else 0
        if layer.reads and layer.writes:
            first, second = sorted((index[layer.reads], index[layer.writes]))
            if first == second:
                raise DomainError(
                    f"prune: {layer.module} reads and writes {layer.reads}, so its cost is "
                    "quadratic in one width: a budget is solved for chains only"
                )
            pairs[first, second] = pairs.get((first, second), 0.0) + each
        elif layer.reads or layer.writes:
            linear[index[layer.reads or layer.writes or ""]] += each
        else:
            constant += each
        if layer.writes:
            linear[index[layer.writes]] += n_biases / width[layer.writes]
        else:
            constant += n_biases
    if unit == "parameters":
        tied = {name: group for group in graph.groups for name in group.batch_norms}
        for name, module in network.named_modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
                if name in tied:
                    linear[index[tied[name].name]] += 2
                else:
                    constant += 2 * module.num_features
    return Costs(constant, linear, pairs)
