"""Which channels of every group stay, and how many."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mini_exp.errors import ConfigError, DomainError
from mini_exp.pruning.graph import ChannelGraph, Group
from mini_exp.pruning.statistics import Moments
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.selection import greedy_path, output_aware_weight, scaled_output_matrix


@dataclass(frozen=True)
class GroupPath:
    """Channels of a group in the order of picking, and 𝒞 after each pick."""

    group: Group
    index_path: Integers  # (k,): all m of them, or only those that stay
    information_ratio: Floats  # (k,)

    @property
    def index_set(self) -> Integers:
        """The same channels, ascending."""
        return np.sort(self.index_path)


@dataclass(frozen=True)
class PruningSelection:
    """The channels that stay, group by group in the order of execution.

    ``rescale_dropout``: whether dropout probabilities are multiplied by the kept share.
    """

    groups: tuple[GroupPath, ...]
    rescale_dropout: bool = False

    @property
    def widths(self) -> dict[str, int]:
        """From each group's name to its new width."""
        return {kept.group.name: len(kept.index_path) for kept in self.groups}

    @property
    def index_sets(self) -> dict[str, list[int]]:
        """From each group's name to its kept channels, ascending."""
        return {kept.group.name: kept.index_set.tolist() for kept in self.groups}


def is_number(value: object) -> bool:
    """A real number, which True is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def checked_share(name: str, share: object) -> float:
    """A share in (0, 1].

    Raises
    ------
    DomainError
    """
    if not (is_number(share) and 0 < share <= 1):  # type: ignore[operator]
        raise DomainError(f"prune: {name}: expected a share in (0, 1], got {share!r}")
    return float(share)  # type: ignore[arg-type]


def group_second_moment(group: Group, moments: Mapping[str, Moments]) -> Floats:
    """Σ of a group, (m, m): the sum over the distinct tensors that its readers read.

    A tensor whose second moment is zero adds nothing; the sum is symmetric.
    """
    tensors = dict.fromkeys(reader.tensor for reader in group.readers)
    total: Floats = np.sum([moments[tensor].second for tensor in tensors], axis=0)
    return total


def output_matrix(network: nn.Module, group: Group) -> Floats:
    """What the readers make of a group's channels, (rows, m): a row per output and position."""
    rows = []
    for reader in group.readers:
        weight = network.get_submodule(reader.module).get_parameter("weight")
        by_channel = weight.detach().double().cpu().flatten(1).unflatten(1, (group.width, -1))
        rows.append(by_channel.transpose(1, 2).flatten(0, 1))
    matrix: Floats = torch.cat(rows).numpy()
    return matrix


def greedy_group_path(
    network: nn.Module, group: Group, moments: Mapping[str, Moments], theta: float
) -> GroupPath:
    """All channels of a group in greedy order (4.1.7); dead ones come last.

    Parameters
    ----------
    network : nn.Module
    group : Group
    moments : mapping
        As ``reader_moments`` returns it, by channel.
    theta : float
        θ in [0, 1]: 1 looks at the channels alone, 0 at what the readers make of them, with R_z
        scaled to trace m.

    Notes
    -----
    O(m³). A channel that is never active restores nothing, so it is picked only when no other is
    left; when the rank of Σ is exhausted, the width is filled by index.

    References
    ----------
    Sørby (2019), (4.1.4)–(4.1.7).
    """
    sigma = group_second_moment(group, moments)
    z, _ = scaled_output_matrix(output_matrix(network, group)[None])
    weight = output_aware_weight(z, theta)
    live = np.flatnonzero(np.diagonal(sigma) > 0)
    dead = np.setdiff1d(np.arange(group.width), live)
    if not len(live):
        return GroupPath(group, dead, np.ones(group.width))
    inside = np.ix_(live, live)
    path, ratio = greedy_path(sigma[inside][None], weight[0][inside][None])
    return GroupPath(
        group,
        np.concatenate([live[path[0]], dead]),
        np.concatenate([ratio[0], np.ones(len(dead))]),
    )


def uniform_widths(graph: ChannelGraph, keep: float) -> Integers:
    """The same share of every group, rounded to the nearest, at least 1: (G,).

    Examples
    --------
    >>> uniform_widths(ChannelGraph((Group("a", 10, (), (), (), ()),), ()), 0.26)
    array([3])
    """
    keep = checked_share("keep", keep)
    width = np.array([group.width for group in graph.groups])
    return np.maximum(np.floor(keep * width + 0.5), 1).astype(np.int64)


def named_widths(graph: ChannelGraph, widths: Mapping[str, int]) -> Integers:
    """Widths by group name; groups that are not named keep every channel: (G,)."""
    known = {group.name: group.width for group in graph.groups}
    if not isinstance(widths, Mapping):
        raise ConfigError(
            f"prune: widths: expected a mapping from group to width, got {type(widths).__name__}"
        )
    for name, width in widths.items():
        if name not in known:
            raise ConfigError(
                f"prune: widths: {name}: no such group; expected one of {', '.join(known)}"
            )
        if isinstance(width, bool) or not isinstance(width, int | np.integer):
            raise ConfigError(f"prune: widths: {name}: expected a whole number, got {width!r}")
        if not 1 <= width <= known[name]:
            raise ConfigError(
                f"prune: widths: {name}: expected 1 to {known[name]} channels, got {width}"
            )
    return np.array([widths.get(name, width) for name, width in known.items()], dtype=np.int64)


def first_channels(
    paths: Sequence[GroupPath], widths: Integers, rescale_dropout: bool = False
) -> PruningSelection:
    """The beginning of every path, as long as the widths say."""
    kept = (
        GroupPath(path.group, path.index_path[:width], path.information_ratio[:width])
        for path, width in zip(paths, widths, strict=True)
    )
    return PruningSelection(tuple(kept), rescale_dropout)
