"""How many channels of every group stay: every rule that gives widths."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from torch import nn

from mini_exp.errors import ConfigError, DomainError
from mini_exp.pruning.costs import Unit, network_costs
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.selection import GroupPath
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.budget import budget_widths
from mini_exp.spectral.degrees_of_freedom import lambda_of_width, numerical_spectrum


@dataclass(frozen=True)
class WidthRule:
    """How many channels of every group stay: exactly one of these.

    Attributes
    ----------
    keep : float or mapping
        Share of every group, in (0, 1], or by pattern of its name (others stay whole).
    widths : mapping or sequence
        Channels by group name (others stay whole), or of every group in order.
    parameters, flops : float or int
        The most parameters, or multiply-accumulates of one sample: a whole number counts them, a
        fraction in (0, 1] is a share of the network's. Widths are those of the width problem
        (4.2.3) with this budget.
    information : float
        α: of every group the fewest channels with 𝒞 ≥ α.
    round_to : int
        Widths in multiples of it, where a group has as many channels; within a budget the next
        smaller ones.

    Raises
    ------
    ConfigError
        If none is given, or several.
    """

    keep: float | Mapping[str, float] | None = None
    widths: Mapping[str, int] | Sequence[int] | None = None
    parameters: float | None = None
    flops: float | None = None
    information: float | None = None
    round_to: int = 1

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self) if field.name != "round_to"]
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError(
                f"expected exactly one of {', '.join(names)}, got {', '.join(given) or 'none'}"
            )
        if isinstance(self.round_to, bool) or not isinstance(self.round_to, int | np.integer):
            raise ConfigError(f"round_to: expected a whole number, got {self.round_to!r}")
        if self.round_to < 1:
            raise ConfigError(f"round_to: expected at least 1, got {self.round_to}")

    @property
    def has_budget(self) -> bool:
        """Whether widths are those of the width problem."""
        return self.parameters is not None or self.flops is not None


def chosen_widths(
    rule: WidthRule,
    network: nn.Module,
    graph: ChannelGraph,
    losses: Mapping[str, Floats],
    paths: Sequence[GroupPath],
    intercept: bool = False,
) -> tuple[Integers, float | None]:
    """The width of every group, (G,), and the gap to the best possible where there is a budget.

    Parameters
    ----------
    rule : WidthRule
    network : nn.Module
    graph : ChannelGraph
    losses : mapping from group to (m,)
        Of its first 1 … m channels; needed for a budget alone.
    paths : sequence of GroupPath
        Needed for information alone.
    intercept : bool
        Count the biases that an intercept adds.

    Raises
    ------
    ConfigError, DomainError
    """
    if not rule.has_budget:
        if rule.keep is not None:
            widths = kept_shares(graph, rule.keep)
        elif rule.widths is not None:
            widths = named_widths(graph, rule.widths)
        elif rule.information is not None:
            widths = informative_widths(paths, rule.information)
        return rounded(graph, widths, rule.round_to), None
    unit: Unit = "flops" if rule.parameters is None else "parameters"
    limit = rule.flops if rule.parameters is None else rule.parameters
    return widths_within(network, graph, losses, unit, limit, intercept, rule.round_to)


def rounded(graph: ChannelGraph, widths: Integers, multiple: int) -> Integers:
    """The nearest multiples that are not 0, where a group has as many channels: (G,)."""
    full = np.array([group.width for group in graph.groups])
    multiple = min(multiple, 2 * int(full.max()) + 1)  # every larger one leaves all whole, too
    nearest = np.maximum(np.floor(widths / multiple + 0.5), 1) * multiple
    return np.where(widths == full, full, np.minimum(nearest, full)).astype(np.int64)


def kept_shares(graph: ChannelGraph, keep: float | Mapping[str, float]) -> Integers:
    """The same share of every group, or a share by pattern of its name: (G,).

    Of several patterns that fit, the last one counts; where none does, the group stays whole.
    """
    if not isinstance(keep, Mapping):
        return uniform_widths(graph, keep)
    shares = np.ones(len(graph.groups))
    for pattern, share in keep.items():
        fits = [fnmatchcase(group.name, str(pattern)) for group in graph.groups]
        if not any(fits):
            names = ", ".join(group.name for group in graph.groups)
            raise ConfigError(f"keep: {pattern}: no such group; expected one of {names}")
        shares[fits] = checked_share(f"keep: {pattern}", share)
    full = np.array([group.width for group in graph.groups])
    widths: Integers = np.maximum(np.floor(shares * full + 0.5), 1).astype(np.int64)
    return widths


def uniform_widths(graph: ChannelGraph, keep: float) -> Integers:
    """The same share of every group, rounded to the nearest, at least 1: (G,).

    Examples
    --------
    >>> from mini_exp.pruning.graph import Group
    >>> uniform_widths(ChannelGraph((Group("a", 10, (), (), (), ()),), ()), 0.26)
    array([3])
    """
    keep = checked_share("keep", keep)
    width = np.array([group.width for group in graph.groups])
    return np.maximum(np.floor(keep * width + 0.5), 1).astype(np.int64)


def named_widths(graph: ChannelGraph, widths: Mapping[str, int] | Sequence[int]) -> Integers:
    """Widths by group name, or of all groups in order; one that is not named stays whole: (G,)."""
    known = {group.name: group.width for group in graph.groups}
    if isinstance(widths, Sequence) and not isinstance(widths, str):
        if len(widths) != len(known):
            raise ConfigError(
                f"widths: expected {len(known)} widths, of {', '.join(known)}, got {len(widths)}"
            )
        widths = dict(zip(known, widths, strict=True))
    if not isinstance(widths, Mapping):
        raise ConfigError(
            f"widths: expected a mapping from group to width, got {type(widths).__name__}"
        )
    for name, width in widths.items():
        if name not in known:
            hint = "" if isinstance(name, str) else " (names are strings)"
            raise ConfigError(
                f"widths: {name!r}: no such group{hint}; expected one of {', '.join(known)}"
            )
        if isinstance(width, bool) or not isinstance(width, int | np.integer):
            raise ConfigError(f"widths: {name}: expected a whole number, got {width!r}")
        if not 1 <= width <= known[name]:
            raise ConfigError(f"widths: {name}: expected 1 to {known[name]} channels, got {width}")
    return np.array([widths.get(name, width) for name, width in known.items()], dtype=np.int64)


def informative_widths(paths: Sequence[GroupPath], information: float) -> Integers:
    """Per group, the fewest channels with 𝒞 ≥ α along its path: (G,)."""
    enough = checked_share("information", information) - 1e-12  # 𝒞 is 1 only up to rounding
    reached = [np.append(path.information_ratio[:-1] >= enough, True) for path in paths]
    return np.array([int(which.argmax()) + 1 for which in reached], dtype=np.int64)


def spectral_losses(eigenvalues: Mapping[str, Floats]) -> dict[str, Floats]:
    """λ_g(k) by group, (m,): where N_g(λ) = k, in units of tr(Σ_g) / m_g, as the ridge is.

    References
    ----------
    Sørby (2019), (4.2.1).
    """
    losses = {}
    for name, values in eigenvalues.items():
        spectrum = numerical_spectrum(values)
        mean = spectrum.mean()
        losses[name] = lambda_of_width(spectrum) / (mean if mean > 0 else 1.0)
    return losses


def widths_within(
    network: nn.Module,
    graph: ChannelGraph,
    losses: Mapping[str, Floats],
    unit: Unit,
    limit: Any,
    intercept: bool = False,
    round_to: int = 1,
) -> tuple[Integers, float | None]:
    """The width problem (4.2.3) with true costs and a budget: widths (G,) and the certified gap.

    Minimises Σ_g loss_g(k_g) subject to cost(k) ≤ budget, where k_g is the width of group g.

    Raises
    ------
    DomainError
        If the limit is neither a share in (0, 1] nor a whole number, or too small.

    References
    ----------
    Sørby (2019), (4.2.2) and (4.2.3).
    """
    costs = network_costs(network, graph, unit, intercept)
    full = network_costs(network, graph, unit).total([group.width for group in graph.groups])
    budget = _budget(unit, limit, float(full))
    width = np.array([group.width for group in graph.groups])
    step = np.where(width < round_to, width, round_to)
    rows = [losses[group.name][k - 1 :: k] for group, k in zip(graph.groups, step, strict=True)]
    try:
        best = budget_widths(rows, costs.of_multiples(step), budget)
    except DomainError as error:
        why = f"no widths in multiples of {round_to} stay within it; give more"
        raise DomainError(f"{unit} {limit:g}: {error if round_to == 1 else why}") from None
    widths = best.widths * step
    for g in np.flatnonzero(width - widths < step):  # whole, if there is room
        whole = np.where(np.arange(len(width)) == g, width, widths)
        widths = whole if costs.total(whole) <= budget else widths
    return widths.astype(np.int64), best.gap if round_to == 1 else None


def _budget(unit: Unit, limit: Any, full: float) -> float:
    """A whole number as it is, a fraction as a share of the full cost."""
    counted = isinstance(limit, numbers.Integral) and not isinstance(limit, bool)
    if counted and limit >= 1:
        return float(min(limit, math.ceil(full) + 1))  # whatever is more is no limit, too
    if counted or not (is_number(limit) and 0 < limit <= 1):
        raise DomainError(
            f"{unit}: expected a share in (0, 1] or a whole number of at least 1, got {limit!r}"
        )
    return float(limit) * full


def is_number(value: object) -> bool:
    """A real number, which True is not, and which a float can hold."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def checked_share(name: str, share: Any) -> float:
    """A share in (0, 1].

    Raises
    ------
    DomainError
    """
    if not (is_number(share) and 0 < share <= 1):
        raise DomainError(f"{name}: expected a share in (0, 1], got {share!r}")
    return float(share)
