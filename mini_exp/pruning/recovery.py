"""The last step: the smaller network learns the original's outputs, without labels."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mini_exp.errors import DomainError, NetworkError
from mini_exp.pruning.calibration import Batches, eval_mode
from mini_exp.pruning.fidelity import Fidelity, split_samples
from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.selection import Recovered
from mini_exp.pruning.surgery import owner

RATES = {"kl": (0.01, 0.03), "squared error": (0.001, 0.01)}
"""Steps as shares of a tensor's root mean square: the larger one where much is lost."""
LEAST_SIZE = 0.01
"""A tensor of zeros moves as one of this root mean square."""
CHECKS = 10
"""How often the held-out samples are asked."""
WARM_UP = 0.1


@dataclass(frozen=True)
class Recovery:
    """How the smaller network is repaired.

    Attributes
    ----------
    steps : int
        Of Adam, on 100 samples each, for each of two rates.
    over : {"all", "readers"}
        All weights, or those of the layers that read what has become smaller.
    loss : {"auto", "kl", "squared error"}
        Kullback-Leibler divergence for logits, squared error for other outputs.
    seed : int
        Of the order of the samples.
    """

    steps: int = 200
    over: Literal["all", "readers"] = "all"
    loss: Literal["auto", "kl", "squared error"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "seed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise DomainError(f"recover: {name}: expected a whole number ≥ 0, got {value!r}")
        choices = {"over": ("all", "readers"), "loss": ("auto", "kl", "squared error")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise DomainError(
                    f"recover: {name}: expected one of {', '.join(known)}, got "
                    f"{getattr(self, name)!r}"
                )


def recovered_network(
    smaller: nn.Module,
    original: nn.Module,
    readers: Iterable[Reader],
    batches: Batches,
    recovery: Recovery,
    on_check: Callable[[int, int, float], None] | None = None,
) -> tuple[nn.Module, Recovered]:
    """A copy of the smaller network whose outputs are nearer to the original's.

    Minimises Ê KL(p_f ‖ p_h) over h's weights, or the squared error of its outputs (see
    ``Fidelity``), by Adam. The step of a tensor w is η_t · rms(w), with
    η_t = η · min(1, t / 0.1T) · ½(1 + cos π max(0, t / T − 0.1) / 0.9).

    Parameters
    ----------
    smaller, original : nn.Module
        h and f; neither is changed.
    readers : iterable of Reader
        Layers that read what has become smaller.
    batches : iterable or function
        Samples, read into memory; a tenth is held out.
    recovery : Recovery
    on_check : callable, optional
        Receives how many steps are done, of how many, and the best held-out loss.

    Raises
    ------
    DomainError, NetworkError

    Notes
    -----
    In eval mode: batch norms keep their statistics, dropout is off. One forward pass of the
    original over the samples, and 2T forward and backward passes of the smaller network over 100.

    References
    ----------
    Hinton, Vinyals and Dean, arXiv 1503.02531, at temperature 1 and without labels.
    """
    work, held_out = split_samples(original, batches)
    if not (work and held_out):
        raise DomainError("recover: expected samples to learn from and others to judge by")
    fidelity = Fidelity(original, [*work, *held_out], recovery.loss)
    train, judges = range(len(work)), range(len(work), len(work) + len(held_out))
    before = fidelity.mean(smaller, judges)
    n = sum(example.n_samples for example in held_out)
    best, result = _state(smaller), Recovered(fidelity.name, before, before, 0.0, 0, n)
    rates = RATES["kl" if "kl" in fidelity.divergences else "squared error"]
    for turn, rate in enumerate(rates if recovery.steps else ()):
        network = copy.deepcopy(smaller)
        order = _order(train, recovery)
        weights = _weights(network, None if recovery.over == "all" else readers)
        with _trainable(weights), eval_mode(network), torch.enable_grad():
            optimizer, schedule = _adam(weights, rate, recovery.steps)
            for step, i in enumerate(order, start=1):
                optimizer.zero_grad()
                loss = fidelity.loss(network, i)
                if not loss.requires_grad:
                    raise NetworkError("recover: expected outputs with a gradient, got none")
                loss.backward()
                optimizer.step()
                schedule.step()
                if step % max(recovery.steps // CHECKS, 1) == 0:
                    after = fidelity.mean(network, judges)
                    if after < result.after:
                        result = Recovered(fidelity.name, before, after, rate, step, n)
                        best = _state(network)
                    if on_check:
                        done = turn * recovery.steps + step
                        on_check(done, len(rates) * recovery.steps, result.after)
    recovered = copy.deepcopy(smaller)
    recovered.load_state_dict(best)
    return recovered, result


def reduced_readers(groups: Sequence[Group], widths: Iterable[int]) -> list[Reader]:
    """Layers that read a group of which fewer channels are left."""
    pairs = zip(groups, widths, strict=True)
    return [r for group, width in pairs if width < group.width for r in group.readers]


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: x.clone() for name, x in network.state_dict().items()}


def _order(train: Sequence[int], recovery: Recovery) -> list[int]:
    """A piece for every step: all of them in turn, in another order each time."""
    generator = torch.Generator().manual_seed(recovery.seed)
    order: list[int] = []
    while len(order) < recovery.steps:
        order += torch.tensor(train)[torch.randperm(len(train), generator=generator)].tolist()
    return order[: recovery.steps]


def _weights(network: nn.Module, readers: Iterable[Reader] | None) -> list[Tensor]:
    """What is trained, each tensor once: all, or the weights and biases of readers."""
    every: list[Tensor | None] = list(network.parameters()) if readers is None else []
    for reader in readers or ():
        module, attribute = owner(network, reader.weight)
        every += [getattr(module, attribute), getattr(module, "bias", None)]
    unique = {id(x): x for x in every if isinstance(x, nn.Parameter) and x.is_floating_point()}
    return list(unique.values())


@contextlib.contextmanager
def _trainable(weights: Sequence[Tensor]) -> Iterator[None]:
    """Parameters with a gradient; whether each had one before comes back."""
    wanted = [x.requires_grad for x in weights]
    for x in weights:
        x.requires_grad_(True)
    try:
        yield
    finally:
        for x, before in zip(weights, wanted, strict=True):
            x.requires_grad_(before)
            x.grad = None


def _adam(
    weights: Sequence[Tensor], rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    sizes = [max(float(x.detach().square().mean().sqrt()), LEAST_SIZE) for x in weights]
    groups = [{"params": [x], "lr": rate * size} for x, size in zip(weights, sizes, strict=True)]
    optimizer = torch.optim.Adam(groups)

    def share(step: int) -> float:
        past = (step + 1) / steps
        rest = max(0.0, past - WARM_UP) / (1 - WARM_UP)
        return min(1.0, past / WARM_UP) * (1 + math.cos(math.pi * rest)) / 2

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)
