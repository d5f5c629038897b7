"""What the network's outputs lose when a single group becomes narrower, measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

from mini_exp.pruning.calibration import Batches
from mini_exp.pruning.compression import Compression, masked_network, with_norm_fits
from mini_exp.pruning.fidelity import Fidelity, split_samples
from mini_exp.pruning.moments import TensorMoments
from mini_exp.pruning.selection import GroupPath, first_channels
from mini_exp.spectral import Floats, Integers

SHARES = (0.0, 0.05, 0.15, 0.3, 0.5, 0.75, 0.9)
"""Of a group's channels, at least one: where its loss is measured."""
N_SAMPLES = 300
"""Samples that it is measured on, or somewhat more."""
LEAST = 1e-9
"""What no channels lost lose, for logarithms."""


def measured_losses(
    network: nn.Module,
    paths: Sequence[GroupPath],
    moments: Mapping[str, TensorMoments],
    batches: Batches,
    compression: Compression,
) -> dict[str, Floats]:
    """ℓ_g(k), (m,), by group: the divergence of the outputs when only g keeps its first k channels.

    Measured at a few widths along the group's path (see ``Fidelity``), in between by ``curve``.

    Parameters
    ----------
    network : nn.Module
    paths : sequence of GroupPath
        Of all channels.
    moments : mapping
        As ``reader_moments`` returns it, by channel.
    batches : iterable or function
    compression : Compression
        How the readers' weights are made; not one group after the other, nor by patches.

    Notes
    -----
    Seven forward passes of about 300 samples per group.
    """
    work, held_out = split_samples(network, batches)
    examples, n = [], 0
    for example in (*held_out, *work):
        if n < N_SAMPLES:
            examples.append(example)
            n += example.n_samples
    fidelity = Fidelity(network, examples)
    plain = Compression(compression.weights, compression.ridge, compression.intercept)
    losses = {}
    for path in paths:
        m = path.group.width
        widths = np.unique([max(round(share * m), 1) for share in SHARES])
        measured = []
        for width in widths[widths < m]:
            selection = first_channels([path], [int(width)])
            selection = with_norm_fits(network, selection, batches)
            masked = masked_network(network, selection, moments, batches, plain)
            measured.append(fidelity.mean(masked, range(len(examples))))
        losses[path.group.name] = curve(widths[widths < m], np.array(measured), m)
    return losses


def curve(widths: Integers, losses: npt.ArrayLike, m: int) -> Floats:
    """Losses of 1 … m channels from those of some: never more with more channels, 0 with all.

    Straight between two in the logarithms of both, and beyond the last as before it.

    Parameters
    ----------
    widths : (p,) int64
        Ascending, from 1, below m; empty where m is 1.
    losses : (p,)
    m : int

    Returns
    -------
    (m,) float64

    Examples
    --------
    >>> curve(np.array([1, 4]), [1.0, 0.0625], 8)
    array([1.        , 0.25      , 0.11111111, 0.0625    , 0.04      ,
           0.02777778, 0.02040816, 0.        ])
    """
    every = np.zeros(m)
    if len(widths):
        falling = np.maximum.accumulate(np.asarray(losses, dtype=np.float64)[::-1])[::-1]
        x, y = np.log(widths), np.log(np.maximum(falling, LEAST))
        at = np.log(np.arange(1, m))
        slope = (y[-1] - y[-2]) / (x[-1] - x[-2]) if len(x) > 1 else 0.0
        every[:-1] = np.exp(np.interp(at, x, y) + slope * np.maximum(at - x[-1], 0))
    return every
