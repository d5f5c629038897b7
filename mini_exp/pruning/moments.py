"""Second moments of what a network's layers read (8.1), streamed over calibration batches."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mini_exp.errors import DomainError
from mini_exp.pruning.blocks import patches_of, rows_of
from mini_exp.pruning.calibration import Batches, Unpadded, eval_mode, run_through
from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.operations import COMPOSITES
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import RunningMoments, Scale, symmetric_moment


@dataclass(frozen=True)
class TensorMoments:
    """First and second moments of the m units of a layer's input, as sums over the rows.

    Where the units are to be estimated from another network's units φ, ``cross_sum`` and
    ``target_sum`` are those of ψφᵀ and ψ, ``target_square`` that of ‖ψ‖²; else all are None, for
    ψ = φ.
    """

    second_sum: Floats  # (..., m, m), symmetric
    first_sum: Floats  # (..., m)
    n_rows: int  # samples times positions
    cross_sum: Floats | None = None  # (..., m, m)
    target_sum: Floats | None = None  # (..., m)
    target_square: Floats | None = None  # (...)

    def second_moment(self, scale: Scale = "mean") -> Floats:
        """Σ, (..., m, m)."""
        return self.second_sum / self.n_rows if scale == "mean" else self.second_sum

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

    def estimated(self, centred: bool = False) -> tuple[Floats, Floats, Floats]:
        """Second moment, Êψφᵀ and Ê‖ψ‖², (..., m, m) twice and (...), if wanted about the means."""
        second = self.second_moment()
        cross, square = second, np.trace(second, axis1=-2, axis2=-1)
        if self.cross is not None and self.target_square is not None:
            cross, square = self.cross, self.target_square / self.n_rows
        if not centred:
            return second, cross, square
        mean, target = self.mean[..., None, :], self.target_mean
        less = np.square(target).sum(axis=-1)
        return second - mean.mT * mean, cross - target[..., :, None] * mean, square - less


def group_second_moment(
    group: Group, moments: Mapping[str, TensorMoments], scale: Scale = "mean"
) -> Floats:
    """Σ of a group, (..., m, m): the sum over the distinct tensors that its readers read.

    A channel that has several places in a tensor counts with each of them. A tensor whose second
    moment is zero adds nothing; the sum is symmetric.
    """
    distinct = {reading.reader.tensor: reading for reading in reversed(group.readings)}
    parts = []
    for key, reading in reversed(distinct.items()):
        second = _whole(moments[key].second_moment(scale), reading.reader)
        every = np.arange(second.shape[-1])
        for entries in np.array(reading.places).T:
            whole = np.array_equal(entries, every)
            parts.append(second if whole else second[..., entries[:, None], entries])
    result: Floats = functools.reduce(np.add, parts)
    return result


def _whole(second: Floats, reader: Reader) -> Floats:
    """The second moment of all channels where it was taken within groups of them."""
    return scipy.linalg.block_diag(*second) if reader.groups > 1 else second


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
    batches : iterable or function
        Positions that an ``attention_mask`` of the batch leaves out do not count.
    by_weight : bool
        One unit per weight of the reader (patches) instead of one per channel.
    target : nn.Module, optional
        The network of the same layout whose units are to be estimated.

    Returns
    -------
    dict
        From ``reader.tensor`` to ``TensorMoments``; from ``reader.weight`` where ``by_weight``,
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
    first: dict[str, Reader] = {}
    for reader in readers:
        first.setdefault(reader.weight if by_weight else reader.tensor, reader)
    sums: dict[str, RunningMoments] = {}
    wanted: dict[str, list[Any]] = {}

    unpadded = Unpadded()

    def units(reader: Reader, x: Tensor, call: Call) -> Any:
        x = unpadded(x)
        return patches_of(x, reader, call) if by_weight else rows_of(x, reader)

    def remember(key: str, reader: Reader, x: Tensor, call: Call) -> None:
        own = units(reader, x.clone(), call)  # a later operation may work in place
        wanted.setdefault(key, []).append(own)

    def take(key: str, reader: Reader, x: Tensor, call: Call) -> None:
        aim = wanted[key].pop(0) if target is not None else None
        with np.errstate(over="ignore", invalid="ignore"):  # checked at the end
            sums.setdefault(key, RunningMoments()).add(units(reader, x, call), aim)

    watched = Watched(network, first, take)
    modes: list[TorchFunctionMode] = [watched]
    runs: nn.Module = network
    if target is not None:
        modes.append(Watched(target, first, remember))
        runs = _Pair(target, network)
    with contextlib.ExitStack() as stack:
        stack.enter_context(eval_mode(runs))
        for mode in modes:
            stack.enter_context(mode)
        hook = runs.register_forward_pre_hook(unpadded.note, with_kwargs=True)
        stack.callback(hook.remove)
        run_through(runs, batches)
    if not sums:
        raise DomainError("expected at least one calibration batch, got none")
    return {key: _moments(first[key].module, total) for key, total in sums.items()}


class _Pair(nn.Module):
    """Two networks, one after the other, of which the second answers."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, *arguments: Any, **named: Any) -> Any:
        self.first(*arguments, **named)
        return self.second(*arguments, **named)


class Watched(TorchFunctionMode):
    """Shows what the readers of a network read, each time that they do.

    Parameters
    ----------
    network : nn.Module
    readers : mapping
        By the key under which they are shown.
    see : function of key, reader, input and call
    """

    def __init__(
        self,
        network: nn.Module,
        readers: Mapping[str, Reader],
        see: Callable[[str, Reader, Tensor, Call], None],
    ) -> None:
        super().__init__()
        self.see = see
        self.readers: dict[tuple[int, str], list[tuple[str, Reader]]] = {}
        for key, reader in readers.items():
            weight = network.get_parameter(reader.weight)
            self.readers.setdefault((id(weight), reader.operation), []).append((key, reader))
        self.operations = {reader.operation for reader in readers.values()}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        call = Call.of(func, args, kwargs or {})
        if call.name in COMPOSITES:
            with self:
                return COMPOSITES[call.name](*call.args, **call.kwargs)
        if call.name in self.operations:
            given = list(tensors_in((call.args, call.kwargs)))
            for at, weight in enumerate(given):
                for tensor in (weight, weight._base):
                    for key, reader in self.readers.get((id(tensor), call.name), ()):
                        if reader.weight_at == at and reader.moved == (tensor is not weight):
                            self.see(key, reader, given[reader.input_at], call)
        return func(*args, **(kwargs or {}))


def _moments(name: str, sums: RunningMoments) -> TensorMoments:
    second = _array(sums.second)
    if not sums.n_samples:
        raise DomainError("expected at least one calibration sample, got none")
    if not np.isfinite(second).all():
        raise DomainError(f"{name}: its inputs or their squares are not finite")
    second = symmetric_moment(second, sums.n_samples, "sum")
    if sums.cross is None:
        return TensorMoments(second, _array(sums.first), sums.n_samples)
    return TensorMoments(
        second,
        _array(sums.first),
        sums.n_samples,
        _array(sums.cross),
        _array(sums.target_first),
        _array(sums.target_square),
    )


def _array(values: Any) -> Floats:
    array: Floats = values.cpu().numpy() if isinstance(values, Tensor) else values
    return array
