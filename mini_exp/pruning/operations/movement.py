"""Functions that only move elements: they move labels in the same way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.labels import array, axes_of, compressed
from mini_exp.pruning.propagation import Propagation

MOVES = """
    T H mT mH t adjoint transpose swapaxes swapdims movedim moveaxis permute squeeze unsqueeze
    expand expand_as broadcast_to flip fliplr flipud ravel atleast_1d atleast_2d atleast_3d
    repeat tile repeat_interleave diagonal pixel_unshuffle
""".split()

VIEWS = ["view", "reshape", "view_as", "reshape_as", "flatten", "unflatten", "unfold"]

PROPERTIES = {"T", "H", "mT", "mH"}


def moved(call: Call, factor: Tensor) -> Tensor:
    """The labels of a function's first argument, moved as it moves elements."""
    labels = factor.expand(call.args[0].shape)
    if call.name in PROPERTIES:
        result: Tensor = getattr(labels, call.name)
    else:
        function = torch.Tensor.reshape if call.name == "view" else call.function
        result = function(labels, *call.args[1:], **call.kwargs)
    return compressed(result)


def move(run: Propagation, call: Call) -> None:
    """The same elements in other places."""
    run.let_stay(list(tensors_in((call.args[1:], call.kwargs))), call.name)
    run.label(call.result, [moved(call, factor) for factor in run.factors(call.args[0])])


def view(run: Propagation, call: Call) -> None:
    """Besides, an axis of channels may become several: each part then loses equally many."""
    if any(isinstance(argument, torch.dtype) for argument in call.args[1:]):
        run.let_stay([call.args[0]], "view as another type")
        return
    results = []
    for factor in run.factors(call.args[0]):
        result = moved(call, factor)
        if len(axes_of(result)) > len(axes_of(factor)):
            run.split(array(result.squeeze()))
        elif len(axes_of(result)) == 1:
            run.views.append((run.place, array(result.ravel())))
        results.append(result)
    run.label(call.result, results)


def channel_shuffle(run: Propagation, call: Call) -> None:
    """Channels of all groups in turn: each group loses equally many."""
    x, groups = call.bound("input", "groups")
    for factor in run.factors(x):
        if axes_of(factor) == (1,):
            run.split(array(factor.reshape(groups, -1)))
    move(run, call)


def pixel_shuffle(run: Propagation, call: Call) -> None:
    """Several channels become the pixels of one: they are removed together."""
    x, factor = call.bound("input", "upscale_factor")
    for own in run.factors(x):
        if axes_of(own) == (x.ndim - 3,):
            pixels = array(own.reshape(-1, factor**2))
            run.constraints.tie(pixels, pixels[:, :1])
    move(run, call)


def pad(run: Propagation, call: Call) -> None:
    """New places have no channel where channels are padded, and all where positions are."""
    x, padding, mode = call.bound("input", "pad", "mode", mode="constant")
    padded = {x.ndim - 1 - i // 2 for i, amount in enumerate(padding) if amount}
    results = []
    for factor in run.factors(x):
        if not padded & set(axes_of(factor)):
            results.append(factor)
            continue
        labels = factor.expand(x.shape)
        if mode == "constant":
            results.append(compressed(functional.pad(labels, tuple(padding))))
        else:  # in float64, which holds every label
            labels = functional.pad(labels.double(), tuple(padding), mode)
            results.append(compressed(labels.long()))
    run.label(call.result, results)


def roll(run: Propagation, call: Call) -> None:
    """Positions are rolled; channels that are stay."""
    x, _, dims = call.bound("input", "shifts", "dims")
    axes = range(x.ndim) if dims in (None, ()) else [axis % x.ndim for axis in _several(dims)]
    if any(set(axes) & set(axes_of(factor)) for factor in run.factors(x)):
        run.let_stay([x], "roll of channels")
    move(run, call)


def _several(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


RULES = {
    **dict.fromkeys(MOVES, move),
    **dict.fromkeys(VIEWS, view),
    "channel_shuffle": channel_shuffle,
    "native_channel_shuffle": channel_shuffle,
    "pixel_shuffle": pixel_shuffle,
    "pad": pad,
    "roll": roll,
}
