"""A trained network and what is known of it before it is pruned, each computed once and timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from mini_exp.compare.pruners.pruner import BudgetPruner, Method, NetworkPruner, RankingPruner
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.costs import Unit
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.recipe import GroupMoments, group_moments, prunable_graph
from mini_exp.pruning.selection import GroupPath, first_channels
from mini_exp.spectral import Integers

if TYPE_CHECKING:
    from mini_exp.compare.width_sets import WidthSet


@dataclass
class Candidate:
    """One trained network, to be pruned in every way.

    Attributes
    ----------
    network : nn.Module
        No pruner changes it.
    batches, labels : sequences of tensors
        Calibration samples and their classes.
    seed, replicate : int
        Of what a pruner draws.
    tied : bool
        Prune channels tied by skip connections, too.
    ridge : float
        Of every reconstruction, in units of tr(Σ) / m.
    graph : ChannelGraph
    moments : GroupMoments
    moments_seconds : float
        What both took.
    """

    network: nn.Module
    batches: Sequence[Tensor]
    labels: Sequence[Tensor]
    seed: int
    replicate: int = 0
    tied: bool = True
    ridge: float = 1e-6
    graph: ChannelGraph = field(init=False)
    moments: GroupMoments = field(init=False)
    moments_seconds: float = field(init=False)
    _rankings: dict[RankingPruner, tuple[list[GroupPath], float]] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        started = time.perf_counter()
        self.graph = prunable_graph(self.network, self.batches, self.tied)
        self.moments = group_moments(self.network, self.graph, self.batches)
        self.moments_seconds = time.perf_counter() - started

    def ranking(self, pruner: RankingPruner) -> tuple[list[GroupPath], float]:
        """Every group's channels, the best first, and the seconds that took."""
        if pruner not in self._rankings:
            started = time.perf_counter()
            paths = pruner.paths(self)
            self._rankings[pruner] = paths, time.perf_counter() - started
        return self._rankings[pruner]

    def takes(self, method: Method) -> bool:
        """Whether a method can prune the network."""
        pruner = method.pruner
        return not isinstance(pruner, NetworkPruner) or pruner.applies(self)

    def widths_of(self, network: nn.Module) -> Integers:
        """Channels of every group that a pruned copy has left: (G,)."""
        rows = [network.get_parameter(group.writers[0]) for group in self.graph.groups]
        return np.array([len(weight) for weight in rows], dtype=np.int64)

    def pruned(self, method: Method, width_set: WidthSet) -> tuple[nn.Module, float]:
        """The network with these widths, and the seconds from network to smaller network."""
        pruner, widths = method.pruner, width_set.widths
        started = time.perf_counter()
        if isinstance(pruner, BudgetPruner):
            unit: Unit = "parameters" if width_set.rule == "parameters" else "flops"
            smaller = pruner.pruned(self, unit, width_set.share)
            return smaller, time.perf_counter() - started
        if isinstance(pruner, NetworkPruner):
            smaller = pruner.pruned(self, widths)
            return smaller, time.perf_counter() - started
        paths, seconds = self.ranking(pruner)
        started = time.perf_counter()
        smaller, _ = compressed_network(
            self.network,
            first_channels(paths, widths),
            self.moments.tensors,
            self.batches,
            Compression("slice" if method.weights == "slice" else "reconstruct", self.ridge),
        )
        seconds += time.perf_counter() - started
        if pruner.uses_moments or method.weights == "reconstruct":
            seconds += self.moments_seconds
        return smaller, seconds
