"""Calibration batches: how a network is run on them, and what batch norms take from them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from mini_exp.errors import DomainError, NetworkError, ShapeError

Batches: TypeAlias = Iterable[Any]


@contextlib.contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Every module in eval mode; each one's own mode comes back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def inputs(network: nn.Module, batch: Any) -> Tensor:
    """The input tensor of a batch, on the network's device."""
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    if not isinstance(x, Tensor):
        raise ShapeError(
            f"expected batches of tensors, or of tuples that begin with one, got {type(x).__name__}"
        )
    parameter = next(network.parameters(), None)
    return x if parameter is None else x.to(parameter.device)


def evaluated(network: nn.Module, batch: Any) -> Tensor:
    """The network's output for a batch, in the mode that it is in."""
    x = inputs(network, batch)
    try:
        y: Tensor = network(x)
    except (RuntimeError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise NetworkError(
            f"the network does not take a batch {tuple(x.shape)} of {x.dtype}: {text}"
        ) from None
    return y


@torch.no_grad()
def reestimate_batch_norm(network: nn.Module, batches: Batches) -> None:
    """Replace every batch norm's running statistics by their averages over the batches.

    Parameters
    ----------
    network : nn.Module
        Changed in place; its mode stays.
    batches : iterable
        Calibration batches.

    Notes
    -----
    Dropout stays off; only batch norms see training mode. Averages over batches, each of equal
    weight; a batch of one sample is left out.
    """
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    seen = 0
    try:
        with eval_mode(network):
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the plain average
                norm.train()
            for batch in batches:
                x = inputs(network, batch)
                if len(x) > 1:  # one sample has no variance
                    evaluated(network, x)
                    seen += 1
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    if not seen:
        raise DomainError("batch norms: expected calibration batches of at least 2 samples")
