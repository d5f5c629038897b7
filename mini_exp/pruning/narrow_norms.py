"""Layer and RMS norms over fewer channels, in a network of the original size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mini_exp.pruning.calls import Call
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
        kept: Tensor = norm(**over_channels(given, x, index))
        return kept.new_zeros(x.shape).index_copy(-1, index, kept)


def over_channels(given: dict[str, Any], x: Tensor, index: Tensor) -> dict[str, Any]:
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
