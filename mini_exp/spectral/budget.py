"""The width problem for a budget: widths of small loss within a cost, with a certified gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.costs import LARGEST_COST, Costs

LARGEST_LOSS = 1e300  # sums and differences of losses must not overflow

CLOSED = 1e-9  # a relative gap up to here counts as none
_ENUMERATED = 100_000  # problems of fewer solutions are solved by trying all
_ROUNDS = 60  # of tangents
_REACH = 5  # widths up and down that two groups are moved at a time
_ROUNDING = 1e-13  # of the terms of a bound


@dataclass(frozen=True)
class BudgetWidths:
    """Widths within a budget, and how much better others could be."""

    widths: Integers  # (G,), from 1 to m_g
    loss: float  # Σ_g loss_g(k_g)
    bound: float  # no widths within the budget have a smaller loss
    least: float  # Σ_g min_k loss_g(k): the loss without a limit

    @property
    def gap(self) -> float:
        """(loss − bound) / (loss − least): at most this share of what the budget costs is saved by
        other widths; 0 where these are the best, 1 where nothing is known.
        """
        lost = self.loss - self.least
        return (self.loss - self.bound) / lost if self.bound < self.loss else 0.0


def budget_widths(losses: Sequence[npt.ArrayLike], costs: Costs, budget: float) -> BudgetWidths:
    """Widths k of small Σ_g loss_g(k_g) subject to cost(k) ≤ budget, and a bound for all others.

    Parameters
    ----------
    losses : G arrays (m_g,)
        loss_g[k − 1] is the loss with k units of group g, of either sign and in any order.
    costs : Costs
        Of G groups; any of them may meet in pairs.
    budget : float
        Infinity stands for no limit.

    Raises
    ------
    ShapeError, DomainError
        If a loss is no row of finite numbers, or their number is not G; if the budget is below the
        cost of one unit of every group, or matters and is beyond 2⁵³ − 1.

    Notes
    -----
    In x = log k a cost c k_g k_h = c e^(x_g + x_h) is convex, as in a geometric programme, so it
    lies above its tangent at any x̂. With tangents for all pairs the cost falls into one term per
    group, and for a price μ ≥ 0 so does the Lagrangian bound

        Σ_g min_k [loss_g(k) + μ (own_g(k) + a_g log k)] + μ (constant − budget).

    It is maximised over μ, and x̂ follows the minimisers. The widths are x̂ rounded down, improved
    by changes of two groups at a time; small problems are solved by trying all. What is left
    between both is the rounding to whole widths. Below a second for 60 groups of up to 512 units.

    References
    ----------
    Sørby (2019), (4.2.2), with true costs for the products and losses for the regulariser.

    Examples
    --------
    >>> loss = 1 / np.arange(1, 13)
    >>> budget_widths([loss, loss], Costs(0.0, np.array([1.0, 4.0]), {}), 12).widths
    array([4, 2])
    """
    rows = [_row(loss, group) for group, loss in enumerate(losses)]
    if len(rows) != len(costs.linear):
        raise ShapeError(f"width budget: expected {len(costs.linear)} losses, got {len(rows)}")
    smallest = int(costs.total(np.ones(len(rows))))
    if not smallest <= budget:
        raise DomainError(
            f"width budget: expected at least {smallest}, the cost of one unit of every group, "
            f"got {budget}"
        )
    least = math.fsum(row.min() for row in rows)
    best = np.array([row.argmin() + 1 for row in rows], dtype=np.int64)
    if costs.total(best) <= budget:
        return BudgetWidths(best, least, least, least)
    if budget > LARGEST_COST:
        raise DomainError(
            f"width budget: expected at most 2^53 - 1, got {budget}; count costs in thousands"
        )
    widths, bound = _Search(rows, costs, math.floor(budget)).run()
    loss = math.fsum(row[k - 1] for row, k in zip(rows, widths, strict=True))
    return BudgetWidths(widths, loss, min(least + bound, loss), least)


def _row(loss: npt.ArrayLike, group: int) -> Floats:
    """A loss that has passed its checks."""
    row = np.asarray(loss, dtype=np.float64)
    if row.ndim != 1 or not row.size:
        raise ShapeError(f"width budget: group {group}: expected losses (m,), got {row.shape}")
    bad = row[~(np.abs(row) <= LARGEST_LOSS)]
    if bad.size:
        raise DomainError(
            f"width budget: group {group}: expected losses from -1e300 to 1e300, got {bad[0]}"
        )
    return row


class _Search:
    """Of every group the widths that are better than all smaller ones are kept; losses are counted
    from its least one, in units of what one unit of every group loses.
    """

    def __init__(self, losses: Sequence[Floats], costs: Costs, budget: int) -> None:
        self.groups = np.arange(len(losses))
        self.width = np.ones((len(losses), max(map(len, losses))))
        self.loss = np.full(self.width.shape, np.inf)
        for g, loss in enumerate(losses):
            kept = np.flatnonzero(loss < np.append(np.inf, np.minimum.accumulate(loss)[:-1]))
            self.width[g, : len(kept)] = kept + 1
            self.loss[g, : len(kept)] = loss[kept] - loss.min()
        self.unit = float(self.loss[:, 0].sum())
        self.loss /= self.unit
        self.log = np.log(self.width)
        self.products = np.zeros((len(losses), len(losses)))
        for (g, h), coefficient in costs.pairs.items():
            self.products[g, h] += coefficient
            self.products[h, g] += coefficient
        squares = self.products.diagonal()[:, None] / 2 * self.width**2
        self.own = costs.linear[:, None] * self.width + squares  # what a width costs by itself
        np.fill_diagonal(self.products, 0.0)
        self.rest = float(budget - int(costs.constant))
        self.best = np.zeros(len(losses), dtype=np.int64)

    def run(self) -> tuple[Integers, float]:
        """The best widths, and a bound of Σ loss above the least; ∞ where it closes the gap."""
        x, bound, tried = self.log.max(axis=1), 0.0, set()
        counts = tuple(map(int, np.isfinite(self.loss).sum(axis=1)))
        if math.prod(counts) <= _ENUMERATED:
            self.best, bound = self.enumerated(counts), np.inf
        for _ in range(_ROUNDS):
            if bound >= self.loss_at(self.best) * (1 - CLOSED):
                break
            start = self.rounded(x)
            if start.tobytes() not in tried:
                tried.add(start.tobytes())
                self.improve(start)
            lagrangian, target = self.relaxed(x)
            bound, x = max(bound, lagrangian), (x + target) / 2
        closed = bound >= self.loss_at(self.best) * (1 - CLOSED)
        widths = self.width[self.groups, self.best].astype(np.int64)
        return widths, np.inf if closed else bound * self.unit

    def enumerated(self, counts: tuple[int, ...]) -> Integers:
        """The best of all solutions; of equals the cheapest, then the first."""
        index = np.indices(counts).reshape(len(counts), -1)
        at = (self.groups[:, None], index)
        k = self.width[at]
        cost = self.own[at].sum(axis=0) + (k * (self.products @ k)).sum(axis=0) / 2
        loss = np.where(cost <= self.rest, self.loss[at].sum(axis=0), np.inf)
        return np.asarray(index[:, np.lexsort((cost, loss))[0]])

    def relaxed(self, at: Floats) -> tuple[float, Floats]:
        """The highest Lagrangian bound with tangents at x̂, and log widths (G,) of its minimiser.

        The bound is concave and piecewise linear in the price: two solutions, one within the budget
        and one beyond it, are lines; where they meet the next is sought. The last two are mixed.
        """
        product = self.products * np.exp(at[:, None] + at)
        cost = self.own + product.sum(axis=1)[:, None] * self.log
        rest = self.rest - (product * (1 - at[:, None] - at)).sum() / 2

        def totals(index: Integers) -> tuple[float, float]:
            return self.loss_at(index), float(cost[self.groups, index].sum())

        under, over = np.zeros_like(self.best), np.isfinite(self.loss).sum(axis=1) - 1
        if totals(over)[1] <= rest:
            return totals(over)[0], self.log[self.groups, over]
        bound = 0.0
        while True:
            (loss_under, cost_under), (loss_over, cost_over) = totals(under), totals(over)
            if cost_under > rest or loss_under <= loss_over:  # the tangents touch too far away
                return bound, self.log[self.groups, under]
            price = (loss_under - loss_over) / (cost_over - cost_under)
            index = (self.loss + price * cost).argmin(axis=1)
            loss, spent = totals(index)
            terms = loss + price * spent, price * rest
            bound = max(bound, terms[0] - terms[1] - _ROUNDING * (terms[0] + abs(terms[1])))
            if terms[0] >= (loss_under + price * cost_under) * (1 - CLOSED):
                share = (rest - cost_under) / (cost_over - cost_under)
                low, high = self.log[self.groups, under], self.log[self.groups, over]
                return bound, low + share * (high - low)
            under, over = (index, over) if spent <= rest else (under, index)

    def loss_at(self, index: Integers) -> float:
        return float(self.loss[self.groups, index].sum())

    def cost(self, index: Integers) -> float:
        """Exact below 2⁵³."""
        k = self.width[self.groups, index]
        return float(self.own[self.groups, index].sum() + k @ self.products @ k / 2)

    def rounded(self, x: Floats) -> Integers:
        """The widths at e^x or just below, shrunk until the budget holds."""
        while True:
            below = np.isfinite(self.loss) & (self.log <= x[:, None] + CLOSED)
            index = np.maximum(below.sum(axis=1) - 1, 0)
            if self.cost(index) <= self.rest:
                return np.asarray(index)
            x = x - 0.01

    def improve(self, index: Integers) -> None:
        """Keep the best widths in reach of changes of two groups by a few steps each."""
        better: Integers | None = index
        while better is not None:
            index, better = better, self.moved(better)
        if self.loss_at(index) < self.loss_at(self.best):
            self.best = index

    def moved(self, index: Integers) -> Integers | None:
        """After the best change that the first group with a good one takes part in, if any."""
        steps = np.arange(-_REACH, _REACH + 1)
        outside = (index[:, None] + steps < 0) | (index[:, None] + steps >= self.width.shape[1])
        to = index[:, None] + np.where(outside, 0, steps)
        here, there = (self.groups, index), (self.groups[:, None], to)
        k = self.width[here]
        loss = np.where(outside, np.inf, self.loss[there]) - self.loss[here][:, None]
        more = self.width[there] - k[:, None]
        cost = self.own[there] - self.own[here][:, None] + more * (self.products @ k)[:, None]
        slack = self.rest - self.cost(index)
        for g in self.groups:
            both = np.multiply.outer(more[g], self.products[g][:, None] * more)
            within = cost[g][:, None, None] + cost + both <= slack
            within[:, g, steps != 0] = False
            losses = np.where(within, loss[g][:, None, None] + loss, np.inf)
            i, h, j = np.unravel_index(losses.argmin(), losses.shape)
            changed = index.copy()
            changed[[h, g]] = to[h, j], to[g, i]
            if losses[i, h, j] < -CLOSED and self.cost(changed) <= self.rest:
                return changed
        return None
