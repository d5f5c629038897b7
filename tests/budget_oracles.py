"""Naive references for the width problem with a budget. Nothing here imports mini_exp."""

from fractions import Fraction
from itertools import product


def total_cost(constant, linear, pairs, widths):
    """In whole numbers."""
    total = int(constant) + sum(int(a) * int(k) for a, k in zip(linear, widths, strict=True))
    return total + sum(int(a) * int(widths[g]) * int(widths[h]) for (g, h), a in pairs.items())


def budget_optima(losses, constant, linear, pairs, budget):
    """Smallest loss within the budget, exact, the smallest cost with it, and all such widths."""
    exact = [[Fraction(float(x)) for x in loss] for loss in losses]
    best, optima = None, []
    for widths in product(*(range(1, len(loss) + 1) for loss in losses)):
        cost = total_cost(constant, linear, pairs, widths)
        if cost > budget:
            continue
        key = (sum(loss[k - 1] for loss, k in zip(exact, widths, strict=True)), cost)
        if best is None or key < best:
            best, optima = key, []
        if key == best:
            optima.append(widths)
    return best, optima


def budget_table(losses, linear, links, budget):
    """Smallest loss of a chain 0 - 1 - 2 … within a budget: a table over every whole cost."""
    tables = {None: {0: 0.0}}
    for group, loss in enumerate(losses):
        link = links[group - 1] if group else 0
        extended = {}
        for k, own in enumerate(loss, start=1):
            table = extended.setdefault(k, {})
            for before, costs in tables.items():
                added = int(linear[group]) * k + (int(link) * before * k if link else 0)
                for cost, reached in costs.items():
                    if cost + added <= budget:
                        total = reached + own
                        table[cost + added] = min(total, table.get(cost + added, total))
        tables = extended
    return min(loss for table in tables.values() for loss in table.values())
