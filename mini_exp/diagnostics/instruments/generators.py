"""A Wasserstein GAN on a ring of Gaussians, its generator pruned in several ways (3.3)."""

from __future__ import annotations

import functools
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mini_exp.compare.pruners.l1_magnitude import l1_norms
from mini_exp.diagnostics.instruments.transport import (
    ring_of_gaussians,
    sampling_floor,
    wasserstein,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.recipe import greedy_paths, group_moments, prunable_graph
from mini_exp.pruning.selection import GroupPath, first_channels
from mini_exp.report.intervals import t_interval
from mini_exp.seeds import generator
from mini_exp.spectral import Floats, Integers

SLOW = True
SEEDS, WIDTH, KEPT = 5, 64, (32, 16, 8)
STEPS, CRITIC_STEPS, BATCH, RATE, PENALTY = 1500, 3, 128, 1e-3, 1.0
NOISE = 4  # dimensions of the generator's input
POINTS, CALIBRATION = 600, 2000  # of a sample that is scored; of the moments
METHODS = ("spectral", "magnitude", "random")


def measure(stages: Stages, confidence: float) -> pd.DataFrame:
    """The same for every variant; no network of a stage is looked at.

    Rows, means over ``SEEDS`` generators between the least and the most, in the data's units:
    ``W1 floor`` of two samples of the data; ``W1 of the generator``; ``W1 pruned by <method>`` over
    the width kept (``at``), the next layers reconstructed for all methods alike; ``W1 gap
    <method>``, pruned by it − pruned spectrally, with its t interval.

    Notes
    -----
    Three minutes, once per process.
    """
    return _rows(stages.settings.seed, confidence)


@functools.cache
def _rows(seed: int, confidence: float) -> pd.DataFrame:
    def draw(rng: np.random.Generator) -> Floats:
        return ring_of_gaussians(rng, POINTS)

    floor = sampling_floor(draw, generator(seed, "generators"), SEEDS)
    scores = [_one(seed, run) for run in range(1, SEEDS + 1)]
    parts = [
        _summed("W1 floor", floor),
        _summed("W1 of the generator", np.array([one["", WIDTH] for one in scores])),
    ]
    for kept in KEPT:
        by = {method: np.array([one[method, kept] for one in scores]) for method in METHODS}
        for method, values in by.items():
            parts.append(_summed(f"W1 pruned by {method}", values, kept))
            gap = t_interval(values - by["spectral"], confidence)
            parts.append(
                measured(
                    "",
                    f"W1 gap {method}",
                    gap.estimate,
                    SEEDS,
                    at=kept,
                    lower=gap.low,
                    upper=gap.high,
                )
            )
    return pd.concat(parts, ignore_index=True)


def _summed(quantity: str, values: Floats, at: float = float("nan")) -> pd.DataFrame:
    low, high = float(values.min()), float(values.max())
    return measured("", quantity, values.mean(), len(values), at=at, lower=low, upper=high)


def _one(seed: int, run: int) -> dict[tuple[str, int], float]:
    """W₁ by method and width of one generator."""
    rng = generator(seed, "generators", run)
    network = trained_generator(rng)
    noise = torch.from_numpy(rng.standard_normal((POINTS, NOISE))).float()
    real = ring_of_gaussians(rng, POINTS)
    calibration = torch.from_numpy(rng.standard_normal((CALIBRATION, NOISE))).float()

    @torch.no_grad()
    def score(one: nn.Module) -> float:
        return wasserstein(one(noise).double().numpy(), real)

    seen = {("", WIDTH): score(network)}
    for method in METHODS:
        for kept in KEPT:
            seen[method, kept] = score(pruned(network, [calibration], method, kept, rng))
    return seen


def pruned(
    network: nn.Module, batches: list[Tensor], method: str, kept: int, rng: np.random.Generator
) -> nn.Module:
    """A copy with so many units in every hidden layer, the readers reconstructed (4.1.1)."""
    graph = prunable_graph(network, batches)
    moments = group_moments(network, graph, batches)
    if method == "spectral":
        paths = greedy_paths(network, graph, moments.sigma, 0.5)
    else:
        orders: list[Integers] = [
            np.argsort(-l1_norms(network, group), kind="stable")
            if method == "magnitude"
            else rng.permutation(group.width)
            for group in graph.groups
        ]
        paths = [
            GroupPath(group, order, np.full(group.width, np.nan))
            for group, order in zip(graph.groups, orders, strict=True)
        ]
    selection = first_channels(paths, [kept] * len(paths))
    return compressed_network(network, selection, moments.tensors, batches, Compression())[0]


def trained_generator(rng: np.random.Generator) -> nn.Sequential:
    """A generator noise → ``WIDTH`` → ``WIDTH`` → plane, against a critic with gradient penalty.

    References
    ----------
    Arjovsky et al. (2017), algorithm 1; the penalty of Gulrajani et al. (2017) for its clipping.
    """
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        maker, critic = _layers(NOISE, 2), _layers(2, 1)
        of_maker = torch.optim.Adam(maker.parameters(), RATE, betas=(0.5, 0.9))
        of_critic = torch.optim.Adam(critic.parameters(), RATE, betas=(0.5, 0.9))
        for _ in range(STEPS):
            for _ in range(CRITIC_STEPS):
                real = torch.from_numpy(ring_of_gaussians(rng, BATCH)).float()
                fake = maker(torch.randn(BATCH, NOISE)).detach()
                loss = critic(fake).mean() - critic(real).mean()
                _step(of_critic, loss + PENALTY * _slope_penalty(critic, real, fake))
            _step(of_maker, -critic(maker(torch.randn(BATCH, NOISE))).mean())
    return maker.eval()


def _layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, outputs),
    )


def _slope_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    between = torch.lerp(real, fake, torch.rand(len(real), 1)).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return cast(Tensor, (slope.norm(dim=1) - 1).square().mean())


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
