"""The check of every result: removing channels must do what zeros in their readers do."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mini_exp.errors import NetworkError
from mini_exp.pruning.calibration import Example, described, eval_mode
from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.operations.elementwise import DROPOUTS
from mini_exp.pruning.trace import KEPT_IN_TRAINING, independent_copy

MOST_COMPARED = 2**16
"""Entries of a module's output; of its network's, all are."""
FEW_DIGITS = 1e-6
"""A type of this precision or less is too coarse for what happens inside."""


def agreement(smaller: nn.Module, masked: nn.Module, example: Example) -> float:
    """max |y − ŷ| / max |ŷ| over all outputs, in eval mode and on the branch of training.

    Parameters
    ----------
    smaller : nn.Module
        The pruned network.
    masked : nn.Module
        The network of the original size whose readers have zeros for what was removed.
    example : Example

    Raises
    ------
    NetworkError
        If the outputs differ by more than √ε of their type, or what a module gives in between
        does, naming the first one.

    Notes
    -----
    Four forward passes. On the branch of training, dropout and batch norms stay as in eval mode; a
    network that cannot be trained on such an example is checked in eval mode alone. Where the
    networks differ they are compared once more in float64, for new weights may make rounding large;
    those of half precision are compared in float32 where they run in it.
    """
    types: tuple[torch.dtype | None, ...] = (None, torch.float64)
    if any(_has_few_digits(parameter) for parameter in smaller.parameters()):
        types = (torch.float32, torch.float64, None)
    differences: list[NetworkError] = []
    for dtype in types:
        if dtype is None and differences:
            break  # as it is it could hide them
        try:
            return _agreement(*_of_type(smaller, masked, example, dtype))
        except NetworkError as error:
            differences.append(error)
        except Exception:  # of code for one type only, say
            if dtype is None:
                raise
    raise differences[0]


def _has_few_digits(x: Tensor) -> bool:
    return x.is_floating_point() and torch.finfo(x.dtype).eps >= FEW_DIGITS


def _of_type(
    smaller: nn.Module, masked: nn.Module, example: Example, dtype: torch.dtype | None
) -> tuple[nn.Module, nn.Module, Example]:
    """Copies of the networks and the example in another type; themselves where that is None."""
    if dtype is None:
        return smaller, masked, example

    def converted(value: Any) -> Any:
        fractions = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(dtype) if fractions else value

    named = {name: converted(value) for name, value in example.named.items()}
    wide = Example(tuple(map(converted, example.arguments)), named)
    return independent_copy(smaller).to(dtype), independent_copy(masked).to(dtype), wide


def _agreement(smaller: nn.Module, masked: nn.Module, example: Example) -> float:
    with eval_mode(smaller), eval_mode(masked), torch.random.fork_rng(devices=[]), torch.no_grad():
        worst = _difference(smaller, masked, example)
        for network in (smaller, masked):
            for module in network.modules():
                module.training = not isinstance(module, KEPT_IN_TRAINING)
        try:
            _run(masked, example)
        except Exception:  # it trains on something else, targets say
            return worst
        return max(worst, _difference(smaller, masked, example))


@dataclass(frozen=True)
class _Seen:
    """Some entries of what a module gave, all of its shape, and the largest that it was given."""

    name: str
    shape: torch.Size
    entries: Tensor
    given: float


def _difference(smaller: nn.Module, masked: nn.Module, example: Example) -> float:
    """The largest difference of the outputs; of what modules give, the first is an error too."""
    expected, inside = _run(masked, example)
    try:
        got, inside_got = _run(smaller, example)
    except Exception as error:  # whatever the network's own code raises
        name = type(smaller).__name__
        raise NetworkError(
            f"{name} does not run with fewer channels: {described(error)}; exclude what it is in"
        ) from None
    differences = [_relative(x, y) for x, y in zip(got, expected, strict=True)]
    different = _first_different(inside_got, inside)
    if any(d > _tolerance(y) for d, y in zip(differences, expected, strict=True)):
        different = different or type(smaller).__name__
    if different:
        raise NetworkError(
            f"{different}: gives something else with fewer channels than with zeros in their place "
            "(its forward depends on their number?); exclude what it reads"
        )
    return max(differences, default=0.0)


def _run(network: nn.Module, example: Example) -> tuple[list[Tensor], list[_Seen]]:
    """The network's outputs, and what its modules gave in between."""
    seen: list[_Seen] = []
    with contextlib.ExitStack() as stack:
        for name, module in network.named_modules():

            def see(
                module: nn.Module, given: Any, named: Any, result: Any, name: str = name
            ) -> None:
                largest = max((_largest(x) for x in tensors_in((given, named))), default=0.0)
                for x in tensors_in(result):
                    entries = x.detach().flatten()[:: x.numel() // MOST_COMPARED + 1].clone()
                    seen.append(_Seen(name or type(network).__name__, x.shape, entries, largest))

            handle = module.register_forward_hook(see, with_kwargs=True)
            stack.callback(handle.remove)
        torch.manual_seed(0)
        stack.enter_context(_WithoutChance())
        outputs = example.output(network)
    return [x.detach().clone() for x in tensors_in(outputs)], seen


def _first_different(smaller: list[_Seen], masked: list[_Seen]) -> str:
    """The first module whose output has the same shape in both networks and is another.

    What is small beside the module's input may be rounding that a norm has made large. Types of
    few digits are left to the outputs.
    """
    for one, other in zip(smaller, masked, strict=False):
        y = other.entries
        alike = (one.name, one.shape) == (other.name, other.shape)
        comparable = alike and y.is_floating_point() and torch.finfo(y.dtype).eps < FEW_DIGITS
        if comparable and not _relative(one.entries, y, other.given) <= _tolerance(y):
            return other.name
    return ""


class _WithoutChance(TorchFunctionMode):
    """Functions of dropout return what they are given; noise is the same for every channel."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        call = Call.of(func, args, kwargs)
        if call.name in DROPOUTS:
            return call.args[0]
        if call.name in ("rand_like", "randn_like"):
            return torch.full_like(call.args[0], 0.5, **call.kwargs)
        if call.name == "scaled_dot_product_attention":
            rest = dict(zip(("dropout_p", "is_causal"), args[4:], strict=False))
            return func(*args[:4], **{**rest, **call.kwargs, "dropout_p": 0.0})
        return func(*args, **(kwargs or {}))


def _relative(x: Tensor, y: Tensor, least: float = 0.0) -> float:
    """max |x − y| / max(|y|, least) over what is finite.

    ∞ where the shapes differ, or what is not finite or no number of a type with fractions.
    """
    if x.shape != y.shape:
        return math.inf
    if not (y.is_floating_point() or y.is_complex()):
        return 0.0 if torch.equal(x, y) else math.inf
    finite = torch.isfinite(y)
    same = (x == y) | (x.isnan() & y.isnan())
    if not bool((same | finite).all()):
        return math.inf
    difference = torch.where(finite, x - y, 0).abs().double()
    size = max(_largest(y), least)
    worst = float(difference.max()) if y.numel() else 0.0
    return worst / size if size else worst


def _largest(x: Tensor) -> float:
    """max |x| over what is finite."""
    if not x.numel() or not (x.is_floating_point() or x.is_complex()):
        return 0.0
    return float(torch.where(torch.isfinite(x), x, 0).abs().max())


def _tolerance(y: Tensor) -> float:
    fractions = y.is_floating_point() or y.is_complex()
    return float(torch.finfo(y.dtype).eps ** 0.5) if fractions else 0.0
