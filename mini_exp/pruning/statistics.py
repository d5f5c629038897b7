"""Second moments of what a network's layers read, streamed over calibration batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mini_exp.errors import DomainError, NetworkError, ShapeError
from mini_exp.pruning.graph import Group, Reader
from mini_exp.spectral import Floats

Batches = Iterable[Any]


@dataclass(frozen=True)
class Moments:
    """First and second moments of the m units of a layer's input.

    Where the units are to be estimated from another network's units ψ, ``second`` and ``mean``
    are ψ's, ``cross`` and ``target_mean`` those of φψᵀ and φ; else both are the same.
    """

    second: Floats  # (m, m)
    mean: Floats  # (m,)
    cross: Floats  # (m, m)
    target_mean: Floats  # (m,)
    n_rows: int  # images times positions

    @property
    def centred(self) -> Moments:
        """The same about the means."""
        second = self.second - self.mean[:, None] * self.mean
        cross = self.cross - self.target_mean[:, None] * self.mean
        return Moments(second, self.mean, cross, self.target_mean, self.n_rows)


class _Sums:
    """Running sums in float64 on the activations' device."""

    def __init__(self) -> None:
        self.second: Tensor | None = None
        self.mean: Any = 0.0
        self.cross: Any = None
        self.target_mean: Any = 0.0
        self.n_rows = 0

    def add(self, units: Tensor, target: Tensor | None = None) -> None:
        """Take in (b, m, k) units: b · k rows of m."""
        phi = units.double()
        product = torch.einsum("bik,bjk->ij", phi, phi)
        self.second = product if self.second is None else self.second + product
        self.mean = self.mean + phi.sum(dim=(0, 2))
        self.n_rows += phi.shape[0] * phi.shape[2]
        if target is not None:
            wanted = target.double()
            product = torch.einsum("bik,bjk->ij", wanted, phi)
            self.cross = product if self.cross is None else self.cross + product
            self.target_mean = self.target_mean + wanted.sum(dim=(0, 2))

    def moments(self, name: str) -> Moments:
        if self.second is None or not self.n_rows:
            raise DomainError("prune: expected at least one calibration sample, got none")
        if not torch.isfinite(self.second).all():
            raise DomainError(f"prune: {name}: its inputs or their squares are not finite")

        def mean(total: Tensor) -> Floats:
            values: Floats = (total / self.n_rows).cpu().numpy()
            return values

        second = mean((self.second + self.second.T) / 2)
        if self.cross is None:
            return Moments(second, mean(self.mean), second, mean(self.mean), self.n_rows)
        return Moments(
            second, mean(self.mean), mean(self.cross), mean(self.target_mean), self.n_rows
        )


def channels(x: Tensor, reader: Reader) -> Tensor:
    """A reader's input (n, C·p) or (n, C, …) as (n, C, p): one unit per channel."""
    return x.unflatten(1, (-1, reader.positions)) if x.ndim == 2 else x.flatten(2)


def patches(x: Tensor, reader: Reader, module: nn.Module) -> Tensor:
    """A reader's input as its weights meet it, (n, C k², p) or (n, C·p, 1): one unit per weight."""
    if isinstance(module, nn.Conv2d):
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise NetworkError(
                f"prune: refit: {reader.module}: expected a Conv2d with zero padding in numbers, "
                f"got {module.padding!r} of {module.padding_mode}"
            )
        return functional.unfold(
            x,
            module.kernel_size,
            module.dilation,
            module.padding,
            module.stride,
        )
    return x[:, :, None]


@torch.no_grad()
def reader_moments(
    network: nn.Module,
    readers: Sequence[Reader],
    batches: Batches,
    by_weight: bool = False,
    target: nn.Module | None = None,
) -> dict[str, Moments]:
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
        From ``reader.tensor`` to ``Moments``; from ``reader.module`` where ``by_weight``, since
        patches are the reader's own.

    Raises
    ------
    DomainError
        If there is no sample, or an activation is not finite.
    NetworkError
        If the network does not take a batch.

    Notes
    -----
    Accumulates in float64, whatever the network's type. O(n p m²) for m units and p positions.
    """
    sums: dict[str, _Sums] = {}
    wanted: dict[str, Tensor] = {}
    first: dict[str, Reader] = {}
    for reader in readers:
        first.setdefault(reader.module if by_weight else reader.tensor, reader)

    def units(x: Tensor, reader: Reader, module: nn.Module) -> Tensor:
        return patches(x, reader, module) if by_weight else channels(x, reader)

    def remember(key: str, reader: Reader, module: nn.Module, x: Tensor) -> None:
        wanted[key] = units(x, reader, module).clone()  # a later operation may work in place

    def take(key: str, reader: Reader, module: nn.Module, x: Tensor) -> None:
        sums.setdefault(key, _Sums()).add(units(x, reader, module), wanted.pop(key, None))

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
        raise DomainError("prune: expected at least one calibration batch, got none")
    return {key: total.moments(first[key].module) for key, total in sums.items()}


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


def inputs(network: nn.Module, batch: Any) -> Tensor:
    """The input tensor of a batch, on the network's device."""
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    if not isinstance(x, Tensor):
        raise ShapeError(
            f"prune: expected batches of tensors, or of tuples that begin with one, got "
            f"{type(x).__name__}"
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
            f"prune: the network does not take a batch {tuple(x.shape)} of {x.dtype}: {text}"
        ) from None
    return y


def group_readers(groups: Sequence[Group]) -> list[Reader]:
    """All readers of the groups, in order."""
    return [reader for group in groups for reader in group.readers]


@torch.no_grad()
def reestimate_batch_norm(network: nn.Module, batches: Batches) -> None:
    """Replace every batch norm's running statistics by their averages over the batches.

    Parameters
    ----------
    network : nn.Module
        Changed in place; its mode stays.
    batches : iterable
        As in ``reader_moments``.

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
        raise DomainError("prune: batch norms: expected calibration batches of at least 2 samples")
