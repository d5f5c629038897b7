"""What widths cost: a constant, a part per group, and a part per pair of groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers

LARGEST_COST = 2**53 - 1
"""Up to here every whole number is a float64, and sums of costs are exact."""


@dataclass(frozen=True)
class Costs:
    """cost(k) = constant + Σ_g linear_g k_g + Σ_{(g,h)} pair_gh k_g k_h of widths k_1 … k_G.

    Parameters
    ----------
    constant : float
        What no width changes.
    linear : (G,) float64
        Cost of a unit of every group by itself.
    pairs : {(g, h): float}
        Cost of a unit of g with a unit of h, numbered from 0; (g, h) and (h, g) add up, and
        (g, g) is the part that grows with k_g².

    Raises
    ------
    ShapeError
        If ``linear`` is not one row of numbers.
    DomainError
        If a coefficient is not a whole number from 0 to 2⁵³ − 1, or a pair names a group that is
        not there.

    Examples
    --------
    The weights of MiniModel, 30 → k₁ → k₂ → k₃ → 1:

    >>> costs = Costs(0.0, np.array([30.0, 0.0, 1.0]), {(0, 1): 1.0, (1, 2): 1.0})
    >>> costs.total([16, 12, 10])
    array(802.)
    """

    constant: float
    linear: Floats
    pairs: dict[tuple[int, int], float]

    def __post_init__(self) -> None:
        if np.ndim(self.linear) != 1:
            raise ShapeError(f"costs: expected linear (G,), got {np.shape(self.linear)}")
        n_groups = len(self.linear)
        coefficients = {
            "constant": self.constant,
            **{f"linear[{group}]": value for group, value in enumerate(self.linear)},
            **{f"pairs[{g}, {h}]": value for (g, h), value in self.pairs.items()},
        }
        for name, value in coefficients.items():
            if not (0 <= value <= LARGEST_COST and value == math.floor(value)):
                raise DomainError(
                    f"costs: {name}: expected a whole number from 0 to 2^53 - 1, got {value}"
                )
        for g, h in self.pairs:
            if not (0 <= g < n_groups and 0 <= h < n_groups):
                raise DomainError(f"costs: pairs[{g}, {h}]: expected groups below {n_groups}")

    def of_multiples(self, step: Integers) -> Costs:
        """The costs of k_g · step_g units, as a function of k.

        Examples
        --------
        >>> Costs(1.0, np.array([3.0]), {(0, 0): 1.0}).of_multiples(np.array([2])).total([5])
        array(131.)
        """
        pairs = {(g, h): pair * float(step[g] * step[h]) for (g, h), pair in self.pairs.items()}
        return Costs(self.constant, self.linear * step, pairs)

    def total(self, widths: npt.ArrayLike) -> Floats:
        """cost(k), exact below 2⁵³.

        Parameters
        ----------
        widths : (..., G)

        Returns
        -------
        (...) float64

        Raises
        ------
        ShapeError
            If the last axis does not hold a width per group.
        """
        k = np.asarray(widths, dtype=np.float64)
        if k.ndim == 0 or k.shape[-1] != len(self.linear):
            raise ShapeError(f"costs: expected widths (..., {len(self.linear)}), got {k.shape}")
        total = self.constant + (k * self.linear).sum(axis=-1)
        for (g, h), coefficient in self.pairs.items():
            total = total + coefficient * k[..., g] * k[..., h]
        return np.asarray(total)
