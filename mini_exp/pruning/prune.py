"""`prune`: a smaller network from any that `channel_graph` covers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from torch import nn

from mini_exp.errors import ConfigError, DomainError, NetworkError, ShapeError
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.costs import Unit, network_costs
from mini_exp.pruning.graph import ChannelGraph, channel_graph
from mini_exp.pruning.selection import (
    PruningSelection,
    checked_share,
    first_channels,
    greedy_group_path,
    group_second_moment,
    is_number,
    named_widths,
    uniform_widths,
)
from mini_exp.pruning.statistics import (
    Batches,
    Moments,
    group_readers,
    inputs,
    reader_moments,
)
from mini_exp.spectral import Integers
from mini_exp.spectral.budget import budget_widths
from mini_exp.spectral.degrees_of_freedom import lambda_of_width, numerical_spectrum
from mini_exp.spectral.second_moment import spectrum


def prune(
    network: nn.Module,
    batches: Batches,
    *,
    keep: float | None = None,
    widths: Mapping[str, int] | None = None,
    parameters: float | None = None,
    flops: float | None = None,
    theta: float = 0.5,
    weights: Literal["reconstruct", "slice"] = "reconstruct",
    ridge: float = 1e-6,
    intercept: bool = False,
    refit: bool = False,
    sequential: bool = False,
    rescale_dropout: bool = False,
    tied: bool = True,
) -> tuple[nn.Module, PruningSelection]:
    """A smaller network by spectral pruning: fewer channels, the next layers adjusted.

    Every group of channels is picked greedily by how much of all channels, and of what the next
    layers read, it restores (4.1.7); the next layers' weights are multiplied by the matrix A_J
    that restores the removed ones (4.1.1).

    Parameters
    ----------
    network : nn.Module
        Traceable by torch.fx: Linear, Conv2d (groups 1), BatchNorm, element-wise activations,
        pooling, flatten, dropout and residual sums. Not changed; statistics are taken in eval
        mode whatever its mode.
    batches : iterable of (n, …) tensors, or of tuples that begin with one
        Calibration samples, on the scale of the training inputs: a list or a DataLoader; an
        iterator is read into memory. 2000 images are a good number; labels are not needed.
    keep : float, optional
        Share of every group to keep, in (0, 1].
    widths : mapping, optional
        Channels to keep by group, named after the layer that writes it; others stay whole.
    parameters, flops : float, optional
        Share of the network's parameters, or multiply-accumulates, to stay within: the exact
        solution of the width problem (4.2.3) with these costs. Exactly one of the four is given.
    theta : float
        θ in [0, 1]: 1 looks at the channels alone, 0 at what the next layers read.
    weights : {"reconstruct", "slice"}
        Multiply by A_J, or only drop columns.
    ridge : float
        w of A_J in units of tr(Σ) / m.
    intercept : bool
        Estimate with a constant as well.
    refit : bool
        Solve for every weight of the next layer over its patches, not per channel: slower.
    sequential : bool
        Estimate from the activations of the network pruned so far: a pass per group.
    rescale_dropout : bool
        Multiply dropout probabilities by the kept share.
    tied : bool
        Prune channels tied by skip connections as well, each stage as one group.

    Returns
    -------
    network : nn.Module
        Of the same class, in the same mode, with batch norm statistics of the batches.
    selection : PruningSelection
        Widths and index sets by group.

    Raises
    ------
    NetworkError
        If the network holds something that is not covered, naming it.
    ConfigError, DomainError, ShapeError

    Warns
    -----
    UserWarning
        Where the samples are fewer than the channels to keep.

    Notes
    -----
    One pass over the batches, two if there are batch norms, O(n p m²) for m channels and p
    positions, and O(m³) per group.

    References
    ----------
    Sørby (2019), chapter 4; Suzuki et al., arXiv 1808.08558.
    """
    wanted = {"keep": keep, "widths": widths, "parameters": parameters, "flops": flops}
    given = [name for name, value in wanted.items() if value is not None]
    if len(given) != 1:
        raise ConfigError(
            f"prune: expected exactly one of {', '.join(wanted)}, got {', '.join(given) or 'none'}"
        )
    if not (is_number(theta) and 0 <= theta <= 1):
        raise DomainError(f"prune: theta: expected θ in [0, 1], got {theta!r}")
    compression = Compression(weights, ridge, intercept, refit, sequential)
    if not isinstance(batches, Iterable):
        raise ShapeError(f"prune: expected batches of tensors, got {type(batches).__name__}")
    if isinstance(batches, Iterator):
        batches = list(batches)
    graph = pruning_graph(network, batches, tied)
    moments = reader_moments(network, group_readers(graph.groups), batches)
    paths = [greedy_group_path(network, group, moments, theta) for group in graph.groups]
    chosen = chosen_widths(
        *(network, graph, moments),
        keep=keep,
        widths=widths,
        parameters=parameters,
        flops=flops,
        intercept=intercept,
    )
    warn_of_few_samples(graph, moments, chosen)
    selection = first_channels(paths, chosen, rescale_dropout)
    return compressed_network(network, selection, moments, batches, compression), selection


def pruning_graph(network: nn.Module, batches: Batches, tied: bool = True) -> ChannelGraph:
    """The groups of a network that takes such batches; without tied ones where not wanted.

    Raises
    ------
    DomainError
        If there is no batch, or nothing to prune.
    NetworkError
    """
    if not isinstance(network, nn.Module):
        raise NetworkError(f"prune: expected a network (nn.Module), got {type(network).__name__}")
    found = (inputs(network, batch) for batch in batches)
    first = next((x for x in found if x.ndim and len(x)), None)
    if first is None:
        raise DomainError("prune: expected at least one calibration batch, got none")
    graph = channel_graph(network, first)
    if not tied:
        graph = graph.without_tied()
    if not graph.groups:
        raise DomainError("prune: expected a layer between input and output to prune, got none")
    return graph


def chosen_widths(
    network: nn.Module,
    graph: ChannelGraph,
    moments: Mapping[str, Moments],
    *,
    keep: float | None = None,
    widths: Mapping[str, int] | None = None,
    parameters: float | None = None,
    flops: float | None = None,
    intercept: bool = False,
) -> Integers:
    """The width of every group by the one rule that is given, (G,); see ``prune``."""
    if keep is not None:
        return uniform_widths(graph, keep)
    if widths is not None:
        return named_widths(graph, widths)
    if parameters is not None:
        return widths_within(network, graph, moments, "parameters", parameters, intercept)
    return widths_within(network, graph, moments, "flops", flops or 0.0, intercept)


def widths_within(
    network: nn.Module,
    graph: ChannelGraph,
    moments: Mapping[str, Moments],
    unit: Unit,
    share: float,
    intercept: bool = False,
) -> Integers:
    """The width problem (4.2.3) with true costs and a budget, solved exactly: (G,).

    Minimises Σ_g λ_g subject to cost(k) ≤ share · cost(m), where k_g = N_g(λ_g) is the width of
    group g and λ_g is in units of tr(Σ_g) / m_g, as the ridge is.

    Raises
    ------
    DomainError
        If the share is outside (0, 1] or too small, or the groups do not form chains.

    References
    ----------
    Sørby (2019), (4.2.2) and (4.2.3).
    """
    share = checked_share(unit, share)
    costs = network_costs(network, graph, unit, intercept)
    full = network_costs(network, graph, unit).total([group.width for group in graph.groups])
    lambdas = []
    for group in graph.groups:
        eigenvalues, _ = spectrum(group_second_moment(group, moments)[None])
        spectrum_of_group = numerical_spectrum(eigenvalues[0])
        mean = spectrum_of_group.mean()
        lambdas.append(lambda_of_width(spectrum_of_group) / (mean if mean > 0 else 1.0))
    try:
        return budget_widths(lambdas, costs, share * float(full))
    except DomainError as error:
        names = ", ".join(f"{i} {group.name}" for i, group in enumerate(graph.groups))
        raise DomainError(
            f"prune: {unit} {share:g}: {error} (groups: {names}); tied=False leaves channels tied "
            "by skip connections whole"
        ) from None


def warn_of_few_samples(
    graph: ChannelGraph, moments: Mapping[str, Moments], widths: Integers
) -> None:
    """Warn where a second moment of n samples cannot have the rank that the width needs."""
    for group, width in zip(graph.groups, widths, strict=True):
        n_rows = max(moments[reader.tensor].n_rows for reader in group.readers)
        if n_rows < width:
            warnings.warn(
                f"prune: {group.name}: {n_rows} calibration samples cannot tell {width} channels "
                f"apart; give at least {width}",
                stacklevel=3,
            )
