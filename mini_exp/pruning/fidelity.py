"""How far a pruned network's outputs are from the original's, on samples without labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from scipy.special import betaincinv
from torch import Tensor, nn
from torch.nn import functional

from mini_exp.errors import DomainError
from mini_exp.pruning.calibration import Batches, Example, eval_mode, example_of
from mini_exp.pruning.calls import tensors_in

Divergence: TypeAlias = Literal["kl", "squared error"]

PIECE = 100
"""Samples that are looked at together, at most."""
TENTH = 10
"""One sample of so many is held out."""
DECIDED = 0.5
"""Outputs are logits if the entropy of their softmax is below this share of that of chance."""


def split_samples(
    network: nn.Module, batches: Batches, working: bool = True
) -> tuple[list[Example], list[Example]]:
    """Samples to work with, at most ``PIECE`` at a time, and those held out to judge by.

    Of a batch of ten or more the last tenth is held out; of batches that have fewer, or cannot be
    cut, every tenth, or else the last of several.

    Parameters
    ----------
    network : nn.Module
        It is called with the samples where the batches are a function.
    batches : iterable or function
    working : bool
        Keep the former as well; they are read into memory, a tensor's as views of it.

    Returns
    -------
    work, held_out : lists of Example
        Without any that are held out where there is a single small batch.
    """
    work: list[Example] = []
    held_out: list[Example] = []
    whole: list[Example] = []
    for example in examples_of(network, batches):
        n = example.n_samples
        tenth = n // TENTH if example.can_be_cut else 0
        if not tenth:
            whole.append(example)
            continue
        held_out.append(example.part(n - tenth, n))
        if working:
            work += example.part(0, n - tenth).pieces(PIECE)
    chosen = set(range(TENTH - 1, len(whole), TENTH))
    if not (held_out or chosen) and len(whole) > 1:
        chosen = {len(whole) - 1}
    held_out += [whole[i] for i in sorted(chosen)]
    work += [example for i, example in enumerate(whole) if working and i not in chosen]
    return work, held_out


def examples_of(network: nn.Module, batches: Batches) -> Iterable[Example]:
    """What the network is called with, batch by batch; all at once where they are a function."""
    if not callable(batches):
        return (example_of(network, batch) for batch in batches)
    calls: list[Example] = []

    def see(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append(Example(arguments, named).copy())

    handle = network.register_forward_pre_hook(see, with_kwargs=True)
    try:
        with eval_mode(network), torch.no_grad():
            batches(network)
    finally:
        handle.remove()
    return calls


class Fidelity:
    """What a network's outputs lack of those of the original, f, on the same samples.

    By the Kullback-Leibler divergence Ê Σ_k p_f log(p_f / p) in nats where the outputs are logits,
    that is where the softmax of f's has on average less than half of the entropy of chance; else
    by the squared error as a share of the variance of f's outputs. The sum over all outputs that
    are floating-point tensors; positions that an ``attention_mask`` leaves out do not count.

    Parameters
    ----------
    original : nn.Module
        f, in eval mode.
    examples : list of Example
    divergence : {"auto", "kl", "squared error"}

    Raises
    ------
    DomainError
        If the network has no floating-point output.

    Notes
    -----
    The original's outputs are kept: one forward pass.
    """

    def __init__(
        self,
        original: nn.Module,
        examples: Sequence[Example],
        divergence: Literal["auto", "kl", "squared error"] = "auto",
    ) -> None:
        self.examples = examples
        with eval_mode(original), torch.no_grad():
            self.targets = [
                [y.detach() for y in _outputs(original, example)] for example in examples
            ]
        if not self.targets[0]:
            raise DomainError("expected a network with floating-point outputs, got none")
        outputs = [torch.cat(one) for one in zip(*self.targets, strict=True)]
        self.divergences: list[Divergence] = [
            _divergence(one) if divergence == "auto" else divergence for one in outputs
        ]
        self.variances = [max(float(one.var(0, correction=0).sum()), 1e-30) for one in outputs]

    @property
    def name(self) -> str:
        """The divergences in words."""
        return " and ".join(dict.fromkeys(self.divergences))

    def loss(self, network: nn.Module, i: int) -> Tensor:
        """The mean over a piece's rows, with a gradient where one is wanted."""
        own = _outputs(network, self.examples[i])
        parts = zip(own, self.targets[i], self.divergences, self.variances, strict=True)
        return torch.stack([_loss(*part) for part in parts]).sum()

    def mean(self, network: nn.Module, which: Iterable[int]) -> float:
        """The mean over some pieces, in eval mode, each with the weight of its samples."""
        chosen = list(which)
        with eval_mode(network), torch.no_grad():
            losses = [float(self.loss(network, i)) for i in chosen]
        sizes = [self.examples[i].n_samples for i in chosen]
        return sum(a * b for a, b in zip(losses, sizes, strict=True)) / sum(sizes)


@dataclass(frozen=True)
class Agreement:
    """On how many samples two classifiers decide otherwise, and on how many they might.

    Attributes
    ----------
    n : int
        Samples, or rows of the output.
    disagreement : float
        The share of them with another decision.
    bound : float
        Its one-sided upper confidence bound (Clopper and Pearson): on data of the same
        distribution the pruned network's accuracy is at least the original's minus this.
    confidence : float
    """

    n: int
    disagreement: float
    bound: float
    confidence: float


def agreement_of_decisions(
    original: nn.Module, smaller: nn.Module, batches: Batches, confidence: float = 0.95
) -> Agreement:
    """What a pruned classifier can have lost in accuracy, without labels.

    Where f and h decide alike they are right or wrong alike, so that acc(h) ≥ acc(f) − P(f ≠ h).

    Parameters
    ----------
    original, smaller : nn.Module
        Classifiers: the first output is logits.
    batches : iterable or function
        Samples that neither calibration nor training has seen.
    confidence : float

    Raises
    ------
    DomainError
        If there is no sample, or the confidence is not in (0, 1).

    Notes
    -----
    Two forward passes.
    """
    if not 0 < confidence < 1:
        raise DomainError(f"confidence: expected a number in (0, 1), got {confidence!r}")
    different = n = 0
    with eval_mode(original), eval_mode(smaller), torch.no_grad():
        for example in examples_of(original, batches):
            a, b = (_outputs(network, example)[0].argmax(-1) for network in (original, smaller))
            different += int((a != b).sum())
            n += len(a)
    if not n:
        raise DomainError("expected at least one sample, got none")
    return Agreement(n, different / n, upper_bound(different, n, confidence), confidence)


def upper_bound(count: int, n: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided upper bound on a share of which count of n were seen.

    Examples
    --------
    >>> round(upper_bound(0, 100, 0.95), 4)  # 1 − 0.05 ** (1 / 100)
    0.0295
    """
    return 1.0 if count == n else float(betaincinv(count + 1, n - count, confidence))


def _outputs(network: nn.Module, example: Example) -> list[Tensor]:
    """Every floating-point output as rows of its last axis, of its second one for images."""
    mask = example.named.get("attention_mask")
    outputs = [y for y in tensors_in(example.output(network)) if y.is_floating_point() and y.ndim]
    return [_rows(y, mask) for y in outputs]


def _rows(y: Tensor, mask: Tensor | None) -> Tensor:
    if y.ndim == 1:
        return y[:, None].float()
    if mask is not None and y.ndim == 3 and mask.shape == y.shape[:2]:
        return y[mask.bool()].float()
    return (y.movedim(1, -1) if y.ndim > 3 else y).flatten(0, -2).float()


def _loss(x: Tensor, y: Tensor, divergence: Divergence, variance: float) -> Tensor:
    """The mean over rows of what x lacks of y."""
    if divergence == "squared error":
        return (x - y).square().sum(-1).mean() / variance
    logarithms = x.log_softmax(-1), y.log_softmax(-1)
    return functional.kl_div(*logarithms, reduction="batchmean", log_target=True)


def _divergence(outputs: Tensor) -> Divergence:
    p = outputs.softmax(-1)
    entropy = float(torch.special.entr(p).sum(-1).mean())
    decided = outputs.shape[-1] > 1 and entropy < DECIDED * math.log(outputs.shape[-1])
    return "kl" if decided else "squared error"
