"""The loss along the segment between two networks' weights, and its barrier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from mini_exp.tasks.mini.training import scores


def segment_losses(one: MiniModel, other: MiniModel, x: Floats, y: Floats, points: int) -> Floats:
    """Mean loss at (1 − t) θ_one + t θ_other for ``points`` equally spaced t from 0 to 1.

    Parameters
    ----------
    one, other : MiniModel
        Of the same widths, with or without a stack's axes.
    x : (..., n, d) float64
    y : (..., n) float64
        0 or 1.
    points : int
        At least 2.

    Returns
    -------
    (points, ...) float64
        In nats.

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    One forward pass per point.

    References
    ----------
    Goodfellow et al. (2015); text 002, section 1.6.2.3, "1d: plot loss by extrapolating".

    Examples
    --------
    >>> one, other = (MiniModel([StackedLinear(torch.tensor([[w]]).double())]) for w in (0.0, 1.0))
    >>> segment_losses(one, other, np.array([[0.0]]), np.array([1.0]), 3).round(4)
    array([0.6931, 0.6931, 0.6931])
    """
    if one.widths != other.widths:
        raise ShapeError(f"segment: expected equal widths, got {one.widths} and {other.widths}")
    if points < 2:
        raise DomainError(f"segment: expected at least 2 points, got {points}")
    ts = np.linspace(0.0, 1.0, points)
    return np.stack([scores(_between(one, other, float(t)), x, y)[0] for t in ts])


def barrier(losses: Floats) -> Floats:
    """max_t ℓ(t) − ((1 − t) ℓ(0) + t ℓ(1)): how far the loss rises above its chord.

    Parameters
    ----------
    losses : (points, ...) float64
        At equally spaced t, the ends included.

    Returns
    -------
    (...) float64
        At least 0; 0 along a convex segment.

    References
    ----------
    Frankle et al. (2020), linear mode connectivity, section 2.

    Examples
    --------
    >>> float(barrier(np.array([1.0, 5.0, 3.0])))
    3.0
    """
    t = np.linspace(0.0, 1.0, len(losses)).reshape(-1, *[1] * (losses.ndim - 1))
    return np.asarray((losses - ((1 - t) * losses[0] + t * losses[-1])).max(axis=0))


def zero_padded(small: MiniModel, large: MiniModel, kept: Mapping[int, Integers]) -> MiniModel:
    """The small network in the shape of the large one: removed units have zero weights.

    Computes the same function as the small one.

    Parameters
    ----------
    small, large : MiniModel
        With the same stack's axes.
    kept : mapping from hidden layer, 1 …, to (..., width) int64
        Indices of the small network's units in the large one, ascending.

    Examples
    --------
    >>> ones = lambda *shape: StackedLinear(torch.ones(*shape, dtype=torch.float64))
    >>> small, large = MiniModel([ones(1, 2), ones(1, 1)]), MiniModel([ones(3, 2), ones(1, 3)])
    >>> zero_padded(small, large, {1: np.array([2])}).stacked_layers[1].weight.tolist()
    [[0.0, 0.0, 1.0]]
    """
    layers = []
    last = len(large.stacked_layers)
    for i, (own, wide) in enumerate(zip(small.stacked_layers, large.stacked_layers, strict=True)):
        weight = _spread(own.weight.detach(), kept.get(i), wide.weight.shape[-1])
        bias = None if own.bias is None else own.bias.detach()
        if i + 1 < last:
            size = wide.weight.shape[-2]
            weight = _spread(weight.mT, kept[i + 1], size).mT
            bias = (
                None if bias is None else _spread(bias[..., None, :], kept[i + 1], size)[..., 0, :]
            )
        layers.append(StackedLinear(weight.contiguous(), bias))
    return MiniModel(layers)


def _spread(columns: torch.Tensor, kept: Integers | None, size: int) -> torch.Tensor:
    """(..., rows, |J|) → (..., rows, size), zero outside J."""
    if kept is None:
        return columns
    index = torch.from_numpy(np.asarray(kept))[..., None, :].expand(columns.shape)
    return columns.new_zeros(*columns.shape[:-1], size).scatter(-1, index, columns)


def _between(one: MiniModel, other: MiniModel, t: float) -> MiniModel:
    layers = []
    for a, b in zip(one.stacked_layers, other.stacked_layers, strict=True):
        bias = None if a.bias is None or b.bias is None else torch.lerp(a.bias, b.bias, t).detach()
        layers.append(StackedLinear(torch.lerp(a.weight, b.weight, t).detach(), bias))
    return MiniModel(layers)
