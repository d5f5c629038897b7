"""How well a pruned network does: by labels, by an environment, or against the original."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH = 500
EPISODES = 20
PROBABILITY_FLOOR = 1e-7  # single precision's sigmoid reaches 0 and 1


@torch.no_grad()
def outputs(network: nn.Module, inputs: Tensor) -> Tensor:
    """The network's outputs (n, …) in eval mode."""
    network.eval()
    return torch.cat([network(batch) for batch in inputs.split(BATCH)])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of samples whose largest logit is the label's."""
    return (logits.argmax(1) == labels).double().mean().item()


def agreement(reference: Tensor, values: Tensor, within: int = 0) -> float:
    """Share of samples whose largest outputs stand at most ``within`` places apart."""
    distance = (reference.argmax(1) - values.argmax(1)).abs()
    return (distance <= within).double().mean().item()


def relative_squared_error(reference: Tensor, values: Tensor) -> float:
    """Σ ‖ŷ − y‖² / Σ ‖y − ȳ‖²: 1 is as bad as the mean."""
    error = (values - reference).double().square().sum()
    return (error / (reference - reference.mean(0)).double().square().sum()).item()


def mean_cosine(reference: Tensor, values: Tensor) -> float:
    """Mean of ŷ · y / (‖ŷ‖ ‖y‖)."""
    return (
        functional.cosine_similarity(reference.flatten(1), values.flatten(1)).double().mean().item()
    )


def mean_relative_error(reference: Tensor, values: Tensor) -> float:
    """Mean of |ŷ − y| / |y|."""
    return ((values - reference) / reference).abs().double().mean().item()


def bernoulli_divergence(reference: Tensor, values: Tensor) -> float:
    """Σ over outputs, each a probability of yes, of KL(p ‖ p̂) in nats; mean over samples."""
    p, q = (x.double().clamp(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR) for x in (reference, values))
    kl = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    return kl.flatten(1).sum(1).mean().item()


@torch.no_grad()
def mean_return(network: nn.Module, environment: str, action: Callable[[Tensor], object]) -> float:
    """Mean sum of rewards of the episodes with seeds 0 … 19, in an environment of gymnasium."""
    network.eval()
    world = importlib.import_module("gymnasium").make(environment)
    total = 0.0
    for seed in range(EPISODES):
        state, _ = world.reset(seed=seed)
        over = False
        while not over:
            output = network(torch.as_tensor(state, dtype=torch.float32)[None])[0]
            state, reward, terminated, truncated, _ = world.step(action(output))
            total += float(reward)
            over = terminated or truncated
    return total / EPISODES
