"""Calls of PyTorch's functions: under which name a function has a rule, and what it is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass
class Call:
    """A function of PyTorch, called; its first argument is given by position."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None

    @classmethod
    def of(cls, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Call:
        named = dict(kwargs or {})
        if not args and "input" in named:
            args = (named.pop("input"),)
        return cls(function_name(function), function, args, named)

    def bound(self, *names: str, **defaults: Any) -> list[Any]:
        """The arguments with these names, in this order."""
        values = dict(zip(names, self.args, strict=False)) | self.kwargs
        return [values.get(name, defaults.get(name)) for name in names]


def function_name(function: Callable[..., Any]) -> str:
    """The name under which a function has a rule: methods and operators by what they do.

    Examples
    --------
    >>> import torch
    >>> function_name(torch.Tensor.add_), function_name(torch.Tensor.__radd__)
    ('add', 'add')
    """
    name = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":
        name = function.__self__.__name__  # type: ignore[attr-defined]
    stripped: str = name.strip("_")
    return OPERATORS.get(stripped, stripped)


def in_place(function: Callable[..., Any]) -> bool:
    """Whether a function changes its first argument.

    Examples
    --------
    >>> import torch
    >>> in_place(torch.Tensor.add_), in_place(torch.Tensor.__iadd__), in_place(torch.add)
    (True, True, False)
    """
    name = getattr(function, "__name__", "")
    if name.startswith("__"):
        return (name.startswith("__i") and name.strip("_") in OPERATORS) or name == "__setitem__"
    return bool(name.endswith("_"))


OPERATORS = {
    "radd": "add",
    "iadd": "add",
    "rsub": "sub",
    "isub": "sub",
    "rmul": "mul",
    "imul": "mul",
    "truediv": "div",
    "rtruediv": "div",
    "itruediv": "div",
    "rdiv": "div",
    "idiv": "div",
    "rpow": "pow",
    "ipow": "pow",
    "rmatmul": "matmul",
    "invert": "bitwise_not",
}
"""Python's operators by the function that they call."""

WRITING = {"setitem"}
"""Functions that return nothing and change what they are given."""


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors of a nested structure."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from tensors_in(one)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from tensors_in(getattr(value, one.name))
