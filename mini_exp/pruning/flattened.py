"""Spectra of whole layers, every pixel of every channel a unit, through the Gram matrix."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.pruning.calibration import eval_mode
from mini_exp.pruning.calls import Call
from mini_exp.pruning.graph import ChannelGraph, Reader
from mini_exp.pruning.moments import Watched
from mini_exp.pruning.recipe import GroupMoments
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import gram_spectrum

BLOCK_BYTES = 64e6
"""Of a block of units in float64: the whole layer of 32 768 units and 2000 images is 0.5 GB."""


@dataclass(frozen=True)
class CalibrationMoments:
    """What the calibration samples say of every group, and of the layers as a whole.

    Attributes
    ----------
    groups : GroupMoments
    flattened : mapping from group to (n,)
        Eigenvalues, descending, of all its units; empty where they were not computed.
    n_units : mapping from group to int
        Channels times positions.
    n_samples : int
    """

    groups: GroupMoments
    flattened: Mapping[str, Floats]
    n_units: Mapping[str, int]
    n_samples: int


class _ReachedError(Exception):
    """The tensor is there; the rest of the network need not run."""


def flattened_spectra(
    network: nn.Module, graph: ChannelGraph, batches: Sequence[Tensor]
) -> tuple[dict[str, Floats], dict[str, int]]:
    """Non-zero spectra of the uncentred second moments of flattened layers (appendix 8.1).

    Parameters
    ----------
    network : nn.Module
    graph : ChannelGraph
    batches : sequence of (n, …) tensors
        Calibration samples.

    Returns
    -------
    eigenvalues : dict
        From a group's name to (n,) float64, descending: of what its first reader reads, m units,
        channels times positions. At most min(n, m) are not zero, so N(λ) ≤ n.
    n_units : dict
        From a group's name to m.

    Notes
    -----
    O(n² m + n³) time. The layer is never held as a whole: each block of its channels is computed
    anew from the images, and the network is left as soon as the layer is there. Memory is the
    n × n Gram matrix and a block.

    References
    ----------
    Sørby (2019), appendix 8.1 and section 4.2.1: the covariance that the thesis found too
    expensive for its CIFAR-10 network.
    """
    eigenvalues, n_units = {}, {}
    with eval_mode(network):
        for group in graph.groups:
            reader = group.readers[0]
            n_units[group.name] = _flat(network, reader, batches[0][:1]).shape[1]
            blocks = _blocks(network, reader, batches, group.width, n_units[group.name])
            eigenvalues[group.name] = gram_spectrum(blocks)
    return eigenvalues, n_units


def _blocks(
    network: nn.Module, reader: Reader, batches: Sequence[Tensor], width: int, n_units: int
) -> Iterator[Floats]:
    """Blocks (n, k) of the units, channel after channel."""
    each = n_units // width
    n = sum(map(len, batches))
    channels = max(int(BLOCK_BYTES / (8 * n * each)), 1)
    for first in range(0, width, channels):
        columns = slice(first * each, min(first + channels, width) * each)
        parts = [
            _flat(network, reader, part)[:, columns].double().cpu().numpy() for part in batches
        ]
        yield np.concatenate(parts)


@torch.no_grad()
def _flat(network: nn.Module, reader: Reader, x: Tensor) -> Tensor:
    """What the reader reads of a batch, (n, units)."""
    seen: list[Tensor] = []

    def stop(key: str, reader: Reader, given: Tensor, call: Call) -> None:
        seen.append(given.flatten(1))
        raise _ReachedError

    with contextlib.suppress(_ReachedError), Watched(network, {reader.tensor: reader}, stop):
        network(x)
    return seen[0]
