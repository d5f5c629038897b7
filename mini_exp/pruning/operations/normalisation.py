"""Normalisation: per channel it is sliced, over channels it lets them stay, or is narrowed."""

from __future__ import annotations

from torch import Tensor

from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.labels import array, axes_of, joined, lines_along, reduced, stay_along
from mini_exp.pruning.operations.elementwise import along_channels
from mini_exp.pruning.operations.product import channels_along
from mini_exp.pruning.propagation import Propagation


def per_channel(run: Propagation, call: Call) -> None:
    """Batch and instance norm: every vector lies along axis 1, which is not mixed."""
    names = ("input", "running_mean", "running_var", "weight", "bias", "training")
    x, mean, *vectors, own_statistics = call.bound(*names)
    if own_statistics or mean is None:
        others = [axis for axis in range(x.ndim) if axis != 1]
        for factor in run.factors(x):
            reduced(run.constraints, factor, others, run.reason(f"{call.name} over channels"))
    operands = [run.operand(x)]
    for vector in (mean, *vectors):
        if isinstance(vector, Tensor) and vector.numel() > 1:
            operands.append(along_channels(run, vector, x.ndim))
    if len(operands) == 1:
        run.bare_norms.append((run.place, channels_along(run, x, 1)))
    run.label(call.result, joined(run.constraints, operands, run.reason(call.name)))


def over_last_axes(run: Propagation, call: Call) -> None:
    """Layer and RMS norm mix the last axes; weight and bias lie along them.

    One over a single axis, with weights of the module that calls it, may be over fewer channels.
    """
    x, shape, weight = call.bound("input", "normalized_shape", "weight")
    axes = range(x.ndim - len(shape), x.ndim)
    reason = run.reason(f"{call.name} over channels")
    own = run.own_weight(weight) if len(shape) == 1 else None
    for factor in run.factors(x):
        if own and factor.shape[-1] > 1:
            run.norms.add(own)
            columns = array(run.factors(weight)[0].ravel())
            run.constraints.normalise(lines_along(factor, axes)[0], columns, reason)
        else:
            reduced(run.constraints, factor, axes, reason)
    vectors = [run.operand(v) for v in tensors_in((call.args[2:], call.kwargs)) if v.ndim]
    operands = [run.operand(x), *vectors]
    run.label(call.result, joined(run.constraints, operands, run.reason(call.name)))


def over_groups(run: Propagation, call: Call) -> None:
    """Group norm mixes the channels of each group."""
    x, groups, weight, bias = call.bound("input", "num_groups", "weight", "bias")
    reason = run.reason("group_norm over channels")
    for factor in run.factors(x):
        if axes_of(factor) == (1,):
            run.constraints.mix(array(factor.reshape(groups, -1)), reason)
        else:
            stay_along(run.constraints, factor, range(1, x.ndim), reason)
    operands = [run.operand(x)]
    operands += [along_channels(run, v, x.ndim) for v in (weight, bias) if v is not None]
    run.label(call.result, joined(run.constraints, operands, reason))


def over_neighbours(run: Propagation, call: Call) -> None:
    """Local response norm mixes channels that stand side by side."""
    x = call.args[0]
    for factor in run.factors(x):
        reduced(run.constraints, factor, [1], run.reason("local_response_norm over channels"))
    run.label(call.result, run.factors(x))


RULES = {
    "batch_norm": per_channel,
    "instance_norm": per_channel,
    "layer_norm": over_last_axes,
    "rms_norm": over_last_axes,
    "group_norm": over_groups,
    "local_response_norm": over_neighbours,
}
