"""The widths at which methods are compared, and the methods that are compared at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mini_exp.compare.candidate import Candidate
from mini_exp.compare.pruners.pruner import Method
from mini_exp.pruning.costs import Unit, network_costs
from mini_exp.pruning.widths import uniform_widths, widths_within
from mini_exp.settings.sections import Compare
from mini_exp.spectral import Floats, Integers


@dataclass(frozen=True)
class WidthSet:
    """Widths of a network's groups.

    Attributes
    ----------
    rule : {"all", "keep", "parameters", "flops"}
    share : float
        Of every group's channels, or of the network's cost.
    exact : bool
        The best widths for a budget; else equal shares of every group.
    widths : (G,) int64
    gap : float or None
        How far from the best possible the best widths may be.
    """

    rule: Literal["all", "keep", "parameters", "flops"]
    share: float
    exact: bool
    widths: Integers
    gap: float | None = None


def width_sets(
    compare: Compare,
    losses: Mapping[str, Floats],
    candidate: Candidate,
    every: Sequence[Method],
    main: Sequence[Method],
    own: Sequence[Method] = (),
) -> list[tuple[WidthSet, Sequence[Method]]]:
    """Equal shares for every method; per budget the best widths and equal shares for the main ones.

    The best widths are those of the width problem with these losses of every group; methods of
    ``own`` choose theirs within the same budget.

    Raises
    ------
    DomainError
        If a budget is too small.
    """
    sets: list[tuple[WidthSet, Sequence[Method]]] = []
    for keep in dict.fromkeys(compare.keep):
        widths = uniform_widths(candidate.graph, keep)
        sets.append((WidthSet("keep", keep, False, widths), every))
    budgets: tuple[tuple[Unit, tuple[float, ...]], ...] = (
        ("parameters", compare.parameters),
        ("flops", compare.flops),
    )
    for unit, shares in budgets:
        for share in dict.fromkeys(shares):
            widths, gap = widths_within(candidate.network, candidate.graph, losses, unit, share)
            uniform = widest_uniform(candidate, unit, share)
            sets.append((WidthSet(unit, share, True, widths, gap), [*main, *own]))
            sets.append((WidthSet(unit, share, False, uniform), main))
    return sets


def widest_uniform(candidate: Candidate, unit: Unit, share: float) -> Integers:
    """The largest equal share of all groups that stays within a share of the cost: (G,)."""
    graph = candidate.graph
    costs = network_costs(candidate.network, graph, unit)
    full = [group.width for group in graph.groups]
    # Between two of these no group's width changes.
    keeps = sorted({(k + 0.5) / width for width in full for k in range(width)} | {1.0})
    budget = share * costs.total(np.array(full))
    within = [keep for keep in keeps if costs.total(uniform_widths(graph, keep)) <= budget]
    return uniform_widths(graph, max(within, default=keeps[0]))
