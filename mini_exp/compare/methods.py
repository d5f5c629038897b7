"""Ways to prune a network to given widths: ours and those that people would use instead."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn import functional

from mini_exp.errors import NetworkError
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.graph import ChannelGraph, Group
from mini_exp.pruning.prune import pruning_graph
from mini_exp.pruning.selection import (
    GroupPath,
    first_channels,
    greedy_group_path,
)
from mini_exp.pruning.statistics import (
    Moments,
    group_readers,
    reader_moments,
    reestimate_batch_norm,
)
from mini_exp.spectral import Floats, Integers

THETAS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Method:
    """A way to prune: how channels are ranked, and what becomes of the next layers' weights."""

    name: str
    weights: str

    @property
    def label(self) -> str:
        """For tables and figures."""
        return f"{self.name}, {self.weights}" if self.weights else self.name


SPECTRAL = Method("spectral θ=0.5", "reconstruct")
TORCH_PRUNING = (Method("Torch-Pruning magnitude", ""), Method("Torch-Pruning Taylor", ""))
SCRATCH = Method("from scratch", "")
METHODS = (
    *(
        Method(name, weights)
        for name in (
            *(f"spectral θ={theta:g}" for theta in THETAS),
            "random",
            "L1 magnitude",
        )
        for weights in ("reconstruct", "slice")
    ),
    *TORCH_PRUNING,
)
"""All that prune a trained network. θ = 1 is greedy selection without output weighting."""


@dataclass
class Candidates:
    """One trained network and what the methods know of it, each computed once and timed.

    Parameters
    ----------
    network : nn.Module
    x, y : tensors
        The calibration images and their classes; only Taylor importance looks at the classes.
    batch_size : int
    rng : numpy.random.Generator
        Of the random ranking.
    tied : bool
        Prune channels tied by skip connections, too.
    """

    network: nn.Module
    x: Tensor
    y: Tensor
    batch_size: int
    rng: np.random.Generator
    tied: bool = True
    graph: ChannelGraph = field(init=False)
    batches: Sequence[Tensor] = field(init=False)
    moments: Mapping[str, Moments] = field(init=False)
    statistics_seconds: float = field(init=False)
    _paths: dict[str, tuple[list[GroupPath], float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.batches = list(self.x.split(self.batch_size))
        started = time.perf_counter()
        self.graph = pruning_graph(self.network, self.batches, self.tied)
        self.moments = reader_moments(self.network, group_readers(self.graph.groups), self.batches)
        self.statistics_seconds = time.perf_counter() - started

    def pruned(self, method: Method, widths: Integers) -> tuple[nn.Module, float]:
        """The network pruned by a method, and the seconds from network to smaller network."""
        if method in TORCH_PRUNING:
            started = time.perf_counter()
            smaller = self._torch_pruned(method, widths)
            return smaller, time.perf_counter() - started
        paths, seconds = self.paths(method.name)
        weights: Any = method.weights
        started = time.perf_counter()
        smaller = compressed_network(
            self.network,
            first_channels(paths, widths),
            self.moments,
            self.batches,
            Compression(weights=weights),
        )
        seconds += time.perf_counter() - started
        uses_statistics = method.name.startswith("spectral") or weights == "reconstruct"
        return smaller, seconds + self.statistics_seconds * uses_statistics

    def paths(self, name: str) -> tuple[list[GroupPath], float]:
        """Every group's channels in the method's order, and the seconds that took."""
        if name not in self._paths:
            started = time.perf_counter()
            ranked = [self._path(name, group) for group in self.graph.groups]
            self._paths[name] = ranked, time.perf_counter() - started
        return self._paths[name]

    def _path(self, name: str, group: Group) -> GroupPath:
        if name.startswith("spectral"):
            theta = float(name.partition("=")[2])
            return greedy_group_path(self.network, group, self.moments, theta)
        if name == "random":
            order = self.rng.permutation(group.width)
        else:
            order = np.argsort(-l1_norms(self.network, group), kind="stable")
        return GroupPath(group, order.astype(np.int64), np.empty(0))

    def _torch_pruned(self, method: Method, widths: Integers) -> nn.Module:
        """Torch-Pruning's local pruning to the same widths, with the same calibration images."""
        smaller = copy.deepcopy(self.network).eval()
        taylor = method is TORCH_PRUNING[1]
        importance: Any = (
            torch_pruning.importance.GroupTaylorImportance()
            if taylor
            else torch_pruning.importance.GroupMagnitudeImportance(p=2)
        )
        ratios = {
            smaller.get_submodule(writer): _ratio(group.width, int(width))
            for group, width in zip(self.graph.groups, widths, strict=True)
            for writer in group.writers
        }
        weighted = [m for m in smaller.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        pruner = torch_pruning.pruner.BasePruner(
            smaller,
            self.x[:1],
            importance=importance,
            pruning_ratio=0.0,
            pruning_ratio_dict=ratios,
            ignored_layers=[module for module in weighted if module not in ratios],
        )
        if taylor:
            smaller.zero_grad()
            classes = self.y.split(self.batch_size)
            for batch, labels in zip(self.batches, classes, strict=True):
                share = len(batch) / len(self.x)
                (functional.cross_entropy(smaller(batch), labels) * share).backward()
        pruner.step()
        smaller.zero_grad()
        for group, width in zip(self.graph.groups, widths, strict=True):
            found = len(smaller.get_submodule(group.writers[0]).get_parameter("weight"))
            if found != width:
                raise NetworkError(
                    f"compare: {method.name} left {found} channels of {group.name}, not {width}"
                )
        reestimate_batch_norm(smaller, self.batches)
        return smaller.train(self.network.training)


def l1_norms(network: nn.Module, group: Group) -> Floats:
    """Sum of |weights| that write each channel, over all writers: (m,)."""
    norms = [
        network.get_submodule(name).get_parameter("weight").detach().double().abs().flatten(1)
        for name in group.writers
    ]
    total: Floats = torch.cat(norms, dim=1).sum(dim=1).cpu().numpy()
    return total


def _ratio(width: int, kept: int) -> float:
    """The ratio at which Torch-Pruning, which keeps ⌊(1 − ratio) width⌋, keeps ``kept``."""
    return (width - kept - 0.5) / width if kept < width else 0.0


def latency_ms(network: nn.Module, x: Tensor, repeats: int = 7) -> float:
    """Median milliseconds of a forward pass of these images, in eval mode, one thread on a CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    was_training = network.training
    network.eval()
    seconds = []
    try:
        with torch.no_grad():
            for _ in range(repeats + 1):
                started = time.perf_counter()
                network(x)
                if x.is_cuda:
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
        network.train(was_training)
    return float(np.median(seconds[1:])) * 1e3
