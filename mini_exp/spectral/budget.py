"""The width problem for a budget: the smallest loss that a cost allows, exactly, along chains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.width import cheapest_partner

Price: TypeAlias = tuple[float, float]  # of loss and of cost
Solution: TypeAlias = tuple[float, float, list[int]]  # loss, cost and widths along a chain

LARGEST_LOSS = 1e300  # sums and differences of losses must not overflow

LARGEST_COST = 2**53 - 1
"""Up to here every whole number is a float64, and sums of costs are exact."""

LARGEST_SEARCH = 2**16
"""Partial solutions of a group that ``budget_widths`` extends at once; with more it splits."""

MOST_SPLITS = 1000
"""How often it splits before it gives up: after minutes."""

_PRICES = (1.0, 1.2, 1 / 1.2, 2.0, 1 / 2, 4.0, 1 / 4)  # of cost, over the best one; all give bounds
_FIRST_STEP = 2.0**-8  # of the gap between the bound and the best solution known
_LONGER = 1.5
_SLACK = 1e-11  # over the rounding of a bound: a sum of at most 10⁴ non-negative terms
_LOSS_BITS = 52
_MAX_LINES = 100
_COARSER = 16  # how much larger than the minimum the loss may be that sets the unit of losses


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
        Cost of a unit of g with a unit of h, g ≠ h, numbered from 0; (g, h) and (h, g) add up.

    Raises
    ------
    ShapeError
        If ``linear`` is not one row of numbers.
    DomainError
        If a coefficient is not a whole number from 0 to 2⁵³ − 1, or a pair is not one of two
        groups.

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
            if g == h or not (0 <= g < n_groups and 0 <= h < n_groups):
                raise DomainError(
                    f"costs: pairs[{g}, {h}]: expected two different groups below {n_groups}"
                )

    def total(self, widths: npt.ArrayLike) -> Floats:
        """cost(k), exact below 2⁵³.

        Parameters
        ----------
        widths : (..., G)

        Returns
        -------
        (...) float64
        """
        k = np.asarray(widths, dtype=np.float64)
        if k.ndim == 0 or k.shape[-1] != len(self.linear):
            raise ShapeError(f"costs: expected widths (..., {len(self.linear)}), got {k.shape}")
        total = self.constant + (k * self.linear).sum(axis=-1)
        for (g, h), coefficient in self.pairs.items():
            total = total + coefficient * k[..., g] * k[..., h]
        return np.asarray(total)


def budget_widths(losses: Sequence[npt.ArrayLike], costs: Costs, budget: float) -> Integers:
    """The widths k that minimise Σ_g loss_g(k_g) subject to cost(k) ≤ budget.

    The cost couples only groups that meet in a pair. Where these pairs form paths, the minimum is
    found exactly along them; paths that share no pair share the budget alone.

    Parameters
    ----------
    losses : G arrays (m_g,)
        loss_g[k − 1] is the loss with k units of group g, of either sign and in any order.
    costs : Costs
        Of G groups; the pairs with a positive coefficient form paths.
    budget : float
        Infinity stands for no limit.

    Returns
    -------
    (G,) int64
        1 ≤ k_g ≤ m_g. Of widths with equal loss those of smallest cost; of equals in both the
        lexicographically smallest, with the groups read along the paths: each path from its end
        with the lower number, the paths in the order of these ends.

    Raises
    ------
    ShapeError
        If a loss is not one row of at least one number, or their number is not G.
    DomainError
        If a loss is not finite (or beyond 1e300), the pairs do not form paths, the budget is not a
        number, lies below the cost of one unit of every group, or matters and is beyond 2⁵³ − 1,
        or the search takes too long.

    Notes
    -----
    For a price μ ≥ 0 of cost, min_k Σ loss + μ (cost − budget) is a lower bound. Programming along
    the chain gives it, the μ where it is highest and, for every width of every group, the bound of
    the solutions with that width. For a target a little above the bound, widths whose own bound is
    higher are dropped. What is left is searched from the last group to the first: of the partial
    solutions that begin with one width, those that another beats in loss and in cost are dropped,
    and those that the bounds or the budget rule out. Where too many are left, the widths of one
    group are halved, and each half has bounds of its own. A solution within the target is the
    minimum; without one the target is raised.

    Costs are whole numbers below 2⁵³, and sums of them exact. Losses are taken above the least of
    their group and rounded to multiples of 2⁻⁴⁷ of the smallest sum, or finer; sums of what they
    are rounded to are exact, and so are ties. Whole numbers up to 2⁴⁷ are not rounded.

    A bound costs O(Σ m_g m_h) over neighbours in the chain; some hundred are computed, most of them
    on few widths. Where losses fall in a convex way, with noise or without, thousands of partial
    solutions remain: 0.1 s for the 27 groups of a ResNet-56, 0.5 s for a chain of 13 layers of up
    to 512 units, tens of megabytes. But the knapsack problem is a case of this one, and the worst
    case is exponential: many groups whose losses are nearly proportional to their costs, with few
    divisors in common. Memory stays bounded by ``LARGEST_SEARCH`` per group, time by
    ``MOST_SPLITS``.

    References
    ----------
    Sørby (2019), (4.2.2), with the true costs in the place of the products and losses in the place
    of the regulariser.

    Examples
    --------
    Σ 1/k_g is smallest where k_g ∝ 1/√linear_g:

    >>> loss = 1 / np.arange(1, 13)
    >>> budget_widths([loss, loss], Costs(0.0, np.array([1.0, 4.0]), {}), 12)
    array([4, 2])
    """
    rows = [_row(loss, group) for group, loss in enumerate(losses)]
    if len(rows) != len(costs.linear):
        raise ShapeError(f"width budget: expected {len(costs.linear)} losses, got {len(rows)}")
    order = _along_paths(costs)
    if math.isnan(budget):
        raise DomainError("width budget: expected a number for the budget, got nan")
    widths = np.ones(len(rows), dtype=np.int64)
    smallest = _whole_cost(costs, widths)
    if smallest > budget:
        raise DomainError(
            f"width budget: expected at least {smallest}, the cost of one unit of every group, "
            f"got {budget}"
        )
    best = np.array([row.argmin() + 1 for row in rows], dtype=np.int64)
    if _whole_cost(costs, best) <= budget:
        return best
    if budget > LARGEST_COST:
        raise DomainError(
            f"width budget: expected at most 2^53 - 1, got {budget}; count costs in thousands"
        )

    above = [row - row.min() for row in rows]
    rest = math.floor(budget) - int(costs.constant)
    for solution in (_relaxed_solution, _exact_solution):
        coarse = True
        while coarse:  # a loss far below the one that set its unit is worth a finer unit
            largest = _sum_at(above, widths)
            chain = _chain([above[group] for group in order], costs, order, largest)
            widths[order] = solution(chain, rest)
            coarse = _sum_at(above, widths) < largest / _COARSER
    return widths


def _row(loss: npt.ArrayLike, group: int) -> Floats:
    """A loss that has passed its checks."""
    row = np.asarray(loss, dtype=np.float64)
    if row.ndim != 1 or not row.size:
        raise ShapeError(f"width budget: group {group}: expected losses (m,), got {row.shape}")
    if not (np.abs(row) <= LARGEST_LOSS).all():
        raise DomainError(
            f"width budget: group {group}: expected losses from -1e300 to 1e300, "
            f"got {row[~(np.abs(row) <= LARGEST_LOSS)][0]}"
        )
    return row


def _along_paths(costs: Costs) -> list[int]:
    """Every group, such that those that meet in a pair are neighbours."""
    neighbours: list[set[int]] = [set() for _ in costs.linear]
    for (g, h), coefficient in costs.pairs.items():
        if coefficient > 0:
            neighbours[g].add(h)
            neighbours[h].add(g)
    for group, others in enumerate(neighbours):
        if len(others) > 2:
            raise DomainError(
                f"width budget: exact along chains; group {group} multiplies {len(others)} others: "
                f"{_listed(others)}"
            )
    order: list[int] = []
    for end, others in enumerate(neighbours):
        ahead = {end} if len(others) < 2 and end not in order else set()
        while ahead:
            order.append(ahead.pop())
            ahead = neighbours[order[-1]].difference(order)
    ring = set(range(len(neighbours))).difference(order)
    if ring:
        raise DomainError(f"width budget: exact along chains; a ring is among {_listed(ring)}")
    return order


def _listed(groups: set[int]) -> str:
    """As a message names them."""
    return "groups " + ", ".join(map(str, sorted(groups)))


def _whole_cost(costs: Costs, widths: Integers) -> int:
    """cost(k) in whole numbers of any size."""
    k = [int(width) for width in widths]
    linear = sum(int(value) * width for value, width in zip(costs.linear, k, strict=True))
    pairs = sum(int(value) * k[g] * k[h] for (g, h), value in costs.pairs.items())
    return int(costs.constant) + linear + pairs


def _sum_at(losses: Sequence[Floats], widths: Integers) -> float:
    """Σ_g loss_g[k_g − 1]."""
    return math.fsum(loss[width - 1] for loss, width in zip(losses, widths, strict=True))


def _chain(losses: Sequence[Floats], costs: Costs, order: list[int], largest: float) -> _Chain:
    """The groups in this order, with losses in whole units that make ``largest`` about 2⁵².

    A width is left out where its loss alone is larger, or where a smaller one has no larger loss.
    """
    bits = _LOSS_BITS - math.frexp(largest)[1]
    widths: list[Floats] = []
    units: list[Floats] = []
    for loss in losses:
        small = np.flatnonzero(loss <= largest)
        unit = np.asarray(np.rint(np.ldexp(loss[small], bits)), dtype=np.float64)
        lower = _below_all_before(unit)
        widths.append((small[lower] + 1).astype(np.float64))
        units.append(unit[lower])
    links = [
        costs.pairs.get((g, h), 0.0) + costs.pairs.get((h, g), 0.0) for g, h in pairwise(order)
    ]
    return _Chain(widths, units, [float(costs.linear[group]) for group in order], links)


@dataclass(frozen=True)
class _Chain:
    """Groups in a row; a solution is an index into the widths, ascending, of every group.

    A price (a, b) is a of loss and b of cost, Σ linear_g k_g + Σ link_g k_g k_{g+1}.
    """

    widths: list[Floats]
    loss: list[Floats]
    linear: list[float]
    links: list[float]

    def own(self, price: Price) -> list[Floats]:
        """Per group, what each width costs by itself."""
        a, b = price
        groups = zip(self.widths, self.loss, self.linear, strict=True)
        return [a * loss + b * linear * k for k, loss, linear in groups]

    def before(self, price: Price) -> list[Floats]:
        """Per group, what all before it cost at least for each width, the link to it included."""
        own = self.own(price)
        before = [np.zeros(len(own[0]))]
        for group, link in enumerate(self.links):
            slope = price[1] * link * self.widths[group]
            before.append(cheapest_partner(before[-1] + own[group], slope, self.widths[group + 1]))
        return before

    def after(self, price: Price) -> list[Floats]:
        """Per group, what all after it cost at least for each width, the link to it included."""
        mirrored = _Chain(self.widths[::-1], self.loss[::-1], self.linear[::-1], self.links[::-1])
        return mirrored.before(price)[::-1]

    def min_marginals(self, price: Price) -> list[Floats]:
        """Per group, the smallest price of any solution with each width."""
        parts = zip(self.before(price), self.own(price), self.after(price), strict=True)
        return [before + own + after for before, own, after in parts]

    def minimiser(self, price: Price) -> list[int]:
        """A solution of the smallest price."""
        reached = [b + own for b, own in zip(self.before(price), self.own(price), strict=True)]
        chosen = [int(reached[-1].argmin())]
        for group in reversed(range(len(self.links))):
            slope = price[1] * self.links[group] * self.widths[group]
            onward = slope * self.widths[group + 1][chosen[0]]
            chosen.insert(0, int((reached[group] + onward).argmin()))
        return chosen

    def totals(self, chosen: list[int]) -> tuple[float, float]:
        """Loss and cost of a solution."""
        k = [widths[i] for widths, i in zip(self.widths, chosen, strict=True)]
        loss = sum(loss[i] for loss, i in zip(self.loss, chosen, strict=True))
        cost = sum(linear * width for linear, width in zip(self.linear, k, strict=True))
        links = zip(self.links, pairwise(k), strict=True)
        return float(loss), float(cost + sum(link * g * h for link, (g, h) in links))

    def within(self, prices: Sequence[Price], target: float, rest: float) -> _Chain | None:
        """Only widths whose marginals do not rule out such a loss and cost, or None."""
        chain = self
        for price in prices:
            limit = _limit(price, target, rest)
            near = [marginal <= limit for marginal in chain.min_marginals(price)]
            if not all(keep.any() for keep in near):
                return None
            widths = [k[keep] for k, keep in zip(chain.widths, near, strict=True)]
            loss = [loss[keep] for loss, keep in zip(chain.loss, near, strict=True)]
            chain = _Chain(widths, loss, self.linear, self.links)
        return chain

    def halves(self) -> Iterator[_Chain]:
        """The chain with the smaller and with the larger widths of the group of widest range."""
        ratios = [float(k[-1] / k[0]) for k in self.widths]
        group = ratios.index(max(ratios))
        k = self.widths[group]
        small = k <= np.sqrt(k[0] * k[-1])
        for keep in (small, ~small):
            widths, loss = list(self.widths), list(self.loss)
            widths[group], loss[group] = k[keep], loss[group][keep]
            yield _Chain(widths, loss, self.linear, self.links)

    def widths_at(self, chosen: list[int]) -> list[int]:
        """The widths of a solution."""
        return [int(k[i]) for k, i in zip(self.widths, chosen, strict=True)]


def _relaxed(chain: _Chain, rest: float) -> tuple[float, float, list[int]]:
    """The price of cost with the highest bound, the bound, and the best solution met.

    The bound min Σ loss + price (cost − rest) is concave and piecewise linear in the price. Two
    solutions, one within the rest and one beyond it, are lines that meet where the next is sought.
    """
    under, over = [0] * len(chain.widths), [len(k) - 1 for k in chain.widths]
    price, bound, best = 0.0, 0.0, under
    if chain.totals(over)[1] <= rest:
        return price, chain.totals(over)[0], over
    if chain.totals(under)[1] > rest:
        return price, np.inf, under
    for _ in range(_MAX_LINES):
        (loss_under, cost_under), (loss_over, cost_over) = chain.totals(under), chain.totals(over)
        if loss_under <= loss_over:  # by rounding alone
            break
        price = (loss_under - loss_over) / (cost_over - cost_under)
        met = chain.minimiser((1.0, price))
        loss, cost = chain.totals(met)
        bound = max(bound, loss + price * (cost - rest))
        if cost <= rest and loss < chain.totals(best)[0]:
            best = met
        if loss + price * cost >= (loss_under + price * cost_under) * (1 - _SLACK):
            break
        if cost <= rest:
            under = met
        else:
            over = met
    return price, bound, best


def _relaxed_solution(chain: _Chain, rest: float) -> list[int]:
    """Widths within ``rest``, of a loss that is often near the smallest."""
    return chain.widths_at(_relaxed(chain, rest)[2])


def _exact_solution(chain: _Chain, rest: float) -> list[int]:
    """The widths of the smallest loss within ``rest``."""
    price, bound, solution = _relaxed(chain, rest)
    upper, widths = chain.totals(solution)[0], chain.widths_at(solution)
    prices = [*((1.0, factor * price) for factor in _PRICES), (0.0, 1.0)]
    step = max(_FIRST_STEP * (upper - bound), 1.0)
    while True:
        target = min(bound + step, upper)
        found = _best_within(chain, prices, target, rest)
        if found is not None and found[0] <= upper:
            upper, _, widths = found
        if upper <= target:
            return widths
        bound = target
        step *= _LONGER


def _best_within(
    chain: _Chain, prices: Sequence[Price], target: float, rest: float
) -> Solution | None:
    """The best solution within ``rest`` if any has a loss within ``target``, else one or none."""
    best = None
    parts = [chain]
    splits = 0
    while parts:
        near = parts.pop().within(prices, target, rest)
        if near is None:
            continue
        price, _, solution = _relaxed(near, rest)
        target = min(target, near.totals(solution)[0])
        near = near.within([(1.0, price)], target, rest)
        if near is None:
            continue
        try:
            found = _search(near, [(1.0, price), *prices], target, rest)
        except _TooManyError:
            parts.extend(near.halves())
            splits += 1
            if splits > MOST_SPLITS:
                raise DomainError(
                    f"width budget: expected a proof within {MOST_SPLITS} searches of "
                    f"{LARGEST_SEARCH} partial solutions, got none; count costs in a larger unit"
                ) from None
            continue
        if found is not None and (best is None or found < best):
            best = found
            target = min(target, best[0])
    return best


class _TooManyError(Exception):
    """More than ``LARGEST_SEARCH`` partial solutions."""


def _search(chain: _Chain, prices: Sequence[Price], target: float, rest: float) -> Solution | None:
    """``_best_within`` by extending solutions of the last groups group by group to the first."""
    bounds = [(price, chain.before(price), _limit(price, target, rest)) for price in prices]
    links = [0.0, *chain.links, 0.0]
    loss = cost = width = np.zeros(1)
    history = []
    for group in reversed(range(len(chain.widths))):
        parts = []
        held = 0
        for i, (k, own) in enumerate(zip(chain.widths[group], chain.loss[group], strict=True)):
            new_loss = loss + own
            new_cost = cost + (chain.linear[group] + links[group + 1] * width) * k
            near = np.full(len(loss), True)
            for (a, b), before, limit in bounds:
                near &= a * new_loss + b * new_cost + before[group][i] <= limit
            after = np.flatnonzero(near)
            after = after[_undominated(new_loss[after], new_cost[after])]
            parts.append((new_loss[after], new_cost[after], np.full(len(after), k), after))
            held += len(after)
            if held > LARGEST_SEARCH:
                raise _TooManyError
        loss, cost, width, after = (np.concatenate(part) for part in zip(*parts, strict=True))
        if not links[group]:
            kept = _undominated(loss, cost)
            loss, cost, width, after = loss[kept], cost[kept], width[kept], after[kept]
        history.append((width, after))
    last = int(np.searchsorted(cost, rest, side="right")) - 1  # the higher the cost the less loss
    if last < 0:
        return None
    widths = []
    index = last
    for width, after in reversed(history):
        widths.append(int(width[index]))
        index = int(after[index])
    return float(loss[last]), float(cost[last]), widths


def _limit(price: Price, target: float, rest: float) -> float:
    """The highest price of a solution within target and rest, with room for rounding of losses."""
    a, b = price
    limit = a * target + b * rest
    return limit + a * _SLACK * limit


def _undominated(loss: Floats, cost: Floats) -> Integers:
    """Indices, by cost, of those that none beats or equals in both; of equals, of the first."""
    order = np.lexsort((loss, cost))
    return order[_below_all_before(loss[order])]


def _below_all_before(values: Floats) -> npt.NDArray[np.bool_]:
    """Where a value is smaller than each before it, and not infinite."""
    return values < np.append(np.inf, np.minimum.accumulate(values)[:-1])
