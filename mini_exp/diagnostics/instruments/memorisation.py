"""Capacity: networks that fit labels without meaning, and the bound √(N / m) on the gap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.training import scores, training_epochs


@dataclass(frozen=True)
class TwoLayers:
    """f(x) = Σ_j w_j max(a · x − b_j, 0): 2n + d weights.

    Attributes
    ----------
    direction : (d,) float64
        a, which all hidden units share.
    offsets, weights : (n,) float64
        b and w.
    """

    direction: Floats
    offsets: Floats
    weights: Floats

    @property
    def n_weights(self) -> int:
        """2n + d."""
        return len(self.direction) + len(self.offsets) + len(self.weights)

    def __call__(self, x: Floats) -> Floats:
        """From (k, d) to (k,)."""
        projected = x @ self.direction
        return np.asarray(np.maximum(projected[:, None] - self.offsets, 0.0) @ self.weights)


def interpolating_network(x: Floats, y: Floats, rng: np.random.Generator) -> TwoLayers:
    """Two layers with ReLU and 2n + d weights that take any values y at n different points.

    Sort a · x_i; with b_1 < a · x_1 < b_2 < a · x_2 < … the outputs of the hidden units are a lower
    triangular matrix with a positive diagonal.

    Parameters
    ----------
    x : (n, d) float64
        Rows all different.
    y : (n,) float64
    rng : numpy.random.Generator
        Of the direction a, Gaussian: it tells different points apart with probability 1.

    Returns
    -------
    TwoLayers

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    O(n²). Exact in exact arithmetic; the error in float64 grows as points come close.

    References
    ----------
    Text 003, 1.2 "Excess Capacity"; Zhang et al. (2017), arXiv 1611.03530, theorem 1.

    Examples
    --------
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([5.0, -1.0, 3.0])
    >>> network = interpolating_network(x, y, np.random.default_rng(0))
    >>> network.n_weights, network(x).round(9).tolist()
    (7, [5.0, -1.0, 3.0])
    """
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ShapeError(f"interpolation: expected x (n, d) and y (n,), got {x.shape}, {y.shape}")
    direction = rng.standard_normal(x.shape[1])
    projected = x @ direction
    order = np.argsort(projected)
    sorted_ = projected[order]
    if (np.diff(sorted_) <= 0).any():
        raise DomainError("interpolation: expected points that all differ, got two that are equal")
    first = sorted_[0] - (sorted_[1] - sorted_[0] if len(x) > 1 else 1.0)
    offsets = np.concatenate([[first], (sorted_[1:] + sorted_[:-1]) / 2])
    hidden = np.maximum(sorted_[:, None] - offsets, 0.0)
    weights = np.asarray(solve_triangular(hidden, y[order], lower=True))
    return TwoLayers(np.asarray(direction), offsets, weights)


def randomised_labels(y: Floats, share: float, rng: np.random.Generator) -> Floats:
    """A copy in which this share of the labels, drawn at random, are fair coins.

    Parameters
    ----------
    y : (n,) float64
        0 or 1.
    share : float
        In [0, 1]; half of the chosen labels keep their value on average.
    rng : numpy.random.Generator

    Raises
    ------
    DomainError

    Examples
    --------
    >>> randomised_labels(np.ones(4), 0.0, np.random.default_rng(0)).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if not 0 <= share <= 1:
        raise DomainError(f"random labels: expected a share in [0, 1], got {share}")
    labels = np.array(y, dtype=np.float64)
    chosen = rng.permutation(len(labels))[: round(share * len(labels))]
    labels[chosen] = rng.integers(0, 2, len(chosen))
    return labels


def epochs_to_fit(
    networks: MiniModel,
    x: Floats,
    y: Floats,
    orders: Integers,
    batch_size: int,
    learning_rate: float,
) -> Floats:
    """The first epoch after which every training label is right: (R,), infinite where none is.

    Arguments are those of ``training_epochs``, whose cost it has; it ends when all networks fit.

    References
    ----------
    Zhang et al. (2017), figure 1; text 003, 1.2 "Excess Capacity".
    """
    fitted = np.full(len(x), np.inf)
    trained = training_epochs(networks, x, y, orders, batch_size, learning_rate)
    for epoch, current in enumerate(trained, start=1):
        fitted[(scores(current, x, y)[1] == 1) & np.isinf(fitted)] = epoch
        if np.isfinite(fitted).all():
            break
    return fitted


def capacity_bound(capacity: float, samples: int) -> float:
    """√(N / m), which is to bound test loss − training loss.

    For a loss of at most 1 it says nothing once N ≥ m, which is where networks are used.

    Raises
    ------
    DomainError

    References
    ----------
    Text 003, 1.2 "Capacity".

    Examples
    --------
    >>> capacity_bound(4, 16), round(capacity_bound(802, 100), 2)
    (0.5, 2.83)
    """
    if not (capacity >= 0 and samples >= 1):
        raise DomainError(f"capacity: expected N ≥ 0 and m ≥ 1, got {capacity} and {samples}")
    return math.sqrt(capacity / samples)
