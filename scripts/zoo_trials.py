"""One network of the zoo, pruned by half: by `mini_exp.prune`, and by Torch-Pruning."""

from __future__ import annotations

import copy
import json
import math
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

import mini_exp
from mini_exp.errors import MiniExpError
from scripts.zoo_families import LIBRARIES, Batch
from scripts.zoo_oracle import NotASliceError, difference_from_masked, output_tensors
from scripts.zoo_peer import RefusedError, prune_with_peer

KEEP = 0.5
SEED = 0
MEMORY = 12 * 2**30  # bytes of a trial's address space
N_SAMPLES, N_OTHER = 8, 3
TOLERANCE = (
    1e-3  # of outputs in float32: sums over other widths, in other orders, tens of layers deep
)

Cells: TypeAlias = dict[str, Any]
"""Columns of a row; those that do not apply are absent."""


class BrokenError(Exception):
    """The pruned network does not do what the original does."""


def make_nontrivial(network: nn.Module, batch: Batch) -> None:
    """Give every constant parameter distinct values, and norms statistics that differ from them.

    As initialised, norms multiply by one and add zero, and residual branches end in zero: errors
    in any of them would not show.
    """
    with torch.no_grad():
        for module in network.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if bool((parameter == parameter.flatten()[0]).all()):
                    is_factor = bool(parameter.flatten()[0] != 0) or name == "weight"
                    low, high = (0.5, 1.5) if is_factor else (-0.2, 0.2)
                    values = torch.linspace(low, high, parameter.numel())
                    shuffled = values[torch.randperm(parameter.numel())]
                    parameter.copy_(shuffled.reshape(parameter.shape))
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = None  # the average over all passes since the reset
            norm.reset_running_stats()
        output_tensors(network.train(), batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.running_mean is not None and norm.running_var is not None:
                norm.running_mean += 0.3 * norm.running_var.sqrt() * torch.randn(norm.num_features)
                norm.running_var *= 0.8 + 0.4 * torch.rand(norm.num_features)
    network.eval()


def multiply_accumulates(network: nn.Module, batch: Batch) -> int:
    """Of one pass in eval mode; with gradients, for the fast paths without them are not counted."""
    counter = FlopCounterMode(display=False)
    counted = copy.deepcopy(network).eval()  # some keep what they computed, with its gradient
    with counter, sdpa_kernel(SDPBackend.MATH):
        output_tensors(counted, batch)
    return int(counter.get_total_flops()) // 2


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def removed(before: int, after: int) -> float:
    """Percentage."""
    return 100 * (1 - after / before)


def check_shapes(original: nn.Module, smaller: nn.Module, batch: Batch) -> None:
    """The same shapes as the original's, on a batch of another size than it was pruned with."""
    with torch.no_grad():
        expected = [tensor.shape for tensor in output_tensors(original.eval(), batch)]
        outputs = output_tensors(smaller.eval(), batch)
    shapes = [tensor.shape for tensor in outputs]
    if shapes != expected:
        raise BrokenError(f"outputs: expected {shapes_text(expected)}, got {shapes_text(shapes)}")
    if not all(bool(tensor.isfinite().all()) for tensor in outputs):
        raise BrokenError("outputs: not finite")


def shapes_text(shapes: list[torch.Size]) -> str:
    return ", ".join(" × ".join(map(str, shape)) for shape in shapes)


def check_training(network: nn.Module, batch: Batch) -> None:
    """A step of gradient descent in train mode, on a copy."""
    trained = copy.deepcopy(network).train()
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3)
    loss = torch.stack([out.square().mean() for out in output_tensors(trained, batch)]).sum()
    loss.backward()
    optimizer.step()
    values = [loss, *trained.parameters()]
    if not all(bool(value.isfinite().all()) for value in values):
        raise BrokenError("a training step: not finite")


def own_trial(network: nn.Module, draw: Callable[[int], Batch]) -> Cells:
    """Columns of `mini_exp.prune`: covered, refused (with the reason), broken or wrong."""
    batches = [draw(N_SAMPLES), draw(N_SAMPLES)]
    other = draw(N_OTHER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a trial's samples are few
        try:
            start = time.perf_counter()
            smaller, selection = mini_exp.prune(network, batches, keep=KEEP)
            cells: Cells = {"seconds": time.perf_counter() - start}
            sliced, _ = mini_exp.prune(network, batches, keep=KEEP, weights="slice")
        except MiniExpError as error:
            return {"result": "refused", "reason": one_line(error)}
        except Exception as error:  # whatever it raises is the row's result
            return {"result": "broken", "reason": one_line(error, type(error).__name__)}
        cells["agreement"] = getattr(selection, "agreement", None)
        try:
            cells |= savings(network, smaller, other)
            check_shapes(network, smaller, other)
            cells["shapes"] = "right"
            check_training(smaller, other)
            cells["training"] = "works"
        except Exception as error:
            return cells | {"result": "broken", "reason": one_line(error, type(error).__name__)}
        if cells["parameters_removed"] <= 0:
            return cells | {"result": "refused", "reason": "nothing was removed"}
        try:
            cells["difference"] = difference_from_masked(network, sliced, other)
        except NotASliceError as error:
            return cells | {"result": "covered", "reason": f"{error} cannot be traced"}
    if not cells["difference"] <= TOLERANCE:
        return cells | {"result": "wrong", "reason": "differs from the masked original"}
    return cells | {"result": "covered"}


def peer_trial(network: nn.Module, draw: Callable[[int], Batch]) -> Cells:
    """Columns of Torch-Pruning: works, broken or refused; a failing training step is a note."""
    batch, other = draw(N_SAMPLES), draw(N_OTHER)
    smaller = copy.deepcopy(network)
    cells: Cells = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            prune_with_peer(smaller, batch)
            check_shapes(network, smaller, other)
            cells = {f"peer_{key}": cell for key, cell in savings(network, smaller, other).items()}
        except RefusedError as error:
            return {"peer": "refused", "peer_reason": one_line(error)}
        except Exception as error:
            return {"peer": "broken", "peer_reason": one_line(error, type(error).__name__)}
        try:
            check_training(smaller, other)
        except Exception as error:
            cells["peer_reason"] = f"no training step: {one_line(error, type(error).__name__)}"
    return cells | {"peer": "works"}


def savings(network: nn.Module, smaller: nn.Module, batch: Batch) -> Cells:
    """Percentages of parameters and of multiply-accumulates that are gone."""
    macs = [multiply_accumulates(each, batch) for each in (network, smaller)]
    return {
        "parameters_removed": removed(n_parameters(network), n_parameters(smaller)),
        "macs_removed": removed(macs[0], macs[1]) if macs[0] else math.nan,
    }


def one_line(error: BaseException, kind: str = "") -> str:
    """The message's first line, cut off where it is long."""
    lines = [line for line in map(str.strip, str(error).splitlines()) if line]
    text = ": ".join(part for part in (kind, *lines[:1]) if part)
    return text if len(text) <= 160 else f"{text[:159]}…"


TRIALS: dict[str, Callable[[nn.Module, Callable[[int], Batch]], Cells]] = {
    "own": own_trial,
    "peer": peer_trial,
}


def main(kind: str, library: str, family: str) -> None:
    """Print a row's columns as JSON, within the limit of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.manual_seed(SEED)
    member = LIBRARIES[library][family]
    network = member.network()
    make_nontrivial(network, member.batch(N_SAMPLES))
    print(json.dumps(TRIALS[kind](network, member.batch)))


if __name__ == "__main__":
    main(*sys.argv[1:])
