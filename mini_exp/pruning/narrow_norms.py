"""Layer and RMS norms over fewer channels: what they make of those that are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mini_exp.pruning.calibration import Batches, Unpadded, eval_mode, run_through
from mini_exp.pruning.calls import Call
from mini_exp.pruning.graph import Reader
from mini_exp.pruning.moments import TensorMoments, reader_moments
from mini_exp.pruning.selection import NormFit
from mini_exp.pruning.trace import independent_copy
from mini_exp.spectral import Integers

NORMS = {
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps", "cudnn_enable"),
    "rms_norm": ("input", "normalized_shape", "weight", "eps"),
}
VECTORS = ("weight", "bias")


class NormCalls(TorchFunctionMode):
    """Answers calls of layer and RMS norm with some weights.

    Parameters
    ----------
    names : mapping
        From a weight to its name.
    answer : function of name, function and arguments by name
    """

    def __init__(
        self,
        names: Mapping[Any, str],
        answer: Callable[[str, Callable[..., Any], dict[str, Any]], Any],
    ) -> None:
        super().__init__()
        self.names = {id(weight): name for weight, name in names.items()}
        self.answer = answer

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        call = Call.of(func, args, kwargs)
        given = dict(zip(NORMS.get(call.name, ()), call.args, strict=False)) | call.kwargs
        name = self.names.get(id(given.get("weight")))
        if call.name in NORMS and name is not None:
            return self.answer(name, func, given)
        return func(*args, **(kwargs or {}))


class KeptChannels:
    """A hook: what a module with a norm gives where that is over some channels, zeros elsewhere.

    Parameters
    ----------
    attribute : str
        The module's name of the norm's weight.
    index : (k,) int64
        Channels along the axis that is normalised.
    given : list of Tensor, optional
        What is normalised instead, call by call.
    """

    def __init__(self, attribute: str, index: Integers, given: list[Tensor] | None = None) -> None:
        self.attribute = attribute
        self.index = torch.from_numpy(index)
        self.given = given

    def __call__(
        self, module: nn.Module, arguments: Any, named: dict[str, Any], result: Any
    ) -> Any:
        with NormCalls({getattr(module, self.attribute): self.attribute}, self._narrow):
            return module.forward(*arguments, **named)

    def _narrow(self, name: str, norm: Callable[..., Any], given: dict[str, Any]) -> Tensor:
        x = given["input"] if self.given is None else self.given.pop(0)
        index = self.index.to(x.device)
        kept: Tensor = norm(**_over(given, x, index))
        return kept.new_zeros(x.shape).index_copy(-1, index, kept)


def _over(given: dict[str, Any], x: Tensor, index: Tensor) -> dict[str, Any]:
    """The arguments of a norm that is over some channels of x."""
    vectors = {key: given[key][index] for key in VECTORS if given.get(key) is not None}
    return given | vectors | {"input": x[..., index], "normalized_shape": (len(index),)}


def restrict_norms(
    network: nn.Module,
    kept: Mapping[str, Integers],
    given: Mapping[str, list[Tensor]] | None = None,
) -> None:
    """Let norms, by their weights, do at full size what they do over the channels that are kept.

    Parameters
    ----------
    network : nn.Module
        Changed in place; what restricted its norms before is gone.
    kept : mapping from weight to (k,) int64
    given : mapping from weight to list of Tensor, optional
        What is normalised instead, call by call.
    """
    release_norms(network)
    for name, index in kept.items():
        module, _, attribute = name.rpartition(".")
        hook = KeptChannels(attribute, index, None if given is None else given[name])
        network.get_submodule(module).register_forward_hook(hook, prepend=True, with_kwargs=True)


def release_norms(network: nn.Module) -> None:
    """Undo ``restrict_norms``, in place."""
    for module in network.modules():
        for key, hook in list(module._forward_hooks.items()):
            if isinstance(hook, KeptChannels):
                del module._forward_hooks[key], module._forward_hooks_with_kwargs[key]


@torch.no_grad()
def norm_fits(
    network: nn.Module, kept: Mapping[str, Integers], batches: Batches
) -> tuple[NormFit, ...]:
    """c = Σ n'n / Σ n'², by norm: the least-squares factor from n' to n, and what it leaves.

    n is what a norm gives of the kept channels before weight and bias, n' the same where it is
    over these alone; sums are over channels, positions and samples. The rest is
    1 − (Σ n'n)² / (Σ n'² Σ n²).

    Parameters
    ----------
    network : nn.Module
        Of the original size, run in eval mode.
    kept : mapping from weight to (k,) int64
    batches : iterable or function
        Positions that an ``attention_mask`` leaves out do not count.

    Notes
    -----
    One pass over the batches, in float64; none where nothing is kept of norms.
    """
    if not kept:
        return ()
    sums = {name: torch.zeros(3, dtype=torch.float64) for name in kept}
    unpadded = Unpadded()

    def add(name: str, norm: Callable[..., Any], given: dict[str, Any]) -> Any:
        x = unpadded(given["input"]).double()
        index = torch.from_numpy(kept[name]).to(x.device)
        plain = given | dict.fromkeys(VECTORS) if "bias" in given else given | {"weight": None}
        whole = norm(**plain | {"input": x})[..., index]
        narrow = norm(**_over(plain, x, index))
        products = [(a * b).sum() for a, b in ((narrow, narrow), (narrow, whole), (whole, whole))]
        sums[name] += torch.stack(products).cpu()
        return norm(**given)

    weights = {network.get_parameter(name): name for name in kept}
    hook = network.register_forward_pre_hook(unpadded.note, with_kwargs=True)
    try:
        with eval_mode(network), NormCalls(weights, add):
            run_through(network, batches)
    finally:
        hook.remove()
    return tuple(_fit(name, *own.tolist()) for name, own in sums.items())


def _fit(name: str, narrow: float, mixed: float, whole: float) -> NormFit:
    if not (narrow and whole):  # a single channel about its mean, say
        return NormFit(name, 1.0, float(whole > 0))
    return NormFit(name, mixed / narrow, max(1 - mixed**2 / (narrow * whole), 0.0))


@torch.no_grad()
def rescale_norms(network: nn.Module, fits: Sequence[NormFit]) -> None:
    """Multiply the norms' weights by c, in place."""
    for fit in fits:
        network.get_parameter(fit.weight).mul_(fit.scale)


def moments_behind_norms(
    network: nn.Module,
    rescaled: nn.Module,
    kept: Mapping[str, Integers],
    readers: Sequence[Reader],
    batches: Batches,
    by_weight: bool,
) -> dict[str, TensorMoments]:
    """Moments of what readers get from norms over fewer channels of what these get now.

    Parameters
    ----------
    network : nn.Module
        Of the original size: it says what is normalised, and what is to be estimated.
    rescaled : nn.Module
        A copy, its norms rescaled.
    kept : mapping from weight to (k,) int64
    readers, batches, by_weight
        As for ``reader_moments``; there may be no readers.
    """
    if not readers:
        return {}
    given: dict[str, list[Tensor]] = defaultdict(list)
    narrow = independent_copy(rescaled)
    restrict_norms(narrow, kept, given)

    def remember(name: str, norm: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        given[name].append(arguments["input"].clone())  # a later operation may work in place
        return norm(**arguments)

    with NormCalls({network.get_parameter(name): name for name in kept}, remember):
        return reader_moments(narrow, readers, batches, by_weight, network)
