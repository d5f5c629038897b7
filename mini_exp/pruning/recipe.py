"""The method, once: graph → moments → paths → widths → smaller network.

Each function is one stage; ``prune``, the steps, ``compare`` and ``study`` call them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.calibration import Batches, inputs
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.moments import TensorMoments, group_second_moment, reader_moments
from mini_exp.pruning.paths import greedy_group_path
from mini_exp.pruning.selection import GroupPath, Selection
from mini_exp.pruning.trace import channel_graph
from mini_exp.spectral import Floats
from mini_exp.spectral.exhaustive import Scope
from mini_exp.spectral.second_moment import Scale, spectrum


@dataclass(frozen=True)
class GroupMoments:
    """What the calibration samples say of every group of channels.

    Attributes
    ----------
    tensors : mapping from tensor to TensorMoments
        What the readers read, as means whatever the scale of ``sigma``.
    sigma : mapping from group to (..., m, m)
        Second moment, in the order of execution.
    eigenvalues, eigenvectors : mappings from group to (..., m), descending, and (..., m, m)
    """

    tensors: Mapping[str, TensorMoments]
    sigma: Mapping[str, Floats]
    eigenvalues: Mapping[str, Floats]
    eigenvectors: Mapping[str, Floats]


def prunable_graph(network: nn.Module, batches: Batches, tied: bool = True) -> ChannelGraph:
    """The groups of a network that takes such batches; without tied ones where not wanted.

    Raises
    ------
    DomainError
        If there is no batch, or nothing to prune.
    NetworkError
    """
    if not isinstance(network, nn.Module):
        raise NetworkError(f"expected a network (nn.Module), got {type(network).__name__}")
    tensors = (inputs(network, batch) for batch in batches)
    first = next((x for x in tensors if x.ndim and len(x)), None)
    if first is None:
        raise DomainError("expected at least one calibration batch, got none")
    graph = channel_graph(network, first)
    if not tied:
        graph = graph.without_tied()
    if not graph.groups:
        raise DomainError("expected a layer between input and output to prune, got none")
    return graph


def group_moments(
    network: nn.Module, graph: ChannelGraph, batches: Batches, scale: Scale = "mean"
) -> GroupMoments:
    """Second moments of every group and their spectra (8.1), in one pass over the batches."""
    tensors = reader_moments(network, graph.readers, batches)
    sigma = {group.name: group_second_moment(group, tensors, scale) for group in graph.groups}
    spectra = {name: spectrum(one) for name, one in sigma.items()}
    return GroupMoments(
        tensors,
        sigma,
        {name: eigenvalues for name, (eigenvalues, _) in spectra.items()},
        {name: eigenvectors for name, (_, eigenvectors) in spectra.items()},
    )


def greedy_paths(
    network: nn.Module,
    graph: ChannelGraph,
    sigma: Mapping[str, Floats],
    theta: float,
    scope: Scope = "full",
) -> list[GroupPath]:
    """All channels of every group in greedy order (4.1.7)."""
    return [
        greedy_group_path(network, group, sigma[group.name], theta, scope) for group in graph.groups
    ]


def warn_of_few_samples(selection: Selection, tensors: Mapping[str, TensorMoments]) -> None:
    """Warn where a second moment of n samples cannot have the rank that the width needs."""
    for kept in selection.groups:
        n_rows = max(tensors[reader.tensor].n_rows for reader in kept.group.readers)
        if n_rows < kept.width:
            warnings.warn(
                f"{kept.group.name}: {n_rows} calibration samples cannot tell {kept.width} "
                f"channels apart; give at least {kept.width}",
                stacklevel=3,
            )
