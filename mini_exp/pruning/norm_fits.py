"""What norms over fewer channels make of the kept ones: c, what it leaves, what readers get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mini_exp.pruning.calibration import Batches, Unpadded, eval_mode, run_through
from mini_exp.pruning.graph import Reader
from mini_exp.pruning.moments import TensorMoments, reader_moments
from mini_exp.pruning.narrow_norms import VECTORS, NormCalls, over_channels, restrict_norms
from mini_exp.pruning.selection import NormFit
from mini_exp.pruning.trace import independent_copy
from mini_exp.spectral import Integers


@torch.no_grad()
def norm_fits(
    network: nn.Module, kept: Mapping[str, Integers], batches: Batches
) -> tuple[NormFit, ...]:
    """c = Σ n'n / Σ n'², by norm: the least-squares factor from n' to n, and what it leaves.

    n is what a norm gives of the kept channels before weight and bias, n' the same where it is
    over these alone; sums are over channels, positions and samples. The rest is
    1 − (Σ n'n)² / (Σ n'² Σ n²).

    Parameters
    ----------
    network : nn.Module
        Of the original size, run in eval mode.
    kept : mapping from weight to (k,) int64
    batches : iterable or function
        Positions that an ``attention_mask`` leaves out do not count.

    Notes
    -----
    One pass over the batches, in float64; none where nothing is kept of norms.
    """
    if not kept:
        return ()
    sums = {name: torch.zeros(3, dtype=torch.float64) for name in kept}
    unpadded = Unpadded()

    def add(name: str, norm: Callable[..., Any], given: dict[str, Any]) -> Any:
        x = unpadded(given["input"]).double()
        index = torch.from_numpy(kept[name]).to(x.device)
        plain = given | dict.fromkeys(VECTORS) if "bias" in given else given | {"weight": None}
        whole = norm(**plain | {"input": x})[..., index]
        narrow = norm(**over_channels(plain, x, index))
        products = [(a * b).sum() for a, b in ((narrow, narrow), (narrow, whole), (whole, whole))]
        sums[name] += torch.stack(products).cpu()
        return norm(**given)

    weights = {network.get_parameter(name): name for name in kept}
    hook = network.register_forward_pre_hook(unpadded.note, with_kwargs=True)
    try:
        with eval_mode(network), NormCalls(weights, add):
            run_through(network, batches)
    finally:
        hook.remove()
    return tuple(_fit(name, *own.tolist()) for name, own in sums.items())


def _fit(name: str, narrow: float, mixed: float, whole: float) -> NormFit:
    if not (narrow and whole):  # a single channel about its mean, say
        return NormFit(name, 1.0, float(whole > 0))
    return NormFit(name, mixed / narrow, max(1 - mixed**2 / (narrow * whole), 0.0))


@torch.no_grad()
def rescale_norms(network: nn.Module, fits: Sequence[NormFit]) -> None:
    """Multiply the norms' weights by c, in place."""
    for fit in fits:
        network.get_parameter(fit.weight).mul_(fit.scale)


def moments_behind_norms(
    network: nn.Module,
    rescaled: nn.Module,
    kept: Mapping[str, Integers],
    readers: Sequence[Reader],
    batches: Batches,
    by_weight: bool,
) -> dict[str, TensorMoments]:
    """Moments of what readers get from norms over fewer channels of what these get now.

    Parameters
    ----------
    network : nn.Module
        Of the original size: it says what is normalised, and what is to be estimated.
    rescaled : nn.Module
        A copy, its norms rescaled.
    kept : mapping from weight to (k,) int64
    readers, batches, by_weight
        As for ``reader_moments``.
    """
    given: dict[str, list[Tensor]] = defaultdict(list)
    narrow = independent_copy(rescaled)
    restrict_norms(narrow, kept, given)

    def remember(name: str, norm: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        given[name].append(arguments["input"].clone())  # a later operation may work in place
        return norm(**arguments)

    with NormCalls({network.get_parameter(name): name for name in kept}, remember):
        return reader_moments(narrow, readers, batches, by_weight, network)
