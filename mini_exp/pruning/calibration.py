"""Calibration batches: how a network is run on them, and what batch norms take from them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mini_exp.errors import DomainError, NetworkError, ShapeError
from mini_exp.progress import Told

Batches: TypeAlias = Iterable[Any] | Callable[[nn.Module], Any]

FEW_SAMPLES = 4
"""Enough to see how a network is made, and whether another one does the same."""


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


@dataclass(frozen=True)
class Example:
    """What a network is called with."""

    arguments: tuple[Any, ...]
    named: Mapping[str, Any]

    def output(self, network: nn.Module) -> Any:
        """The network's output; the example keeps its values whatever the network does to them."""
        return network(*_cloned(self.arguments), **_cloned(dict(self.named)))

    @property
    def tensors(self) -> list[Tensor]:
        values = [*self.arguments, *self.named.values()]
        return [x for x in values if isinstance(x, Tensor)]

    @property
    def n_samples(self) -> int:
        """The size of the first axis of the first tensor, at least 1."""
        return next((max(len(x), 1) for x in self.tensors if x.ndim), 1)

    def copy(self) -> Example:
        """The same values, whatever happens to these."""
        return Example(_cloned(self.arguments), _cloned(dict(self.named)))

    @property
    def can_be_cut(self) -> bool:
        """Whether all tensors have as many samples."""
        return len({x.shape[:1] for x in self.tensors}) == 1 and all(x.ndim for x in self.tensors)

    def part(self, start: int, stop: int) -> Example:
        """Some samples, if they can be cut."""
        if not self.can_be_cut:
            return self

        def cut(value: Any) -> Any:
            return value[start:stop] if isinstance(value, Tensor) else value

        return Example(
            tuple(map(cut, self.arguments)), {name: cut(x) for name, x in self.named.items()}
        )

    def first(self, n: int) -> Example:
        """The first n samples, if they can be cut."""
        return self.part(0, n)

    def pieces(self, n: int) -> Iterator[Example]:
        """All samples, n at a time; all at once if they cannot be cut."""
        if not self.can_be_cut:
            yield self
            return
        for start in range(0, self.n_samples, n):
            yield self.part(start, start + n)

    def __str__(self) -> str:
        shapes = [f"{tuple(x.shape)} of {x.dtype}" for x in self.tensors]
        return f"a batch {', '.join(shapes)}"


def _cloned(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _cloned(one) for key, one in value.items()}
    return tuple(map(_cloned, value)) if type(value) is tuple else value


def example_of(network: nn.Module, batch: Any) -> Example:
    """What a network is called with for a batch, on the network's device.

    A tensor, a tuple or list that begins with one (what follows are labels), or a mapping of
    keyword arguments.

    Raises
    ------
    ShapeError
    """
    device = next((parameter.device for parameter in network.parameters()), None)

    def moved(x: Any) -> Any:
        return x.to(device) if isinstance(x, Tensor) and device is not None else x

    if isinstance(batch, Mapping):
        if not any(isinstance(x, Tensor) for x in batch.values()):
            raise ShapeError("expected batches with a tensor among their values, got none")
        return Example((), {str(name): moved(x) for name, x in batch.items()})
    x = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
    if not isinstance(x, Tensor):
        raise ShapeError(
            "expected batches of tensors, of tuples that begin with one, or of keyword "
            f"arguments by name, got {type(x).__name__}"
        )
    return Example((moved(x),), {})


def first_example(network: nn.Module, batches: Batches) -> Example:
    """What the network is called with first.

    Raises
    ------
    DomainError
        If it is not called with a sample.
    """
    if callable(batches):
        calls: list[Example] = []

        def see(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            calls.append(Example(arguments, named).copy())
            raise _SeenError

        handle = network.register_forward_pre_hook(see, with_kwargs=True)
        try:
            with contextlib.suppress(_SeenError), torch.no_grad(), eval_mode(network):
                batches(network)
        finally:
            handle.remove()
    else:
        calls = [
            example
            for example in (example_of(network, batch) for batch in batches)
            if any(x.ndim and len(x) for x in example.tensors)
        ][:1]
    if not calls:
        raise DomainError("expected at least one calibration batch, got none")
    return calls[0]


def small_example(network: nn.Module, batches: Batches) -> Example:
    """The first samples of what the network is called with first; all where it takes no fewer."""
    example = first_example(network, batches)
    few = example.first(FEW_SAMPLES)
    with eval_mode(network), torch.no_grad():
        try:
            few.output(network)
        except Exception:  # whatever the network's own code raises
            return example
    return few


class _SeenError(Exception):
    """The call has been seen; the rest need not run."""


class Unpadded:
    """Positions that count: those that the ``attention_mask`` of the present batch keeps."""

    def __init__(self) -> None:
        self.masks: list[Tensor] = []

    def note(self, module: nn.Module, arguments: Any, named: dict[str, Any]) -> None:
        """A hook of the network, before it runs."""
        self.masks = [x for name, x in named.items() if name == "attention_mask" and x is not None]

    def __call__(self, x: Tensor) -> Tensor:
        """What counts of a tensor (n, positions, …); others as they are."""
        for kept in self.masks:
            if x.ndim == 3 and kept.shape == x.shape[:2]:
                x = x[kept.bool()]
        return x


def repeatable(batches: Any, progress: bool = False) -> Batches:
    """Batches that can be gone through several times; a tensor is one of them.

    Raises
    ------
    ShapeError
        If they are neither iterable nor a function.
    """
    if isinstance(batches, Tensor | Mapping):
        batches = [batches]
    if isinstance(batches, nn.Module):
        raise ShapeError("expected the network first, then batches of tensors; got them swapped")
    if not (isinstance(batches, Iterable) or callable(batches)):
        raise ShapeError(f"expected batches of tensors, got {type(batches).__name__}")
    if isinstance(batches, Iterable) and _may_end(batches):
        batches = list(batches)
    return Told(batches, "prune: batch") if progress and isinstance(batches, Iterable) else batches


def _may_end(batches: Iterable[Any]) -> bool:
    """Whether a second pass may find nothing; not so of a list or a loader of known length."""
    if isinstance(batches, Iterator):
        return True
    try:
        len(batches)  # type: ignore[arg-type]
    except TypeError:
        return True
    return not isinstance(batches, Sequence | DataLoader) and iter(batches) is iter(batches)


def run_through(network: nn.Module, batches: Batches) -> None:
    """Run a network on all batches, in the mode that it is in.

    Raises
    ------
    NetworkError
        If it does not take one.
    """
    if callable(batches):
        batches(network)
        return
    for batch in batches:
        evaluated(network, batch)


def evaluated(network: nn.Module, batch: Any) -> Any:
    """The network's output for a batch, in the mode that it is in."""
    example = example_of(network, batch)
    try:
        return network(*example.arguments, **example.named)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise NetworkError(f"the network does not take {example}: {described(error)}") from None


def described(error: BaseException) -> str:
    """An error's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__
