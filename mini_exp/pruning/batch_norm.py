"""Batch norms of a network that has become smaller: what they take from the samples."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mini_exp.errors import DomainError
from mini_exp.pruning.calibration import Batches, Example, eval_mode, run_through, small_example
from mini_exp.pruning.calls import tensors_in
from mini_exp.pruning.fidelity import Fidelity, split_samples


def batch_norms(network: nn.Module) -> dict[str, Any]:
    """Those with running statistics, by name."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    }


@torch.no_grad()
def renew_batch_norm(
    smaller: nn.Module, masked: nn.Module, original: nn.Module, batches: Batches
) -> None:
    """Statistics of the batches where something smaller is in front, if the outputs gain by them.

    Batch norms that are given something else than in the original take mean and variance of the
    batches, in place, unless the outputs of the held-out tenth of the samples are nearer to the
    original's with the old statistics.

    Parameters
    ----------
    smaller, masked : nn.Module
        The pruned network, and the one of the original size that does the same.
    original : nn.Module
    batches : iterable or function

    Notes
    -----
    A pass over the batches, and three over the held-out tenth.
    """
    norms = batch_norms(smaller)
    example = small_example(original, batches) if norms else None
    before, after = (_given(network, example) for network in (original, masked))
    changed = [name for name, x in after.items() if not torch.equal(x, before[name])]
    if not changed:
        return
    old = {name: copy.deepcopy(norms[name].state_dict()) for name in changed}
    _, held_out = split_samples(original, batches, working=False)
    fidelity = Fidelity(original, held_out) if held_out else None
    every = range(len(held_out))
    divergence = fidelity.mean(smaller, every) if fidelity else float("inf")
    reestimate_batch_norm(smaller, batches, changed)
    if fidelity and not fidelity.mean(smaller, every) <= divergence:
        for name in changed:
            norms[name].load_state_dict(old[name])


def _given(network: nn.Module, example: Example | None) -> dict[str, Tensor]:
    """What every batch norm is given last."""
    given: dict[str, Tensor] = {}

    def see(norm: nn.Module, arguments: Any, named: Any, name: str) -> None:
        given[name] = next(tensors_in((arguments, named))).clone()

    with contextlib.ExitStack() as stack:
        for name, norm in batch_norms(network).items():
            handle = norm.register_forward_pre_hook(partial(see, name=name), with_kwargs=True)
            stack.callback(handle.remove)
        stack.enter_context(eval_mode(network))
        if example:
            example.output(network)
    return given


@torch.no_grad()
def reestimate_batch_norm(
    network: nn.Module, batches: Batches, norms: Collection[str] | None = None
) -> None:
    """Give batch norms the mean and variance of all calibration samples together.

    Parameters
    ----------
    network : nn.Module
        Changed in place; its mode and the batch norms' counters stay.
    batches : iterable or function
        Calibration batches; those of a few samples weigh as little as these are.
    norms : names of modules, optional
        All where they are not given.

    Raises
    ------
    DomainError
        If a batch norm sees a single value per channel.

    Notes
    -----
    Every batch is normalised by its own statistics, as in training, while those of all are
    collected in float64; dropout stays off. The variance is the unbiased one, as PyTorch's is.
    """
    statistics = {
        module: _Statistics(name)
        for name, module in batch_norms(network).items()
        if norms is None or name in norms
    }
    if not statistics:
        return

    def see(norm: Any, arguments: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        mean, variance = statistics[norm].add(arguments[0] if arguments else named["input"])
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)

    with contextlib.ExitStack() as stack:
        stack.enter_context(eval_mode(network))
        for norm in statistics:
            handle = norm.register_forward_pre_hook(see, with_kwargs=True)
            stack.callback(handle.remove)
        run_through(network, batches)
    for norm, own in statistics.items():
        if own.n and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.copy_(own.mean)
            norm.running_var.copy_(own.unbiased_variance)


class _Statistics:
    """Mean and sum of squares about it, of what a batch norm has seen so far (Chan et al.)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n = 0
        self.mean: Any = 0.0
        self.squares: Any = 0.0

    def add(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Add a batch (n, channels, …); its own mean and biased variance."""
        values = x.double().movedim(1, 0).flatten(1)
        n = values.shape[1]
        mean, variance = values.mean(1), values.var(1, correction=0)
        shift, total = mean - self.mean, self.n + n
        self.squares = self.squares + variance * n + shift**2 * (self.n * n / total)
        self.mean, self.n = self.mean + shift * (n / total), total
        return mean, variance

    @property
    def unbiased_variance(self) -> Tensor:
        if self.n < 2:
            raise DomainError(
                f"{self.name}: a batch norm needs calibration batches of at least 2 samples"
            )
        variance: Tensor = self.squares / (self.n - 1)
        return variance
