"""`prune`: the method on one network, with every option as an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from torch import nn

from mini_exp.errors import DomainError, MiniExpError, ShapeError, named
from mini_exp.pruning.calibration import Batches
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.recipe import (
    greedy_paths,
    group_moments,
    prunable_graph,
    warn_of_few_samples,
)
from mini_exp.pruning.selection import Selection, first_channels
from mini_exp.pruning.widths import WidthRule, chosen_widths, is_number


def prune(
    network: nn.Module,
    batches: Batches,
    *,
    keep: float | None = None,
    widths: Mapping[str, int] | Sequence[int] | None = None,
    parameters: float | None = None,
    flops: float | None = None,
    information: float | None = None,
    theta: float = 0.5,
    weights: Literal["reconstruct", "slice"] = "reconstruct",
    ridge: float = 1e-6,
    intercept: bool = False,
    refit: bool = False,
    sequential: bool = False,
    rescale_dropout: bool = False,
    tied: bool = True,
) -> tuple[nn.Module, Selection]:
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
    widths : mapping or list, optional
        Channels to keep by group, named after the layer that writes it (others stay whole), or of
        all groups in order.
    parameters, flops : float or int, optional
        Parameters, or multiply-accumulates of a sample, to stay within: a whole number counts
        them, a fraction in (0, 1] is a share of the network's. Widths are those of the width
        problem (4.2.3) with these costs.
    information : float, optional
        α in (0, 1]: of every group the fewest channels with 𝒞 ≥ α. Exactly one of the
        five is given.
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
    selection : Selection
        Widths and index sets by group; with a budget, how far from the best possible they may be.

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
    with named("prune", (MiniExpError,)):
        rule = WidthRule(keep, widths, parameters, flops, information)
        if not (is_number(theta) and 0 <= theta <= 1):
            raise DomainError(f"theta: expected θ in [0, 1], got {theta!r}")
        compression = Compression(weights, ridge, intercept, refit, sequential)
        if not isinstance(batches, Iterable):
            raise ShapeError(f"expected batches of tensors, got {type(batches).__name__}")
        if isinstance(batches, Iterator):
            batches = list(batches)
        graph = prunable_graph(network, batches, tied)
        moments = group_moments(network, graph, batches)
        paths = greedy_paths(network, graph, moments.sigma, theta)
        chosen, gap = chosen_widths(rule, network, graph, moments.eigenvalues, paths, intercept)
        selection = first_channels(paths, chosen, rescale_dropout, gap)
        warn_of_few_samples(selection, moments.tensors)
        smaller = compressed_network(network, selection, moments.tensors, batches, compression)
        return smaller, selection
