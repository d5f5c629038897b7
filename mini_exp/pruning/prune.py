"""`prune`: the method on one network, with every option as an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from mini_exp.errors import ConfigError, DomainError, MiniExpError, NetworkError, named
from mini_exp.pruning.calibration import Batches, repeatable
from mini_exp.pruning.compression import Compression, compressed_network, with_norm_fits
from mini_exp.pruning.constraints import Attention
from mini_exp.pruning.measured_losses import measured_losses
from mini_exp.pruning.recipe import (
    prunable_graph,
    pruned_at,
    second_moments,
    selected_channels,
    warn_of_few_samples,
)
from mini_exp.pruning.recovery import Recovery, recovered_network, reduced_readers
from mini_exp.pruning.selection import GroupPath, Selection
from mini_exp.pruning.widths import WidthRule, is_number
from mini_exp.spectral import Floats


def prune(
    network: nn.Module,
    batches: Batches,
    *,
    keep: float | Mapping[str, float] | None = None,
    widths: Mapping[str, int] | Sequence[int] | None = None,
    parameters: float | None = None,
    flops: float | None = None,
    information: float | None = None,
    round_to: int = 1,
    exclude: Sequence[str | nn.Module] = (),
    tied: bool = True,
    heads: bool = False,
    entries: bool = False,
    residual: bool = False,
    strict: bool = False,
    theta: float | Literal["auto"] = 0.5,
    losses: Literal["measured", "spectral"] = "measured",
    weights: Literal["reconstruct", "slice"] = "reconstruct",
    ridge: float | Literal["auto"] | None = None,
    intercept: bool = False,
    refit: bool = False,
    sequential: bool = False,
    rescale_dropout: bool = False,
    recover: bool | Recovery = False,
    progress: bool = False,
) -> tuple[nn.Module, Selection]:
    """A smaller network by spectral pruning: fewer channels, the next layers adjusted.

    Every group of channels is picked greedily by how much of all channels, and of what the next
    layers read, it restores (4.1.7); the next layers' weights are multiplied by the matrix A_J
    that restores the removed ones (4.1.1). The result is checked against the same network with
    zeros in place of what was removed.

    Parameters
    ----------
    network : nn.Module
        Any that runs on a batch in eval mode: it is run once on labels to see which channels
        belong together. What passes through an operation that is not covered stays whole, and the
        selection says why. Not changed; statistics are taken in eval mode whatever its mode.
    batches : iterable or function
        Calibration samples, on the scale of the training inputs, as a list, a DataLoader or a
        tensor, which is one batch. A batch is a tensor (n, …), a tuple that begins with one (labels
        follow) or a mapping of keyword arguments, where positions that an ``attention_mask`` leaves
        out do not count. A function is called with a network, which it runs on all samples. An
        iterator is read into memory. 2000 images are a good number; labels are not needed.
    keep : float or mapping, optional
        Share of every group to keep, in (0, 1]; or shares by pattern of the groups' names, such as
        ``{"layer4.*": 0.5}`` (others stay whole).
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
    round_to : int
        Widths in multiples of it.
    exclude : list of str or nn.Module
        Modules, or patterns of their names, none of whose weights changes its size.
    tied : bool
        Prune channels tied by skip connections as well, each stage as one group.
    heads : bool
        Prune whole heads of attention as well, where the network runs with fewer.
    entries : bool
        Prune the same entries of all heads instead: of queries, keys and values.
    residual : bool
        Prune what layer and RMS norms are over as well, the residual stream of a transformer. They
        normalise over what is kept, their weights times what fits this best to what they gave of it
        before; the selection says what is lost.
    strict : bool
        Refuse a network of which something has to stay whole.
    theta : float or "auto"
        θ in [0, 1]: 1 looks at the channels alone, 0 at what the next layers read. "auto" is ½ or
        1, whichever leaves the outputs of a held-out tenth of the samples nearer to the original's.
    losses : {"measured", "spectral"}
        What the width problem sums up for a budget: how far the outputs move when one group becomes
        narrower, or λ of its degrees of freedom (4.2.1), which is cheaper.
    weights : {"reconstruct", "slice"}
        Multiply by A_J, or only drop columns.
    ridge : float or "auto", optional
        w of A_J in units of tr(Σ) / m; "auto" is each layer's own, by generalised
        cross-validation. "auto" with ``refit``, which over-fits few samples, and 1e-6 without it
        where it is not given.
    intercept : bool
        Estimate with a constant as well.
    refit : bool
        Solve for every weight of the next layer over its patches, not per channel: slower.
    sequential : bool
        Estimate from the activations of the network pruned so far: a pass per group; with
        ``residual`` one per layer that reads the stream.
    rescale_dropout : bool
        Multiply dropout probabilities by the kept share.
    recover : bool or Recovery
        Train the smaller network's weights to give the original's outputs, without labels: 200
        steps of 100 samples at two rates, or as ``Recovery`` says; a tenth of the samples is held
        out, and where they gain nothing the network stays as it is. The samples are read into
        memory.
    progress : bool
        Tell on stderr which batch is read.

    Returns
    -------
    network : nn.Module
        Of the same class, in the same mode, with batch norm statistics of the batches.
    selection : Selection
        Widths and index sets by group, and what was left whole and why; printed, it is a table.
        What norms over fewer channels lose is in ``norms``. With a budget, how far from the best
        possible the widths may be.

    Raises
    ------
    NetworkError
        If it is no plain network of its own parameters, if nothing can be pruned, or if the result
        fails the check, naming the module.
    ConfigError, DomainError, ShapeError

    Warns
    -----
    UserWarning
        Where the samples are fewer than the channels to keep.

    Notes
    -----
    Some runs of a few samples to see how the network is made and to check the result; one pass over
    the batches, two if there are batch norms, three more where norms are over fewer channels,
    O(n p m²) for m channels and p positions, and O(m³) per group.

    References
    ----------
    Sørby (2019), chapter 4; Suzuki et al., arXiv 1808.08558.
    """
    with named("prune", (MiniExpError,)), torch.inference_mode(False), torch.no_grad():
        rule = WidthRule(keep, widths, parameters, flops, information, round_to)
        if theta != "auto" and not (is_number(theta) and 0 <= theta <= 1):
            raise DomainError(f"theta: expected θ in [0, 1] or 'auto', got {theta!r}")
        if losses not in ("measured", "spectral"):
            raise DomainError(f"losses: expected 'measured' or 'spectral', got {losses!r}")
        if not isinstance(recover, bool | Recovery):
            raise DomainError(f"recover: expected True, False or a Recovery, got {recover!r}")
        flags = {
            "tied": tied,
            "heads": heads,
            "entries": entries,
            "residual": residual,
            "strict": strict,
            "rescale_dropout": rescale_dropout,
            "progress": progress,
        }
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise DomainError(f"{name}: expected True or False, got {value!r}")
        if heads and entries:
            raise ConfigError("expected one of heads and entries, got both")
        attention: Attention = "heads" if heads else "entries" if entries else "whole"
        ridge = ridge if ridge is not None else "auto" if refit is True else 1e-6
        compression = Compression(weights, ridge, intercept, refit, sequential)
        batches = repeatable(batches, progress)
        graph = prunable_graph(network, batches, tied, attention, exclude, residual)
        if strict and graph.frozen:
            one = graph.frozen[0]
            raise NetworkError(f"strict: {one.name} has to stay whole: {one.reason}")
        tensors, sigma = second_moments(network, graph, batches)

        def measured(paths: Sequence[GroupPath]) -> Mapping[str, Floats]:
            return measured_losses(network, paths, tensors, batches, compression)

        def pruned(theta: float) -> tuple[nn.Module, Selection]:
            selection = selected_channels(
                rule,
                network,
                graph,
                sigma,
                theta,
                intercept,
                rescale_dropout,
                measured if losses == "measured" else None,
            )
            selection = with_norm_fits(network, selection, batches)
            smaller, error = compressed_network(network, selection, tensors, batches, compression)
            return smaller, replace(selection, agreement=error)

        smaller, selection = pruned_at(theta, pruned, network, batches)
        warn_of_few_samples(selection, tensors)
        selection = replace(selection, layers=graph.layers, frozen=graph.frozen)
        if recover:
            recovery = recover if isinstance(recover, Recovery) else Recovery()
            readers = reduced_readers(graph.groups, selection.widths.values())
            smaller, done = recovered_network(smaller, network, readers, batches, recovery)
            selection = replace(selection, recovered=done)
        return smaller, selection
