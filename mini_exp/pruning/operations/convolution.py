"""Convolutions over all channels, within groups of them, and channel by channel."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from mini_exp.pruning.calls import Call
from mini_exp.pruning.labels import Factors, Operand, array, axes_of, joined, meet, read, reduced
from mini_exp.pruning.operations.elementwise import along_channels
from mini_exp.pruning.operations.product import channels_along
from mini_exp.pruning.propagation import Contraction, Propagation


def convolve(run: Propagation, call: Call) -> None:
    """The weight (out, in / groups, kernel) reads along its second axis and writes its first."""
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    x, weight, bias, *_, groups = call.bound(*names, groups=1)
    _label(run, call, x, weight, bias, groups, inputs=1, outputs=0)


def convolve_transposed(run: Propagation, call: Call) -> None:
    """The weight (in, out / groups, kernel) reads along its first axis and writes its second."""
    names = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    x, weight, bias, *_, groups, _ = call.bound(*names, groups=1)
    _label(run, call, x, weight, bias, groups, inputs=0, outputs=1)


def _label(
    run: Propagation,
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int,
    inputs: int,
    outputs: int,
) -> None:
    axis = x.ndim - weight.ndim + 1  # of the channels: there may be no axis of samples
    reason = run.reason(f"{call.name} with a tensor that has no channels")
    columns, rows = (_along(run, weight, one, reason) for one in (inputs, outputs))
    positions = range(axis + 1, x.ndim)
    own = Operand(run.factors(x), tuple(x.shape))
    for factor in own.factors:
        if factor.shape[axis] == 1:  # depends on positions only
            reduced(run.constraints, factor, positions, run.reason(f"{call.name} over channels"))
    written: Tensor | None = rows
    if groups > 1 and weight.shape[inputs] * (groups if inputs else 1) == groups:
        written = rows if inputs else _rows_of_channels(run, columns, rows, weight.shape[outputs])
        left = _depthwise(run, call, x, axis, weight, written, reason)
    else:
        if groups > 1:
            columns, written = _grouped(run, columns, rows, groups, inputs)
        left = read(run.constraints, own, axis, columns, reason)
        _note(run, call, x, axis, weight, columns, written, groups)
    factors = [factor for factor in left if not set(positions) & set(axes_of(factor))]
    if written is not None:
        factors.append(written.reshape(-1, *(1,) * len(positions)))
        factors[-1] = factors[-1].reshape(*(1,) * axis, *factors[-1].shape)
    operands = [Operand(tuple(factors), tuple(call.result.shape))]
    if bias is not None:
        operands.append(along_channels(run, bias, call.result.ndim, axis))
    run.label(call.result, joined(run.constraints, operands, run.reason("a bias")))


def _along(run: Propagation, weight: Tensor, axis: int, reason: str) -> Tensor | None:
    """Labels of a weight along an axis; those that depend on others as well are tied."""
    for factor in run.factors(weight):
        if factor.shape[axis] > 1:
            lines = factor.movedim(axis, -1).reshape(-1, factor.shape[axis])
            run.constraints.tie(array(lines), array(lines[:1]))
            return lines[0]
    return None


def _depthwise(
    run: Propagation,
    call: Call,
    x: Tensor,
    axis: int,
    weight: Tensor,
    rows: Tensor | None,
    reason: str,
) -> Factors:
    """Channel by channel: as many outputs of each as there are, removed with it."""
    if rows is None:
        return meet(run.constraints, run.operand(x), axis, None, reason)
    run.contractions.append(
        Contraction(
            run.use(call, x, axis - x.ndim, weight),
            columns=None,
            rows=array(rows),
            channels=np.zeros(x.shape[axis], dtype=np.int64),
            positions=_uses(call, x, axis),
            kernel=math.prod(weight.shape[2:]),
            groups=x.shape[axis],
        )
    )
    by_channel = rows.reshape(x.shape[axis], -1)
    run.constraints.tie(array(by_channel), array(by_channel[:, :1]))
    return meet(run.constraints, run.operand(x), axis, by_channel[:, 0], reason)


def _rows_of_channels(
    run: Propagation, columns: Tensor | None, rows: Tensor | None, each: int
) -> Tensor | None:
    """What a transposed convolution writes channel by channel; all channels share its rows."""
    if rows is not None:
        reason = run.reason("every channel writes as many outputs")
        run.constraints.stay(array(rows).reshape(-1, 1), reason)
    return None if columns is None else columns.repeat_interleave(each)


def _grouped(
    run: Propagation, columns: Tensor | None, rows: Tensor | None, groups: int, inputs: int
) -> tuple[Tensor | None, Tensor | None]:
    """Every group of channels loses equally many of what it reads and of what it writes.

    The axis that all groups share stands for the same place in each of them.
    """
    shared, own = (columns, rows) if inputs else (rows, columns)
    if own is not None:
        by_group = own.reshape(groups, -1)
        run.constraints.tie(array(by_group), array(by_group[:1]))
    repeated = None if shared is None else shared.repeat(groups)
    return (repeated, own) if inputs else (own, repeated)


def _note(
    run: Propagation,
    call: Call,
    x: Tensor,
    axis: int,
    weight: Tensor,
    columns: Tensor | None,
    rows: Tensor | None,
    groups: int,
) -> None:
    """Remember the use of a weight."""
    run.contractions.append(
        Contraction(
            run.use(call, x, axis - x.ndim, weight),
            columns=None if columns is None else array(columns),
            rows=None if rows is None else array(rows),
            channels=channels_along(run, x, axis),
            positions=_uses(call, x, axis),
            kernel=math.prod(weight.shape[2:]),
            n_rows=call.result.shape[axis],
            groups=groups,
        )
    )


def _uses(call: Call, x: Tensor, axis: int) -> int:
    """How often the kernel is used for one sample."""
    output = x if "transpose" in call.name else call.result
    return math.prod(output.shape[axis + 1 :])


CONVOLUTIONS = [f"conv{n}d" for n in (1, 2, 3)]
TRANSPOSED = [f"conv_transpose{n}d" for n in (1, 2, 3)]

RULES = {
    **dict.fromkeys(CONVOLUTIONS, convolve),
    **dict.fromkeys(TRANSPOSED, convolve_transposed),
}
