"""Functions over whole axes: sums, softmax, pooling. Channels that they mix stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mini_exp.pruning.calls import Call, tensors_in
from mini_exp.pruning.labels import reduced
from mini_exp.pruning.operations.elementwise import join
from mini_exp.pruning.propagation import Propagation

SUMS = """
    mean sum nansum nanmean prod amax amin aminmax max min median nanmedian mode std var
    std_mean var_mean norm vector_norm linalg_vector_norm logsumexp argmax argmin any all
    count_nonzero
""".split()

ALONG = """
    softmax log_softmax softmin gumbel_softmax cumsum cumprod cummax cummin logcumsumexp sort
    argsort topk normalize renorm
""".split()

NORMS = {"norm", "vector_norm", "linalg_vector_norm"}

POOLS = [
    f"{kind}_pool{n}d{indices}"
    for kind in ("max", "avg", "lp", "adaptive_avg", "adaptive_max", "fractional_max")
    for n in (1, 2, 3)
    for indices in ("", "_with_indices")
]


def sum_up(run: Propagation, call: Call) -> None:
    """One number for all elements along some axes, or the larger of two tensors' elements."""
    x = call.args[0]
    if isinstance(_argument(call, "other", 1, None), Tensor):
        join(run, call)
        return
    dim = _argument(call, "dim", 2 if call.name in NORMS else 1, None)
    axes = list(range(x.ndim)) if dim in (None, ()) else [axis % x.ndim for axis in _several(dim)]
    factors = [_mixed(run, factor, axes, call.name) for factor in run.factors(x)]
    for result in tensors_in(call.result):
        own = factors
        if result.ndim < x.ndim:
            kept = [axis for axis in range(x.ndim) if axis not in axes]
            own = [factor.permute(*kept, *axes).flatten(len(kept))[..., 0] for factor in factors]
        run.label(result, own)


def go_along(run: Propagation, call: Call) -> None:
    """Every element from all of those along an axis."""
    x = call.args[0]
    default = 1 if call.name == "normalize" else -1
    position = 2 if call.name in ("normalize", "topk", "renorm") else 1
    dim = _argument(call, "dim", position, default)
    axes = [axis % x.ndim for axis in _several(dim)]
    mixed = [_mixed(run, factor, axes, call.name) for factor in run.factors(x)]
    for result in tensors_in(call.result):
        own = run.factors(x) if result.shape == x.shape else mixed
        run.label(result, own)


def pool(run: Propagation, call: Call) -> None:
    """The last axes are positions."""
    _over_positions(run, call, int(call.name.removesuffix("_with_indices")[-2]))


def interpolate(run: Propagation, call: Call) -> None:
    """All axes behind the channels are positions."""
    _over_positions(run, call, call.args[0].ndim - 2)


def _over_positions(run: Propagation, call: Call, n_axes: int) -> None:
    x = call.args[0]
    axes = range(x.ndim - n_axes, x.ndim)
    for result in tensors_in(call.result):
        run.label(result, [_mixed(run, factor, axes, call.name) for factor in run.factors(x)])


def _mixed(run: Propagation, factor: Tensor, axes: Sequence[int], name: str) -> Tensor:
    """The factor after a reduction; channels that it mixes stay."""
    return reduced(run.constraints, factor, axes, run.reason(f"{name} over channels"))


def _argument(call: Call, name: str, position: int, default: Any) -> Any:
    given = call.kwargs.get(name, call.kwargs.get("axis"))
    if given is None and len(call.args) > position:
        given = call.args[position]
    return default if given is None else given


def _several(value: Any) -> Sequence[int]:
    return value if isinstance(value, list | tuple) else (value,)


RULES = {
    **dict.fromkeys(SUMS, sum_up),
    **dict.fromkeys(ALONG, go_along),
    **dict.fromkeys(POOLS, pool),
    **dict.fromkeys(("interpolate", "upsample", "upsample_nearest", "grid_sample"), interpolate),
}
