"""Persistent homology of points (2.3), and the homology of a classifier's support in the plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats


def barcodes(points: Floats, dimensions: int = 1) -> list[Floats]:
    """Bars (birth, death) of the Vietoris–Rips filtration, per dimension 0 … ``dimensions``.

    Two points are joined when their distance is at most the scale: at twice the radius ε of the
    balls that the text lets grow.

    Parameters
    ----------
    points : (n, d) float64
        n ≥ 2.
    dimensions : int
        The highest dimension, 0 or more.

    Returns
    -------
    list of (bars, 2) float64
        Right to float32, in which ripser works: a bar shorter than 1e-6 of its scale is rounding.
        The last component dies at infinity.

    Raises
    ------
    ShapeError
    ModuleNotFoundError
        Without the extra ``[topology]``.

    Notes
    -----
    n = 100 takes a hundredth of a second up to dimension 1, n = 1000 some seconds.

    References
    ----------
    Sørby (2019), section 2.3; Zomorodian and Carlsson (2005); Bauer (2021), Ripser.
    """
    import ripser

    if points.ndim != 2 or len(points) < 2:
        raise ShapeError(f"homology: expected points (n ≥ 2, d), got {points.shape}")
    diagrams: list[npt.NDArray[Any]] = ripser.ripser(points, maxdim=dimensions)["dgms"]
    return [np.asarray(bars, dtype=np.float64) for bars in diagrams]


def betti_numbers(bars: list[Floats], scale: float) -> list[int]:
    """β_k at a scale: the bars of dimension k with birth ≤ scale < death.

    Examples
    --------
    >>> betti_numbers([np.array([[0.0, 1.0], [0.0, np.inf]])], 0.5)
    [2]
    """
    return [int(((own[:, 0] <= scale) & (scale < own[:, 1])).sum()) for own in bars]


def median_distance(points: Floats) -> float:
    """Of all pairs: the unit in which scales of different layers are stated.

    Examples
    --------
    >>> median_distance(np.array([[0.0], [1.0], [3.0]]))
    2.0
    """
    return float(np.median(pdist(points)))


def longest_bars(bars: Floats, count: int) -> Floats:
    """Lengths of the longest finite bars, descending, filled with 0: (count,).

    Examples
    --------
    >>> longest_bars(np.array([[0.0, 1.0], [0.5, 3.0], [0.0, np.inf]]), 3).tolist()
    [2.5, 1.0, 0.0]
    """
    lengths = bars[:, 1] - bars[:, 0]
    finite = np.sort(lengths[np.isfinite(lengths)])[::-1][:count]
    return np.pad(finite, (0, count - len(finite)))


def support_homology(support: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """β₀ and β₁ of H_S(f) = H[f⁻¹(1)] for a classifier on a grid of the plane.

    A set of pixels, joined along sides and corners, has as many holes as its complement has
    components (joined along sides) beyond the one outside: Alexander duality.

    Parameters
    ----------
    support : (rows, columns) bool
        Where f is 1. Outside the grid f counts as 0: a support that reaches the border is cut.

    Returns
    -------
    components, holes : int

    Raises
    ------
    ShapeError

    References
    ----------
    Sørby (2019), section 2.3; Guss and Salakhutdinov (2018), definition 3.

    Examples
    --------
    >>> ring = np.ones((3, 3), dtype=bool)
    >>> ring[1, 1] = False
    >>> support_homology(ring)
    (1, 1)
    """
    from scipy.ndimage import label

    if support.ndim != 2:
        raise ShapeError(f"support: expected a grid (rows, columns), got {support.shape}")
    components = label(support, structure=np.ones((3, 3)))[1]
    outside = label(np.pad(~support, 1, constant_values=True))[1]
    return int(components), int(outside) - 1


def largest_betti_number(units: int) -> int:
    """1 + h + h(h − 1)/2: regions of the plane that h lines make.

    On each, a network with one hidden layer of h ReLU units is affine, so its support and the
    complement have one convex piece there at most: neither β₀ nor β₁ exceeds the regions. A support
    that is bounded and not empty needs three units besides.

    Raises
    ------
    DomainError

    References
    ----------
    Zaslavsky (1975). The text's source counts holes in its experiments only.

    Examples
    --------
    >>> [largest_betti_number(h) for h in (0, 1, 2, 3)]
    [1, 2, 4, 7]
    """
    if units < 0:
        raise DomainError(f"homology: expected h ≥ 0 units, got {units}")
    return 1 + units + units * (units - 1) // 2
