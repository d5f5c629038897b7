"""What a network costs as a function of its widths: parameters and multiply-accumulates."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction
from typing import Literal

import numpy as np
from torch import nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.graph import ChannelGraph, Entries
from mini_exp.spectral.costs import Costs

Unit = Literal["parameters", "flops"]


def network_costs(
    network: nn.Module, graph: ChannelGraph, unit: Unit, intercept: bool = False
) -> Costs:
    """Cost of the network for every choice of its groups' widths.

    * parameters: everything that ``network.parameters()`` holds;
    * flops: multiply-accumulates of one sample, k² m_ℓ m_{ℓ+1} H W per convolution, m_ℓ m_{ℓ+1} per
      linear layer and position; biases, norms, activations and products of activations are not
      counted.

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
    width = {group.name: group.width for group in graph.groups}
    index = {name: i for i, name in enumerate(width)}
    linear = np.zeros(len(index))
    pairs: dict[tuple[int, int], float] = defaultdict(float)
    constant = 0.0

    def add(each: Fraction, first: Entries, second: Entries) -> None:
        nonlocal constant
        for one, n in first:
            for two, k in second:
                name, other = one or "", two or ""
                share = Fraction(n, width.get(name, 1)) * Fraction(k, width.get(other, 1))
                cost = float(each * share)
                if name in index and other in index:
                    low, high = sorted((index[name], index[other]))
                    pairs[low, high] += cost
                elif name in index or other in index:
                    linear[index[name if name in index else other]] += cost
                else:
                    constant += cost

    if unit == "flops":
        for layer in graph.layers:
            add(Fraction(layer.kernel * layer.positions, layer.groups), layer.reads, layer.writes)
        return Costs(constant, linear, dict(pairs))
    axes: dict[str, dict[int, Counter[str | None]]] = defaultdict(dict)
    for group in graph.groups:
        for slot in group.slots:
            own = axes[slot.tensor].setdefault(slot.axis, Counter({None: slot.size}))
            n = sum(map(len, slot.places))
            own[group.name] += n
            own[None] -= n
    for name, parameter in network.named_parameters():
        counted = [tuple((+entries).items()) for entries in axes[name].values()]
        if len(counted) > 2:
            raise NetworkError(f"parameters: {name}: expected at most two axes of channels")
        rest = parameter.numel() // math.prod(parameter.shape[axis] for axis in axes[name])
        add(Fraction(rest), *[*counted, ((None, 1),), ((None, 1),)][:2])
    for reader in graph.readers if intercept else ():
        module = network.get_submodule(reader.weight.rpartition(".")[0])
        if getattr(module, "bias", 0) is None:
            written = axes[reader.weight].get(reader.output_axis)
            size = network.get_parameter(reader.weight).shape[reader.output_axis]
            entries = ((None, size),) if written is None else tuple((+written).items())
            add(Fraction(1), entries, ((None, 1),))
    return Costs(constant, linear, dict(pairs))
