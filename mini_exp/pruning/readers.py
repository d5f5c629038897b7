"""Weights that read channels as they are, and how: which axes, which entries of their input."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from mini_exp.pruning.constraints import CONSTANT
from mini_exp.pruning.graph import Reader
from mini_exp.pruning.propagation import Contraction, Propagation
from mini_exp.spectral import Integers


def weight_readers(run: Propagation) -> list[Reader]:
    """Weights that read as they are, each use of one once."""
    tensors: dict[tuple[object, ...], list[int]] = defaultdict(list)
    first: dict[tuple[object, ...], Contraction] = {}
    for one in run.contractions:
        use = one.use
        key: tuple[object, ...] = (
            use.weight,
            use.moved,
            use.operation,
            use.input_at,
            use.weight_at,
            use.axis,
        )
        first.setdefault(key, one)
        tensors[key].append(use.source)
    readers = []
    names: dict[object, str] = {}
    for key, one in first.items():
        use = one.use
        if use.weight is None:
            continue
        inputs = _whole_axis(run, use.weight, one.columns)
        outputs = _output_axis(run, use.weight, one.rows, inputs)
        if inputs is None or outputs is None:
            continue
        order, positions = _channel_order(one.channels) if one.groups == 1 else ((), 1)
        read = (*tensors[key], use.axis, order, positions, one.groups)
        readers.append(
            Reader(
                module=use.module,
                weight=use.weight,
                input_axis=inputs,
                output_axis=outputs,
                operation=use.operation,
                moved=use.moved,
                input_at=use.input_at,
                weight_at=use.weight_at,
                axis=use.axis,
                tensor=names.setdefault(read, use.weight),
                channels=len(one.channels) // positions,
                positions=positions,
                order=order,
                groups=one.groups,
                folds=run.n_uses[use.weight] <= len(tensors[key]),
            )
        )
    return readers


def _whole_axis(run: Propagation, tensor: str, labels: Integers | None) -> int | None:
    """The axis of a parameter whose labels these are, all of them and in order."""
    for axis in run.axes:
        if axis.tensor == tensor and labels is not None and axis.size:
            several = labels.reshape(-1, axis.size) if len(labels) % axis.size == 0 else labels[:0]
            if len(several) and (several == axis.labels).all():
                return axis.axis
    return None


def _output_axis(
    run: Propagation, tensor: str, rows: Integers | None, inputs: int | None
) -> int | None:
    """The axis of a parameter among whose labels these are; beside the input's if it is single."""
    others = [axis for axis in run.axes if axis.tensor == tensor and axis.axis != inputs]
    for axis in sorted(others, key=lambda axis: abs(axis.axis - (inputs or 0))):
        single = rows is None and axis.size == 1
        if single or (rows is not None and np.isin(rows, axis.labels).all()):
            return axis.axis
    return None


def _channel_order(labels: Integers) -> tuple[tuple[int, ...], int]:
    """Entries channel by channel, empty where they stand so, and how many each channel has.

    Examples
    --------
    >>> _channel_order(np.array([5, 5, 7, 7])), _channel_order(np.array([5, 7, 5, 7]))
    (((), 2), ((0, 2, 1, 3), 2))
    """
    labels = np.where(labels == CONSTANT, -1 - np.arange(len(labels)), labels)
    _, first, channel, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    if len(set(counts.tolist())) > 1 or counts[0] == 1:
        return (), 1
    order = np.argsort(first[channel], kind="stable")
    in_order = (order == np.arange(len(order))).all()
    return () if in_order else tuple(order.tolist()), int(counts[0])
