"""The mixed-integer program whose optimum is a ReLU classifier's L∞ margin, in a box."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import Bounds, LinearConstraint

from mini_exp.spectral import Floats, Integers
from mini_exp.tasks.mini.network import MiniModel

Layer = tuple[Floats, Floats]
"""Weight (out, in) and bias (out,)."""


@dataclass(frozen=True)
class Program:
    """What scipy.optimize.milp takes; variable 0 is γ, variables 1 … d are x'."""

    cost: Floats
    constraints: LinearConstraint
    bounds: Bounds
    integrality: Integers


class _Rows:
    """Linear constraints, block by block."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.blocks: list[tuple[Floats, Floats, Floats]] = []

    def add(self, low: Floats | float, high: Floats | float, *terms: tuple[slice, Floats]) -> None:
        """low ≤ Σ matrix · variables[slice] ≤ high."""
        matrix = np.zeros((len(terms[0][1]), self.total))
        for where, values in terms:
            matrix[:, where] = values
        level = np.ones(len(matrix))
        self.blocks.append((matrix, low * level, high * level))

    def constraint(self) -> LinearConstraint:
        matrix, low, high = (np.concatenate(part) for part in zip(*self.blocks, strict=True))
        return LinearConstraint(matrix, low, high)


def weights_and_biases(network: MiniModel) -> list[Layer]:
    """As arrays; zero biases where there are none."""
    layers = []
    for layer in network.stacked_layers:
        weight = layer.weight.detach().numpy()
        bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().numpy()
        layers.append((weight, bias))
    return layers


def margin_program(layers: list[Layer], x: Floats, sign: float, radius: float) -> Program:
    """min γ with ‖x' − x‖_∞ ≤ γ ≤ radius and sign · logit(x') ≤ 0.

    A hidden layer z = W u + b has outputs h and switches a ∈ {0, 1}, with the interval bounds
    l ≤ z ≤ u of the box: h ≥ z, h ≥ 0, h ≤ z − min(l, 0)(1 − a), h ≤ max(u, 0) a.
    """
    hidden = [len(weight) for weight, _ in layers[:-1]]
    sizes = [1, len(x), *(size for size in hidden for _ in "ha")]
    starts = np.cumsum([0, *sizes])
    place = [slice(start, stop) for start, stop in pairwise(starts)]
    rows = _Rows(int(starts[-1]))
    lower, upper = np.zeros(rows.total), np.ones(rows.total)
    integral = np.zeros(rows.total, dtype=np.int64)
    gamma, inputs = place[:2]
    upper[gamma] = radius
    lower[inputs], upper[inputs] = x - radius, x + radius
    one, column = np.eye(len(x)), np.ones((len(x), 1))
    rows.add(-np.inf, x, (inputs, one), (gamma, -column))
    rows.add(x, np.inf, (inputs, one), (gamma, column))
    low, high = x - radius, x + radius
    for i, (weight, bias) in enumerate(layers[:-1]):
        low, high = _interval(weight, bias, low, high)
        h, a = place[2 + 2 * i], place[3 + 2 * i]
        least, most, one = np.minimum(low, 0.0), np.maximum(high, 0.0), np.eye(len(bias))
        rows.add(bias, np.inf, (h, one), (inputs, -weight))
        switched = (h, one), (inputs, -weight), (a, -np.diag(least))
        rows.add(-np.inf, bias - least, *switched)
        rows.add(-np.inf, 0.0, (h, one), (a, -np.diag(most)))
        upper[h] = most
        lower[a], upper[a], integral[a] = (low >= 0) & (high > 0), high > 0, 1
        inputs, low, high = h, np.maximum(low, 0.0), most
    weight, bias = layers[-1]
    rows.add(-np.inf, -sign * bias, (inputs, sign * weight))
    cost = np.zeros(rows.total)
    cost[gamma] = 1.0
    return Program(cost, rows.constraint(), Bounds(lower, upper), integral)


def _interval(weight: Floats, bias: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    centre, half = weight @ ((low + high) / 2) + bias, np.abs(weight) @ ((high - low) / 2)
    return centre - half, centre + half
