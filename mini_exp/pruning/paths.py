"""The order in which a group's channels are picked (4.1.4)–(4.1.7)."""

from __future__ import annotations

import dataclasses
from functools import partial

from torch import nn

from mini_exp.pruning.folding import output_matrix, output_rows
from mini_exp.pruning.graph import Group
from mini_exp.pruning.selection import GroupPath
from mini_exp.spectral import Floats
from mini_exp.spectral.exhaustive import MAX_ENUMERATED_WIDTH, Scope, exhaustive_optimum
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.greedy_complement import greedy_complement_path
from mini_exp.spectral.losses import index_set_losses
from mini_exp.spectral.output_weight import scaled_output_matrix, streamed_output_weight


def greedy_group_path(
    network: nn.Module,
    group: Group,
    sigma: Floats,
    theta: float,
    scope: Scope = "full",
    n_picks: int | None = None,
    information: float | None = None,
) -> GroupPath:
    """Channels of a group in greedy order.

    Parameters
    ----------
    network : nn.Module
    group : Group
    sigma : (..., m, m) float64
        The group's second moment.
    theta : float
        θ in [0, 1]: 1 looks at the channels alone, 0 at what the readers make of them, with R_z
        scaled to trace m.
    scope : {"full", "complement"}
        All units, or the published choice: the units outside J, with unit weight.
    n_picks : int, optional
        How many are needed; all m where it is not given.
    information : float, optional
        Of scope "full": no more are needed once 𝒞 is at least this.

    Notes
    -----
    O(m³).

    References
    ----------
    Sørby (2019), (4.1.4)–(4.1.7).
    """
    weight, scale = streamed_output_weight(partial(output_rows, network, group), theta)
    if scope == "complement":
        index_path, ratio = greedy_complement_path(sigma, n_picks)
    else:
        index_path, ratio = greedy_path(sigma, weight, n_picks, information)
    return GroupPath(group, index_path, ratio, scale)


def with_losses(network: nn.Module, path: GroupPath, sigma: Floats, theta: float) -> GroupPath:
    """The path with the losses (4.1.3)–(4.1.5) of its index sets: O(m³) a pick."""
    z, scale = scaled_output_matrix(output_matrix(network, path.group))
    losses = index_set_losses(sigma, z, scale, path.index_path, theta)
    return dataclasses.replace(path, losses=losses)


def with_optimum(
    network: nn.Module, path: GroupPath, sigma: Floats, theta: float, scope: Scope
) -> GroupPath:
    """The path with the best of all index sets (4.1.6), if the group is narrow enough."""
    if sigma.shape[-1] > MAX_ENUMERATED_WIDTH:
        return path
    z, _ = scaled_output_matrix(output_matrix(network, path.group))
    return dataclasses.replace(path, exhaustive=exhaustive_optimum(sigma, z, theta, scope))
