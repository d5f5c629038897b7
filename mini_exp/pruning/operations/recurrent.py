"""Recurrent layers: hidden units stay, what they read from outside may be pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.labels import array, axes_of, read
from mini_exp.pruning.operations.product import channels_along
from mini_exp.pruning.propagation import Contraction, Propagation
from mini_exp.spectral import Integers


def recur(run: Propagation, call: Call) -> None:
    """The first layer's input weights read the last axis; everything else stays.

    The result has no channels: nothing behind it is tied to anything before it.
    """
    x = call.args[0]
    reason = run.reason(f"{call.name} keeps its hidden units")
    inputs, others = _matrices(call)
    for weight in (*inputs, *others):
        reads = any(weight is one for one in inputs)
        columns, rows = (_along(run, weight, axis) for axis in (1, 0))
        if reads:
            read(run.constraints, run.operand(x), x.ndim - 1, columns, reason)
        run.contractions.append(
            Contraction(
                run.use(call, x, -1, weight),
                columns=None if columns is None or not reads else array(columns),
                rows=None if rows is None else array(rows),
                channels=channels_along(run, x, x.ndim - 1) if reads else _none(weight.shape[1]),
                positions=x.shape[:-1].numel() // run.n_samples,
                n_rows=weight.shape[0],
            )
        )
    for other in tensors_in((call.args[1:], call.kwargs)):
        for factor in run.factors(other):
            if not (any(other is weight for weight in inputs) and axes_of(factor) == (1,)):
                run.constraints.stay(array(factor).reshape(-1, 1), reason)
    if not inputs:
        run.let_stay([x], call.name)


def _along(run: Propagation, weight: Tensor, axis: int) -> Tensor | None:
    """Labels of a weight along an axis."""
    return next((f.ravel() for f in run.factors(weight) if axes_of(f) == (axis,)), None)


def _none(n: int) -> Integers:
    return np.zeros(n, dtype=np.int64)


def _matrices(call: Call) -> tuple[list[Tensor], list[Tensor]]:
    """What the first layer reads its input with, in both directions, and all other matrices."""
    if call.name.endswith("_cell"):
        return [call.args[2]], [call.args[3]]
    i = next(i for i, x in enumerate(call.args) if i > 1 and isinstance(x, list | tuple))
    if isinstance(call.args[i][0], Tensor) and call.args[i][0].ndim != 2:
        i += 1  # a packed sequence: its hidden state comes first
    flat, _, n_layers, _, _, bidirectional = call.args[i : i + 6]
    each = len(flat) // (n_layers * (2 if bidirectional else 1))
    first = [0, each] if bidirectional else [0]
    others = [x for j, x in enumerate(flat) if x.ndim == 2 and j not in first]
    return [flat[j] for j in first], others


RULES: dict[str, Any] = dict.fromkeys(
    (
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "lstm_cell",
        "gru_cell",
        "rnn_tanh_cell",
        "rnn_relu_cell",
    ),
    recur,
)
