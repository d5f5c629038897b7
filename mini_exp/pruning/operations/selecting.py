"""Parts of a tensor: chunks lose equally many channels, what is picked by number stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mini_exp.pruning.calls import Call
from mini_exp.pruning.labels import Operand, array, compressed, joined, nontrivial, stay_along
from mini_exp.pruning.operations.movement import move
from mini_exp.pruning.propagation import Propagation


def chunk(run: Propagation, call: Call) -> None:
    """Equal parts along an axis."""
    x, _, axis = call.bound("input", "chunks", "dim", dim=0)
    _label_parts(run, call, axis % x.ndim)


def split(run: Propagation, call: Call) -> None:
    """Parts of given sizes along an axis."""
    names = ("input", "split_size", "dim")
    x, _, axis = call.bound(*names, dim=0)
    _label_parts(run, call, axis % x.ndim)


def unbind(run: Propagation, call: Call) -> None:
    """Every place along an axis by itself."""
    x, axis = call.bound("input", "dim", dim=0)
    axis = axis % x.ndim
    _let_stay_along(run, x, [axis], "unbind")
    for i, part in enumerate(call.result):
        factors = [compressed(_place(factor, axis, i)) for factor in run.factors(x)]
        run.label(part, factors)


def select(run: Propagation, call: Call) -> None:
    """One place along an axis."""
    x, axis, i = call.bound("input", "dim", "index")
    axis = axis % x.ndim
    _let_stay_along(run, x, [axis], "a channel picked by its number")
    run.label(call.result, [compressed(_place(f, axis, i)) for f in run.factors(x)])


def gate(run: Propagation, call: Call) -> None:
    """The first half of an axis times a sigmoid of the second."""
    x, axis = call.bound("input", "dim", dim=-1)
    axis = axis % x.ndim
    size = x.shape[axis] // 2
    halves: list[list[Tensor]] = [[], []]
    for factor in run.factors(x):
        whole = factor.shape[axis] == 1
        if not whole:
            _tie_parts(run, factor, axis, size)
        for i, half in enumerate(halves):
            half.append(factor if whole else compressed(factor.narrow(axis, i * size, size)))
    operands = [Operand(nontrivial(half), tuple(call.result.shape)) for half in halves]
    run.label(call.result, joined(run.constraints, operands, run.reason("glu")))


def narrow(run: Propagation, call: Call) -> None:
    """Some places in a row along an axis."""
    x, axis, start, length = call.bound("input", "dim", "start", "length")
    axis = axis % x.ndim
    start = int(start) % x.shape[axis]
    _cut(run, x, axis, slice(start, start + length))
    move(run, call)


def index_select(run: Propagation, call: Call) -> None:
    """Places by number along an axis."""
    x, axis, _ = call.bound("input", "dim", "index")
    _let_stay_along(run, x, [axis % x.ndim], "channels picked by their numbers")
    move(run, call)


def getitem(run: Propagation, call: Call) -> None:
    """Indexing: slices, numbers, masks and tensors of numbers."""
    x, index = call.args
    keys = _keys(index, x.ndim)
    axis = 0
    for key in keys:
        if key is None or isinstance(key, bool):
            continue
        if isinstance(key, Tensor) and key.dtype == torch.bool:
            n_axes = key.ndim
            _let_stay_along(run, x, range(axis, axis + n_axes), "a mask over channels")
            axis += n_axes
            continue
        if isinstance(key, slice):
            _cut(run, x, axis, key)
        else:
            _let_stay_along(run, x, [axis], "channels picked by their numbers")
        axis += 1
    run.let_stay([key for key in keys if isinstance(key, Tensor)], "an index")
    labels = [factor.expand(x.shape)[index] for factor in run.factors(x)]
    run.label(call.result, [compressed(one) for one in labels])


def _label_parts(run: Propagation, call: Call, axis: int) -> None:
    """Label the parts of a tensor along an axis; equal ones lose equally many channels."""
    x = call.args[0]
    sizes = [part.shape[axis] for part in call.result]
    for factor in run.factors(x):
        if factor.shape[axis] == 1 or len(sizes) == 1:
            continue
        if len(set(sizes)) == 1:
            _tie_parts(run, factor, axis, sizes[0])
        else:
            stay_along(run.constraints, factor, [axis], run.reason("parts of unequal sizes"))
    start = 0
    for part, size in zip(call.result, sizes, strict=True):
        factors = [
            factor if factor.shape[axis] == 1 else factor.narrow(axis, start, size)
            for factor in run.factors(x)
        ]
        run.label(part, [compressed(factor) for factor in factors])
        start += size


def _tie_parts(run: Propagation, factor: Tensor, axis: int, size: int) -> None:
    """Let equal parts along an axis lose equally many channels."""
    parts = factor.movedim(axis, -1)
    run.split(array(parts.unflatten(-1, (-1, size)).squeeze()))


def _cut(run: Propagation, x: Tensor, axis: int, key: slice) -> None:
    """Constraints of a slice: an equal part of the axis, all of it, or what stays."""
    size = x.shape[axis]
    start, stop, step = key.indices(size)
    if (start, stop, step) == (0, size, 1):
        return
    for factor in run.factors(x):
        if factor.shape[axis] == 1:
            continue
        length = stop - start
        if step == 1 and length > 1 and size % length == 0 and start % length == 0:
            _tie_parts(run, factor, axis, length)
        else:
            stay_along(run.constraints, factor, [axis], run.reason("a slice of channels"))


def _let_stay_along(run: Propagation, x: Tensor, axes: Sequence[int], what: str) -> None:
    for factor in run.factors(x):
        stay_along(run.constraints, factor, axes, run.reason(what))


def _place(factor: Tensor, axis: int, i: int) -> Tensor:
    return factor.select(axis, i if factor.shape[axis] > 1 else 0)


def _keys(index: Any, n_axes: int) -> list[Any]:
    """One key per axis, and those that make new ones; an ellipsis written out."""
    keys = list(index) if isinstance(index, tuple) else [index]
    used = sum(
        key.ndim if isinstance(key, Tensor) and key.dtype == torch.bool else 1
        for key in keys
        if key is not None and key is not Ellipsis and not isinstance(key, bool)
    )
    for i, key in enumerate(keys):
        if key is Ellipsis:
            return [*keys[:i], *([slice(None)] * (n_axes - used)), *keys[i + 1 :]]
    return keys


RULES = {
    "chunk": chunk,
    "tensor_split": chunk,
    "split": split,
    "split_with_sizes": split,
    "unbind": unbind,
    "iter": unbind,
    "select": select,
    "narrow": narrow,
    "glu": gate,
    "index_select": index_select,
    "getitem": getitem,
}
