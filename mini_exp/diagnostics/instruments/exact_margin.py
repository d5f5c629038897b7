"""The exact L∞ margin of one sample of a ReLU classifier, by mixed-integer programming."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import milp

from mini_exp.diagnostics.instruments.margin_program import margin_program, weights_and_biases
from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel

OPTIMAL, INFEASIBLE = 0, 2  # among the states of scipy.optimize.milp


@dataclass(frozen=True)
class Margin:
    """Bounds of a margin, equal where the time sufficed.

    Attributes
    ----------
    low, high : float
        In the units of the inputs. ``high`` is infinite where no point was seen to cross.
    """

    low: float
    high: float


@torch.no_grad()
def linf_margin(
    network: MiniModel, x: Floats, seconds: float, smallest: float = 1 / 64, largest: float = 64.0
) -> Margin:
    """γ = min ‖x' − x‖_∞ over the x' whose logit is 0 or has another sign than that of x.

    In a box of radius r around x every unit is on, off or, where interval bounds leave it open, has
    a binary variable; the program is exact there. r doubles from ``smallest`` until the box holds
    a crossing: a box without one is a lower bound.

    Parameters
    ----------
    network : MiniModel
        One network, not a stack.
    x : (d,) float64
    seconds : float
        Time limit, of all boxes together, > 0. What is proved by then is kept: an attack would
        give an upper bound only, or nothing.
    smallest, largest : float
        The first and the last r, 0 < smallest ≤ largest.

    Returns
    -------
    Margin

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    Exponential in the number of open units; a MiniModel's margin takes about a second.

    References
    ----------
    Text 004, "Classification margin", with d = L∞. Tjeng et al. (2019), MIPVerify, section 4.

    Examples
    --------
    A linear classifier has |w · x| / ‖w‖₁.

    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> linear = MiniModel([StackedLinear(torch.tensor([[1.0, -3.0]], dtype=torch.float64))])
    >>> margin = linf_margin(linear, np.array([2.0, 0.0]), seconds=10)
    >>> round(margin.low, 6), round(margin.high, 6)
    (0.5, 0.5)
    """
    if x.ndim != 1 or network.stacked_layers[0].weight.ndim != 2:
        raise ShapeError(f"margin: expected one network and one sample (d,), got x {x.shape}")
    if not (seconds > 0 and 0 < smallest <= largest):
        raise DomainError(
            f"margin: expected seconds > 0 and 0 < smallest ≤ largest, got {seconds}, {smallest}, "
            f"{largest}"
        )
    deadline = time.monotonic() + seconds
    layers = weights_and_biases(network)
    sign = 1.0 if network(torch.from_numpy(x)[None]).item() > 0 else -1.0
    low, radius = 0.0, smallest
    while radius <= largest and (left := deadline - time.monotonic()) > 0:
        program = margin_program(layers, x, sign, radius)
        result = milp(
            program.cost,
            integrality=program.integrality,
            bounds=program.bounds,
            constraints=program.constraints,
            options={"time_limit": left, "mip_rel_gap": 0.0},
        )
        if result.status == OPTIMAL and result.fun is not None:
            optimum = float(result.fun)
            return Margin(optimum, optimum)
        if result.status != INFEASIBLE:  # the time ran out
            if result.mip_dual_bound is not None and np.isfinite(result.mip_dual_bound):
                low = max(low, float(result.mip_dual_bound))
            return Margin(low, float("inf") if result.fun is None else float(result.fun))
        low, radius = radius, 2 * radius
    return Margin(low, float("inf"))


def mean_margin(margins: Sequence[Margin]) -> Margin:
    """Bounds of the mean; infinite above where one margin has no upper bound.

    A missing upper bound is never replaced by the largest radius: that would average the limit of
    the search.

    Examples
    --------
    >>> mean_margin([Margin(1.0, 1.0), Margin(3.0, float("inf"))])
    Margin(low=2.0, high=inf)
    """
    return Margin(
        float(np.mean([m.low for m in margins])), float(np.mean([m.high for m in margins]))
    )


def median_margin(margins: Sequence[Margin]) -> Margin:
    """Bounds of the median: finite as long as fewer than half have no upper bound.

    Examples
    --------
    >>> median_margin([Margin(1.0, 1.0), Margin(2.0, 2.0), Margin(3.0, float("inf"))])
    Margin(low=2.0, high=2.0)
    """
    return Margin(
        float(np.median([m.low for m in margins])), float(np.median([m.high for m in margins]))
    )
