"""Fully connected networks, R at once: parameters carry a leading replicate axis (1.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from mini_exp.errors import ShapeError
from mini_exp.types import Networks


def initial_networks(
    widths: Sequence[int],
    bias: bool,
    generators: Sequence[np.random.Generator],
    dtype: torch.dtype = torch.float64,
) -> Networks:
    """Glorot-uniform weights, U(−a, a) with a = √(6 / (width_in + width_out)), and zero biases.

    Parameters
    ----------
    widths : sequence of int
        Input, hidden layers, output.
    bias : bool
        The weights are the same with and without.
    generators : sequence of numpy.random.Generator
        One per replicate.
    dtype : torch.dtype

    Examples
    --------
    >>> initial_networks([30, 16, 12, 10, 1], False, [np.random.default_rng(0)]).n_parameters
    802
    """
    layers = list(pairwise(widths))
    draws = [
        [rng.uniform(-a, a, (n_out, n_in)) for n_in, n_out in layers for a in [_limit(n_in, n_out)]]
        for rng in generators
    ]
    weights = tuple(
        torch.from_numpy(np.stack(stack)).to(dtype) for stack in zip(*draws, strict=True)
    )
    biases = tuple(weight.new_zeros(weight.shape[:2]) for weight in weights) if bias else ()
    return Networks(weights, biases)


def _limit(n_in: int, n_out: int) -> float:
    return float(np.sqrt(6 / (n_in + n_out)))


def layer_outputs(networks: Networks, x: Tensor) -> list[Tensor]:
    """Outputs of the hidden layers (after ReLU), then the logits.

    Parameters
    ----------
    networks : Networks
    x : (R, n, d) tensor
        R may be 1: the same inputs for every network.

    Returns
    -------
    list of (R, n, width) tensors

    Raises
    ------
    ShapeError

    References
    ----------
    Sørby (2019), (1.1.2).
    """
    if x.ndim != 3 or x.shape[2] != networks.widths[0]:
        raise ShapeError(
            f"network: expected inputs (R, n, {networks.widths[0]}), got {tuple(x.shape)}"
        )
    outputs = []
    last = len(networks.weights) - 1
    for layer, weight in enumerate(networks.weights):
        x = x @ weight.transpose(1, 2)
        if networks.biases:
            x = x + networks.biases[layer][:, None, :]
        if layer < last:
            x = torch.relu(x)
        outputs.append(x)
    return outputs


def to(networks: Networks, device: str | torch.device, dtype: torch.dtype) -> Networks:
    """The same networks on another device or in another precision."""
    return Networks(
        tuple(weight.to(device, dtype) for weight in networks.weights),
        tuple(bias.to(device, dtype) for bias in networks.biases),
    )
