"""The loss along the segment between two networks' weights, and its barrier."""

from __future__ import annotations

import numpy as np
import torch

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats
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


def _between(one: MiniModel, other: MiniModel, t: float) -> MiniModel:
    layers = []
    for a, b in zip(one.stacked_layers, other.stacked_layers, strict=True):
        bias = None if a.bias is None or b.bias is None else torch.lerp(a.bias, b.bias, t).detach()
        layers.append(StackedLinear(torch.lerp(a.weight, b.weight, t).detach(), bias))
    return MiniModel(layers)
