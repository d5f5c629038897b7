"""Second moments of what a network's layers read (8.1), streamed over calibration batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.errors import DomainError
from mini_exp.pruning.calibration import Batches, eval_mode, evaluated
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.layers import kind_of
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import RunningMoments, Scale, symmetric_moment


@dataclass(frozen=True)
class TensorMoments:
    """First and second moments of the m units of a layer's input, as sums over the rows.

    Where the units are to be estimated from another network's units φ, ``cross_sum`` and
    ``target_sum`` are those of ψφᵀ and ψ; else both are None, for ψ = φ.
    """

    second_sum: Floats  # (..., m, m)
    first_sum: Floats  # (..., m)
    n_rows: int  # samples times positions
    cross_sum: Floats | None = None  # (..., m, m)
    target_sum: Floats | None = None  # (..., m)

    def second_moment(self, scale: Scale = "mean") -> Floats:
        """Σ, (..., m, m)."""
        return symmetric_moment(self.second_sum, self.n_rows, scale)

    @property
    def mean(self) -> Floats:
        return self.first_sum / self.n_rows

    @property
    def target_mean(self) -> Floats:
        return self.mean if self.target_sum is None else self.target_sum / self.n_rows

    @property
    def cross(self) -> Floats | None:
        """Êψφᵀ where there is a target."""
        return None if self.cross_sum is None else self.cross_sum / self.n_rows

    def centred(self) -> tuple[Floats, Floats]:
        """Second moment and Êψφᵀ about the means."""
        second = self.second_moment()
        cross = second if self.cross is None else self.cross
        mean = self.mean[..., None, :]
        return second - mean.mT * mean, cross - self.target_mean[..., :, None] * mean


def group_second_moment(
    group: Group, moments: Mapping[str, TensorMoments], scale: Scale = "mean"
) -> Floats:
    """Σ of a group, (..., m, m): the sum over the distinct tensors that its readers read.

    A tensor whose second moment is zero adds nothing; the sum is symmetric.
    """
    tensors = dict.fromkeys(reader.tensor for reader in group.readers)
    total: Floats = np.sum([moments[name].second_moment(scale) for name in tensors], axis=0)
    return total


@torch.no_grad()
def reader_moments(
    network: nn.Module,
    readers: Sequence[Reader],
    batches: Batches,
    by_weight: bool = False,
    target: nn.Module | None = None,
) -> dict[str, TensorMoments]:
    """Moments of the tensors that the readers read, in one pass over the batches.

    Parameters
    ----------
    network : nn.Module
        Runs in eval mode; its own mode is restored.
    readers : sequence of Reader
    batches : iterable of (n, …) tensors, or of tuples that begin with one
    by_weight : bool
        One unit per weight of the reader (patches) instead of one per channel.
    target : nn.Module, optional
        The network of the same layout whose units are to be estimated.

    Returns
    -------
    dict
        From ``reader.tensor`` to ``TensorMoments``; from ``reader.module`` where ``by_weight``,
        since patches are the reader's own.

    Raises
    ------
    DomainError
        If there is no sample, or an activation is not finite.
    NetworkError
        If the network does not take a batch.

    Notes
    -----
    Accumulates in float64, whatever the network's type. O(n p m²) for m units and p positions.

    References
    ----------
    Sørby (2019), appendix 8.1.
    """
    sums: dict[str, RunningMoments] = {}
    wanted: dict[str, Any] = {}
    first: dict[str, Reader] = {}
    for reader in readers:
        first.setdefault(reader.module if by_weight else reader.tensor, reader)

    def units(x: Tensor, reader: Reader, module: nn.Module) -> Any:
        kind = kind_of(module)
        if by_weight:
            return kind.patches(reader.module, module, x, reader.channels)
        return kind.rows(x, reader.channels)

    def remember(key: str, reader: Reader, module: nn.Module, x: Tensor) -> None:
        wanted[key] = units(x.clone(), reader, module)  # a later operation may work in place

    def take(key: str, reader: Reader, module: nn.Module, x: Tensor) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # checked at the end
            sums.setdefault(key, RunningMoments()).add(
                units(x, reader, module), wanted.pop(key, None)
            )

    with contextlib.ExitStack() as stack:
        for one in (network, target):
            if one is not None:
                stack.enter_context(eval_mode(one))
        for key, reader in first.items():
            if target is not None:
                stack.enter_context(_hooked(target, key, reader, remember))
            stack.enter_context(_hooked(network, key, reader, take))
        for batch in batches:
            if target is not None:
                evaluated(target, batch)
            evaluated(network, batch)
    if not sums:
        raise DomainError("expected at least one calibration batch, got none")
    return {key: _moments(first[key].module, total) for key, total in sums.items()}


def _moments(name: str, sums: RunningMoments) -> TensorMoments:
    second = _array(sums.second)
    if not sums.n_samples:
        raise DomainError("expected at least one calibration sample, got none")
    if not np.isfinite(second).all():
        raise DomainError(f"{name}: its inputs or their squares are not finite")
    if sums.cross is None:
        return TensorMoments(second, _array(sums.first), sums.n_samples)
    return TensorMoments(
        second,
        _array(sums.first),
        sums.n_samples,
        _array(sums.cross),
        _array(sums.target_first),
    )


def _array(values: Any) -> Floats:
    array: Floats = values.cpu().numpy() if isinstance(values, Tensor) else values
    return array


@contextlib.contextmanager
def _hooked(
    network: nn.Module,
    key: str,
    reader: Reader,
    see: Callable[[str, Reader, nn.Module, Tensor], None],
) -> Iterator[None]:
    def hook(module: nn.Module, arguments: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        see(key, reader, module, arguments[0] if arguments else named["input"])

    module = network.get_submodule(reader.module)
    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
