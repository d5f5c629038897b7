"""The exact Wasserstein-1 distance of two samples (3.3.2), and its floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mini_exp.errors import ShapeError
from mini_exp.spectral import Floats


def wasserstein(one: Floats, other: Floats) -> float:
    """W₁ = min over permutations π of (1/n) Σ_i ‖x_i − y_π(i)‖.

    Of two uniform samples of equal size some permutation is an optimal plan.

    Parameters
    ----------
    one, other : (n, d) float64

    Returns
    -------
    float
        In the units of the points.

    Raises
    ------
    ShapeError

    Notes
    -----
    O(n³): half a second for n = 1000.

    References
    ----------
    Sørby (2019), (3.3.2); Birkhoff's theorem.

    Examples
    --------
    >>> wasserstein(np.array([[0.0], [1.0]]), np.array([[3.0], [2.0]]))
    2.0
    """
    if one.ndim != 2 or one.shape != other.shape:
        raise ShapeError(
            f"W₁: expected samples of equal shape (n, d), got {one.shape}, {other.shape}"
        )
    cost = cdist(one, other)
    return float(cost[linear_sum_assignment(cost)].mean())


def sampling_floor(
    draw: Callable[[np.random.Generator], Floats], rng: np.random.Generator, times: int
) -> Floats:
    """W₁ between two samples of one distribution: what a perfect generator would score.

    Parameters
    ----------
    draw : callable
        From a generator to a sample (n, d).
    rng : numpy.random.Generator
    times : int

    Returns
    -------
    (times,) float64

    Examples
    --------
    >>> sampling_floor(lambda rng: np.ones((5, 1)), np.random.default_rng(0), 2).tolist()
    [0.0, 0.0]
    """
    return np.array([wasserstein(draw(rng), draw(rng)) for _ in range(times)])


def ring_of_gaussians(rng: np.random.Generator, n: int, modes: int = 8) -> Floats:
    """n draws of Gaussians with standard deviation 0.1 around equally spaced points of a circle.

    Parameters
    ----------
    rng : numpy.random.Generator
    n, modes : int
        At least 1.

    Returns
    -------
    (n, 2) float64
        The circle has radius 2.

    Examples
    --------
    >>> points = ring_of_gaussians(np.random.default_rng(0), 1000)
    >>> bool(abs(np.linalg.norm(points, axis=1).mean() - 2) < 0.02)
    True
    """
    angle = 2 * np.pi * rng.integers(0, modes, n) / modes
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(centres + 0.1 * rng.standard_normal((n, 2)))
