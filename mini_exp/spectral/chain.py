"""Minima of sums that couple neighbours only, by dynamic programming along the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mini_exp.spectral import Floats, Integers

_CELLS = 1_000_000  # of a link's table held at once: 16 MB


@dataclass(frozen=True)
class Chain:
    """min over i₁ … i_L of a n₁[i₁] + Σ n_ℓ[i_ℓ] n_{ℓ+1}[i_{ℓ+1}] + b n_L[i_L] + Σ cost_ℓ[i_ℓ]."""

    n: list[Floats]
    cost: list[Floats]
    boundary: tuple[float, float]

    @cached_property
    def forward(self) -> list[Floats]:
        """Cheapest way to reach each grid point from the left, its own cost included."""
        messages = [self.boundary[0] * self.n[0] + self.cost[0]]
        for left, right, cost in zip(self.n, self.n[1:], self.cost[1:], strict=False):
            messages.append(cheapest_partner(messages[-1], left, right) + cost)
        return messages

    def min_marginals(self) -> list[Floats]:
        """Per layer, the smallest objective of any solution through each grid point."""
        onward = self.boundary[1] * self.n[-1]
        marginals = []
        for layer, reached in reversed(list(enumerate(self.forward))):
            marginals.append(reached + onward)
            if layer:
                onward = cheapest_partner(
                    self.cost[layer] + onward, self.n[layer], self.n[layer - 1]
                )
        return marginals[::-1]

    def near(
        self, marginals: Sequence[Floats], best: float, gap: float, negligible: float
    ) -> list[Integers]:
        """Per layer, the grid points that solutions within the gap go through.

        Of layers whose terms are negligible wherever the others are near, only the point of one
        minimiser: a layer that hardly matters would keep a wide range to the end.
        """
        near = [np.flatnonzero(marginal <= best + gap) for marginal in marginals]
        chosen = self.minimiser()
        settled = set(range(len(near)))
        while True:
            reach = [[chosen[i]] if i in settled else near[i] for i in range(len(near))]
            most = [n[points].max() for n, points in zip(self.n, reach, strict=True)]
            beside = [self.boundary[0], *most, self.boundary[1]]
            matter = {
                i
                for i in settled
                if most[i] * (beside[i] + beside[i + 2]) + self.cost[i][chosen[i]]
                > negligible * best
            }
            if not matter:
                return [np.asarray(points) for points in reach]
            settled -= matter

    def minimum(self) -> float:
        """The smallest objective on the grid."""
        return float((self.forward[-1] + self.boundary[1] * self.n[-1]).min())

    def minimiser(self) -> list[int]:
        """Indices of one minimiser; of equals, the one with the smallest index in each layer."""
        chosen = [int((self.forward[-1] + self.boundary[1] * self.n[-1]).argmin())]
        for layer in reversed(range(len(self.n) - 1)):
            link = self.n[layer] * self.n[layer + 1][chosen[0]]
            chosen.insert(0, int((self.forward[layer] + link).argmin()))
        return chosen


def cheapest_partner(cost: Floats, n: Floats, at: Floats) -> Floats:
    """min_i (cost_i + n_i a) for every a of ``at``, with bounded memory."""
    if len(cost) * len(at) <= _CELLS or len(at) == 1:
        return np.asarray((cost[:, None] + np.outer(n, at)).min(axis=0))
    # Both n and at descend. The larger a, the smaller is n_i at the minimum, so the table falls
    # into two that share one row.
    middle = len(at) // 2
    best = int((cost + n * at[middle]).argmin())
    return np.concatenate(
        [
            cheapest_partner(cost[best:], n[best:], at[:middle]),
            cheapest_partner(cost[: best + 1], n[: best + 1], at[middle:]),
        ]
    )
