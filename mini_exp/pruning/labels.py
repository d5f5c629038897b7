"""Labels of a tensor's elements: which channel each of them is.

A *factor* is an integer tensor with as many axes as the tensor it labels, of size 1 along every
axis on which the label does not depend. An activation has one factor, a weight one per axis: its
element [o, i] is removed with row o and with column i.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from mini_exp.pruning.constraints import CONSTANT, Constraints
from mini_exp.spectral import Integers

Factors: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True)
class Operand:
    """A tensor as an operation sees it: its factors and its shape."""

    factors: Factors
    shape: tuple[int, ...]


def axes_of(factor: Tensor) -> tuple[int, ...]:
    """The axes on which a label depends."""
    return tuple(axis for axis, size in enumerate(factor.shape) if size > 1)


def compressed(labels: Tensor) -> Tensor:
    """The same labels with size 1 along every axis on which they do not depend.

    Examples
    --------
    >>> compressed(torch.tensor([[3, 4], [3, 4]]))
    tensor([[3, 4]])
    """
    for axis, size in enumerate(labels.shape):
        if size > 1:
            first = labels.narrow(axis, 0, 1)
            if labels.stride(axis) == 0 or bool((labels == first).all()):
                labels = first
    return labels


def nontrivial(factors: Iterator[Tensor] | Sequence[Tensor]) -> Factors:
    """Those that depend on an axis: a tensor without such an axis has no channels."""
    return tuple(factor for factor in factors if factor.numel() > 1)


def array(factor: Tensor) -> Integers:
    """The labels in NumPy."""
    values: Integers = factor.numpy()
    return values


def lines_along(factor: Tensor, axes: Sequence[int]) -> tuple[Integers, tuple[int, ...]]:
    """The labels as lines along some axes, (n, k), and the shape where these have size 1."""
    rest = [axis for axis in range(factor.ndim) if axis not in axes]
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(factor.shape))
    n = int(np.prod([factor.shape[axis] for axis in rest], dtype=np.int64))
    return array(factor.permute(*rest, *axes).reshape(n, -1)), shape


def stay_along(constraints: Constraints, factor: Tensor, axes: Sequence[int], reason: str) -> None:
    """Of every position along some axes something stays."""
    own = [axis for axis in axes_of(factor) if axis in axes]
    if own:
        others = [axis for axis in range(factor.ndim) if axis not in own]
        constraints.stay(lines_along(factor, others)[0], reason)


def joined(constraints: Constraints, operands: Sequence[Operand], reason: str) -> Factors:
    """Factors of what depends on the same element of every operand, as broadcast against it.

    Labels that meet are tied. A factor that depends on some of another's axes only is a part of it:
    its label vanishes with all those that it meets. What meets a constant stays.
    """
    n_axes = max(len(operand.shape) for operand in operands)
    aligned = [_aligned(operand, n_axes) for operand in operands]
    result: list[Tensor] = []
    for operand in aligned:
        for factor in operand.factors:
            result = _with(constraints, result, factor, reason)
    kept = []
    for factor in result:
        axes = set(axes_of(factor))
        uncovered: set[int] = set()
        for operand in aligned:
            extent = {axis for axis in axes if operand.shape[axis] > 1}
            covered = {axis for own in operand.factors for axis in axes_of(own)}
            uncovered |= extent - covered
        stay_along(constraints, factor, sorted(uncovered), reason)
        if uncovered != axes:
            kept.append(factor)
    return tuple(kept)


def _aligned(operand: Operand, n_axes: int) -> Operand:
    lead = (1,) * (n_axes - len(operand.shape))
    return Operand(
        tuple(factor.reshape(lead + tuple(factor.shape)) for factor in operand.factors),
        lead + tuple(operand.shape),
    )


def _with(
    constraints: Constraints, factors: list[Tensor], new: Tensor, reason: str
) -> list[Tensor]:
    """Factors so far and one that meets them."""
    axes = set(axes_of(new))
    for i, old in enumerate(factors):
        own = set(axes_of(old))
        if own == axes:
            constraints.tie(array(old), array(new))
            merged = torch.where(old == CONSTANT, new, old)
            return [*factors[:i], merged, *factors[i + 1 :]]
        if own < axes or axes < own:
            whole, parts = (old, new) if own < axes else (new, old)
            lines, _ = lines_along(parts, sorted(set(axes_of(parts)) - set(axes_of(whole))))
            constraints.vanish_with(array(whole).ravel(), lines)
            return [*factors[:i], parts, *factors[i + 1 :]]
        if own & axes:
            for factor in (old, new):
                constraints.stay(array(factor).reshape(-1, 1), reason)
    return [*factors, new]


def meet(
    constraints: Constraints, operand: Operand, axis: int, columns: Tensor | None, reason: str
) -> Factors:
    """Tie an operand's labels along an axis to those of a weight, wherever they stand.

    What is left are the operand's factors that do not depend on the axis.
    """
    left = []
    for factor in operand.factors:
        if factor.shape[axis] == 1:
            left.append(factor)
            continue
        lines = array(factor.movedim(axis, -1).reshape(-1, factor.shape[axis]))
        if columns is None:
            constraints.stay(lines.reshape(-1, 1), reason)
        else:
            constraints.tie(lines, array(columns))
    if len(left) == len(operand.factors) and columns is not None:
        constraints.stay(array(columns).reshape(-1, 1), reason)
    return tuple(left)


def read(
    constraints: Constraints, operand: Operand, axis: int, columns: Tensor | None, reason: str
) -> Factors:
    """The same where a weight sums over the axis."""
    if columns is not None:
        constraints.read(array(columns))
    return meet(constraints, operand, axis, columns, reason)


def reduced(
    constraints: Constraints, factor: Tensor, axes: Sequence[int], reason: str | None
) -> Tensor:
    """The factor of what is computed from all elements along some axes, these having size 1.

    Parameters
    ----------
    reason : str or None
        Why labels of several units may not be mixed; None where they may, as in a product of two
        activations, which a removed unit leaves as a zero does.
    """
    own = [axis for axis in axes_of(factor) if axis in axes]
    if not own:
        return factor
    lines, shape = lines_along(factor, own)
    if reason is not None:
        constraints.mix(lines, reason)
    if len(lines) == 1:
        return torch.zeros(shape, dtype=torch.int64)
    whole = constraints.new_labels(len(lines))
    constraints.vanish_with(whole, lines)
    return torch.from_numpy(whole).reshape(shape)
