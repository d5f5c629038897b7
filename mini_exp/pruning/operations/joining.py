"""Concatenation and stacking: channels side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mini_exp.pruning.calls import Call
from mini_exp.pruning.constraints import CONSTANT
from mini_exp.pruning.labels import Factors, Operand, axes_of, compressed, joined
from mini_exp.pruning.propagation import Propagation


def concatenate(run: Propagation, call: Call) -> None:
    """Labels side by side along the axis; what must have the same size elsewhere is tied."""
    tensors, axis = call.bound("tensors", "dim", dim=0)
    pieces = [x for x in tensors if x.numel() or x.ndim > 1]
    operands = [run.operand(x) for x in pieces]
    run.label(call.result, side_by_side(run, operands, axis % call.result.ndim))


def stack(run: Propagation, call: Call) -> None:
    """Tensors along a new axis: each loses equally many."""
    tensors, axis = call.bound("tensors", "dim", dim=0)
    axis = axis % call.result.ndim
    operands = []
    for x in tensors:
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        operands.append(Operand(tuple(f.unsqueeze(axis) for f in run.factors(x)), shape))
    run.label(call.result, side_by_side(run, operands, axis))


def side_by_side(run: Propagation, operands: list[Operand], axis: int) -> Factors:
    """Factors of a concatenation along an axis."""
    across = [
        Operand(
            tuple(factor for factor in operand.factors if factor.shape[axis] == 1),
            tuple(1 if i == axis else size for i, size in enumerate(operand.shape)),
        )
        for operand in operands
    ]
    reason = run.reason("a concatenation with a tensor that has no channels")
    return (*joined(run.constraints, across, reason), *_along(operands, axis))


def _along(operands: list[Operand], axis: int) -> list[Tensor]:
    """Factors that depend on the axis, one for each set of other axes on which they depend."""
    own: dict[frozenset[int], list[Tensor | None]] = {}
    for i, operand in enumerate(operands):
        for factor in operand.factors:
            if factor.shape[axis] > 1:
                others = frozenset(axes_of(factor)) - {axis}
                own.setdefault(others, [None] * len(operands))[i] = factor
    results = []
    for others, own_factors in own.items():
        parts = []
        for operand, own_factor in zip(operands, own_factors, strict=True):
            shape = [
                size if i in others or i == axis else 1 for i, size in enumerate(operand.shape)
            ]
            constant = torch.full((1,) * len(shape), CONSTANT)
            parts.append((constant if own_factor is None else own_factor).expand(shape))
        results.append(compressed(torch.cat(parts, dim=axis)))
    return results


def write_into(run: Propagation, call: Call) -> None:
    """Assignment to a part of a tensor: both keep their channels."""
    run.let_stay(_labelled(run, call.args), "assignment to a part of a tensor")


def _labelled(run: Propagation, arguments: Any) -> list[Tensor]:
    return [x for x in arguments if isinstance(x, Tensor) and run.factors(x)]


RULES = {
    **dict.fromkeys(("cat", "concat", "concatenate"), concatenate),
    "stack": stack,
    "setitem": write_into,
}
