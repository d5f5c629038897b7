"""Functions of each element, or of elements in the same place: sums tie what they add."""

from __future__ import annotations

from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.labels import Operand, joined
from mini_exp.pruning.propagation import Propagation

ELEMENTWISE = """
    abs absolute acos acosh add addcdiv addcmul alpha_dropout arccos arcsin arctan arctan2 asin
    asinh atan atan2 atanh bernoulli bfloat16 bitwise_and bitwise_not bitwise_or bool byte ceil
    celu char clamp clamp_max clamp_min clip clone conj contiguous copysign cos cosh cpu cuda
    data deg2rad detach div divide double dropout dropout1d dropout2d dropout3d elu empty_like
    eq erf erfc exp exp2 expm1 fake_quantize feature_alpha_dropout feature_dropout fill fix
    float floor floor_divide fmod frac full_like ge gelu gt half hardshrink hardsigmoid
    hardswish hardswish_ hardtanh heaviside hypot imag int isfinite isinf isnan le leaky_relu
    lerp log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor logit
    logsigmoid long lt masked_fill maximum minimum mish mul multiply nan_to_num ne neg negative
    ones_like pos positive pow rand_like randn_like real reciprocal relu relu6 remainder
    requires_grad round rrelu rsqrt rsub selu sgn short sigmoid sign silu sin sinc sinh softplus
    softshrink softsign sqrt square sub subtract tan tanh tanhshrink threshold to tril triu
    true_divide trunc type type_as where xlogy zero zeros_like
""".split()

DROPOUTS = {
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_dropout",
    "feature_alpha_dropout",
}


def join(run: Propagation, call: Call) -> None:
    """One label per place: those of all arguments that meet there."""
    operands = [
        run.operand(x) for x in tensors_in((call.args, call.kwargs)) if x.ndim and x.numel() > 1
    ]
    if operands:
        reason = run.reason(f"{call.name} with a tensor that has no channels")
        run.label(call.result, joined(run.constraints, operands, reason))


def drop(run: Propagation, call: Call) -> None:
    """Dropout: noted, so that its probability can be rescaled."""
    join(run, call)
    run.dropouts.append((run.place, run.factors(call.result)))


def prelu(run: Propagation, call: Call) -> None:
    """A slope per channel, which is axis 1."""
    x, weight = call.bound("input", "weight")
    operands = [run.operand(x)]
    if weight.numel() > 1:
        operands.append(along_channels(run, weight, x.ndim))
    run.label(call.result, joined(run.constraints, operands, run.reason("prelu")))


def along_channels(run: Propagation, vector: object, n_axes: int, axis: int = 1) -> Operand:
    """A vector as it meets a tensor of so many axes along one of them."""
    operand = run.operand(vector)  # type: ignore[arg-type]
    behind = (1,) * (n_axes - axis - 1)
    lead = (1,) * axis
    factors = tuple(factor.reshape(*lead, -1, *behind) for factor in operand.factors)
    return Operand(factors, (*lead, *operand.shape, *behind))


def create(run: Propagation, call: Call) -> None:
    """Only sizes and types are taken from the argument: the result has no channels."""


CREATIONS = ("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor")

RULES = {
    **dict.fromkeys(CREATIONS, create),
    **dict.fromkeys(ELEMENTWISE, join),
    **dict.fromkeys(DROPOUTS, drop),
    "prelu": prelu,
}
