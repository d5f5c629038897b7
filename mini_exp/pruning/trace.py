"""From a network to its groups of channels: run on labels, as it is and as in training."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.calibration import Example, described, eval_mode
from mini_exp.pruning.calls import tensors_in
from mini_exp.pruning.constraints import Attention
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.groups import OUTPUT, labelled_graph
from mini_exp.pruning.labels import array
from mini_exp.pruning.propagation import Propagation

KEPT_IN_TRAINING = (
    nn.modules.batchnorm._NormBase,
    nn.modules.dropout._DropoutNd,
    nn.RNNBase,
    nn.MultiheadAttention,
)
"""Stay as in eval mode on the branch of training: the others' operations are what counts."""


def channel_graph(
    network: nn.Module, example: Example, attention: Attention = "whole", residual: bool = False
) -> ChannelGraph:
    """The groups of channels of a network.

    Parameters
    ----------
    network : nn.Module
        Any that runs on the example in eval mode. Not changed.
    example : Example
        What the network is called with.
    attention : {"whole", "heads", "entries"}
        What may be removed of attention.
    residual : bool
        Whether norms over channels may be over fewer of them.

    Returns
    -------
    ChannelGraph
        What the network returns is in no group, nor is what is tied to it or passes through an
        operation that is not covered.

    Raises
    ------
    NetworkError
        If the network cannot be copied or run. The network is not changed.

    Notes
    -----
    Two forward passes of the example, one as in training.
    """
    return labelled_graph(propagated(network, example), attention, residual)


def propagated(network: nn.Module, example: Example) -> Propagation:
    """A copy of the network run on labels: in eval mode, then with the branches of training."""
    copied = independent_copy(network)
    run = Propagation(copied)
    run.n_samples = example.n_samples
    with eval_mode(copied):
        try:
            output = run.run(lambda: example.output(copied))
        except Exception as error:  # whatever the network's own code raises
            raise NetworkError(
                f"{type(network).__name__} does not take {example}: {described(error)}"
            ) from None
    _let_outputs_stay(run, output)
    seen, n_uses = (len(run.contractions), len(run.dropouts)), run.n_uses.copy()
    for module in copied.modules():
        module.training = not isinstance(module, KEPT_IN_TRAINING)
    try:
        with torch.random.fork_rng(devices=[]):
            _let_outputs_stay(run, run.run(lambda: example.output(copied)))
    except Exception:  # one that trains on something else than it is used on, targets say
        run.places.clear()
    del run.contractions[seen[0] :], run.dropouts[seen[1] :]
    run.n_uses = n_uses
    return run


def _let_outputs_stay(run: Propagation, output: Any) -> None:
    for x in tensors_in(output):
        for factor in run.factors(x):
            run.constraints.stay(array(factor).reshape(-1, 1), OUTPUT)


def independent_copy(network: nn.Module) -> nn.Module:
    """A copy of a network that shares nothing with it, trainable even if made in inference mode.

    Raises
    ------
    NetworkError
        If it cannot be copied.
    """
    try:
        with torch.inference_mode(False), torch.no_grad():
            copied: nn.Module = copy.deepcopy(network)
    except Exception as error:  # whatever the network's own code raises
        raise NetworkError(
            f"{type(network).__name__} cannot be copied: {described(error)}"
        ) from None
    for own, new in zip(network.parameters(), copied.parameters(), strict=True):
        new.__dict__.update(own.__dict__)  # which a parameter does not copy
    return copied


WRAPPERS = {
    "DataParallel": "network.module",
    "DistributedDataParallel": "network.module",
    "FullyShardedDataParallel": "network.module",
    "AveragedModel": "network.module",
    "OptimizedModule": "network._orig_mod",
}


def check_network(network: Any) -> None:
    """Refuse what is not a network of plain parameters that can be sliced.

    Raises
    ------
    NetworkError, DomainError
        Naming the module, and what to do.
    """
    if not isinstance(network, nn.Module):
        raise NetworkError(f"expected a network (nn.Module), got {type(network).__name__}")
    for name, module in network.named_modules():
        kind = type(module).__name__
        if kind in WRAPPERS:
            at = f"{name}: " if name else ""
            raise NetworkError(f"{at}{kind} wraps the network; prune {WRAPPERS[kind]}")
        if isinstance(module, torch.jit.ScriptModule):
            raise NetworkError(
                f"{name or kind}: is scripted; prune the network before scripting it"
            )
        if "quantized" in type(module).__module__:
            raise NetworkError(f"{name or kind}: is quantised; prune the network before that")
        computed = [
            parameter
            for parameter in ("weight", "bias")
            if isinstance(getattr(module, parameter, None), Tensor)
            and parameter not in module._parameters
            and parameter not in module._buffers
        ]
        if parametrize.is_parametrized(module) or computed:
            raise NetworkError(
                f"{name or kind}: expected plain parameters, got parametrised ones; remove the "
                "parametrisation first"
            )
        for parameter, x in module.named_parameters(recurse=False):
            if isinstance(x, nn.parameter.UninitializedParameter):
                raise NetworkError(f"{name}: its {parameter} is lazy; run the network once first")
            if x.is_meta:
                raise NetworkError(f"{name}: its {parameter} has no values (device meta)")
            if not torch.isfinite(x).all():
                raise DomainError(f"{name}: its {parameter} is not finite; is it trained?")
