"""The method, once: graph → moments → paths → widths → smaller network.

Each function is one stage; ``prune``, the steps, ``compare`` and ``study`` call them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from torch import nn

from mini_exp.errors import ConfigError, DomainError
from mini_exp.pruning.calibration import Batches, small_example
from mini_exp.pruning.constraints import Attention
from mini_exp.pruning.fidelity import Fidelity, split_samples
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.moments import TensorMoments, group_second_moment, reader_moments
from mini_exp.pruning.paths import greedy_group_path
from mini_exp.pruning.selection import GroupPath, Selection, first_channels
from mini_exp.pruning.trace import channel_graph, check_network
from mini_exp.pruning.trial import runnable_graph
from mini_exp.pruning.widths import WidthRule, chosen_widths, spectral_losses
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.exhaustive import Scope
from mini_exp.spectral.second_moment import Scale, descending_eigenvalues, spectrum

THETAS = (0.5, 1.0)
"""What "auto" tries."""


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


def prunable_graph(
    network: nn.Module,
    batches: Batches,
    tied: bool = True,
    attention: Attention = "whole",
    exclude: Sequence[str | nn.Module] = (),
    residual: bool = False,
) -> ChannelGraph:
    """The groups of a network that takes such batches.

    Parameters
    ----------
    network : nn.Module
    batches : iterable or function
    tied : bool
        Groups that several layers write as well.
    attention : {"whole", "heads", "entries"}
        What may be removed of attention.
    exclude : sequence
        Modules, or patterns of their names, that stay as they are.
    residual : bool
        What norms over channels are given as well.

    Raises
    ------
    DomainError
        If there is no batch, or nothing to prune.
    ConfigError
        If no module is called as a pattern says.
    NetworkError
    """
    check_network(network)
    example = small_example(network, batches)
    graph = channel_graph(network, example, attention, residual)
    left = {
        group.name: "tied to others, which was not wanted"
        for group in graph.groups
        if not tied and len(group.writers) > 1
    }
    graph = graph.without(excluded(network, graph, exclude) | left)
    graph = runnable_graph(network, example, graph)
    if not graph.groups:
        why = "; ".join(f"{one.name}: {one.reason}" for one in graph.frozen[:3])
        raise DomainError(
            "expected a layer between input and output to prune, got none"
            + (f" ({why})" if why else "")
        )
    return graph


def excluded(
    network: nn.Module, graph: ChannelGraph, exclude: Sequence[str | nn.Module]
) -> dict[str, str]:
    """Groups with entries in a module that is to stay as it is, and why they do.

    Raises
    ------
    ConfigError
        If no module is called as a pattern says.
    """
    if isinstance(exclude, str) or not isinstance(exclude, Sequence):
        raise ConfigError(f"exclude: expected a list of modules or names, got {exclude!r}")
    modules = dict(network.named_modules())
    names: set[str] = set()
    for one in exclude:
        own = [name for name, module in modules.items() if module is one]
        if isinstance(one, str):
            own = [name for name in modules if name and fnmatchcase(name, one)]
        if not own:
            raise ConfigError(f"exclude: {one!r}: no such module in {type(network).__name__}")
        names |= set(own)
    left = {}
    for group in graph.groups:
        for slot in group.slots:
            owners = [name for name in names if f"{slot.module}.".startswith(f"{name}.")]
            if owners:
                left[group.name] = f"{owners[0]} is excluded"
    return left


def second_moments(
    network: nn.Module, graph: ChannelGraph, batches: Batches, scale: Scale = "mean"
) -> tuple[dict[str, TensorMoments], dict[str, Floats]]:
    """What the readers read and Σ of every group (8.1), in one pass over the batches."""
    tensors = reader_moments(network, graph.readers, batches)
    sigma = {group.name: group_second_moment(group, tensors, scale) for group in graph.groups}
    return tensors, sigma


def group_moments(
    network: nn.Module, graph: ChannelGraph, batches: Batches, scale: Scale = "mean"
) -> GroupMoments:
    """Second moments of every group and their spectra (8.1), in one pass over the batches."""
    tensors, sigma = second_moments(network, graph, batches, scale)
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
    widths: Integers | None = None,
    information: float | None = None,
) -> list[GroupPath]:
    """Channels of every group in greedy order (4.1.7): all, or as many as are needed."""
    n_picks = [None] * len(graph.groups) if widths is None else widths.tolist()
    return [
        greedy_group_path(network, group, sigma[group.name], theta, scope, n, information)
        for group, n in zip(graph.groups, n_picks, strict=True)
    ]


def selected_channels(
    rule: WidthRule,
    network: nn.Module,
    graph: ChannelGraph,
    sigma: Mapping[str, Floats],
    theta: float,
    intercept: bool = False,
    rescale_dropout: bool = False,
    measured: Callable[[Sequence[GroupPath]], Mapping[str, Floats]] | None = None,
) -> Selection:
    """What a rule keeps of every group, without a pick or a spectrum that it does not need.

    With a budget the losses of a group's widths are those that are measured along its path, where
    such a function is given, or else those of its spectrum.

    Raises
    ------
    ConfigError, DomainError
    """
    losses: Mapping[str, Floats] = {}
    paths: list[GroupPath] = []
    if rule.information is not None:
        # A width that is rounded up afterwards may need more picks than the information.
        enough = rule.information if rule.round_to == 1 else None
        paths = greedy_paths(network, graph, sigma, theta, information=enough)
    elif rule.has_budget and measured:
        paths = greedy_paths(network, graph, sigma, theta)
        losses = measured(paths)
    elif rule.has_budget:
        spectra = {name: descending_eigenvalues(one) for name, one in sigma.items()}
        losses = spectral_losses(spectra)
    widths, gap = chosen_widths(rule, network, graph, losses, paths, intercept)
    if not paths:
        paths = greedy_paths(network, graph, sigma, theta, widths=widths)
    if not (rule.has_budget and measured):
        return first_channels(paths, widths, rescale_dropout, gap)
    paths = [path.first(width) for path, width in zip(paths, widths.tolist(), strict=True)]
    selection = first_channels(paths, widths, rescale_dropout, gap)
    return replace(selection, predicted_loss=loss_of_widths(losses, widths))


def loss_of_widths(losses: Mapping[str, Floats], widths: Integers) -> float:
    """The sum over the groups of what each loses alone."""
    pairs = zip(losses.values(), widths, strict=True)
    return sum(float(loss[width - 1]) for loss, width in pairs)


def pruned_at(
    theta: float | Literal["auto"],
    pruned: Callable[[float], tuple[nn.Module, Selection]],
    network: nn.Module,
    batches: Batches,
) -> tuple[nn.Module, Selection]:
    """What pruning at θ gives; "auto" is the θ with the outputs nearest on held-out samples.

    Raises
    ------
    DomainError
        If there are too few samples to judge by.
    """
    if theta != "auto":
        return pruned(theta)
    _, held_out = split_samples(network, batches, working=False)
    if not held_out:
        raise DomainError("theta: expected samples to judge 'auto' by, got too few")
    fidelity = Fidelity(network, held_out)
    every = range(len(held_out))
    return min(map(pruned, THETAS), key=lambda candidate: fidelity.mean(candidate[0], every))


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
