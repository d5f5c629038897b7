"""Do candidates that share weights rank as they do when trained alone (3.5)?"""

from __future__ import annotations

import functools
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from mini_exp.diagnostics.instruments.digit_training import (
    BATCH,
    RATE,
    Split,
    accuracy,
    digit_tensors,
    trained,
)
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.report.intervals import t_interval
from mini_exp.seeds import generator

SLOW = True
SEEDS, CANDIDATES = 5, 16
WIDTH, LAYERS = 64, 2
SHARED_EPOCHS, EPOCHS = 40, 15
NAMES = ("rank correlation", "rank correlation of size", "shared accuracy", "accuracy alone")


class SharedNetwork(nn.Module):
    """Full connections of which a candidate uses the first units of every hidden layer.

    Examples
    --------
    >>> network = SharedNetwork(3, 4, 2, 5)
    >>> network(torch.ones(7, 3)).shape, network.candidate((2, 1))(torch.ones(7, 3)).shape
    (torch.Size([7, 5]), torch.Size([7, 5]))
    """

    def __init__(self, inputs: int, width: int, layers: int, outputs: int) -> None:
        super().__init__()
        sizes = [inputs, *[width] * layers, outputs]
        self.layers = nn.ModuleList(nn.Linear(sizes[i], sizes[i + 1]) for i in range(layers + 1))
        self.widths = (width,) * layers

    @property
    def connections(self) -> list[nn.Linear]:
        """The layers in order, by their type."""
        return [cast(nn.Linear, layer) for layer in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        """From (n, inputs) to (n, outputs), through the first ``widths`` units."""
        *hidden, last = self.connections
        for layer, width in zip(hidden, self.widths, strict=True):
            x = torch.relu(linear(x, layer.weight[:width, : x.shape[1]], layer.bias[:width]))
        return linear(x, last.weight[:, : x.shape[1]], last.bias)

    def candidate(self, widths: tuple[int, ...]) -> nn.Sequential:
        """A network of its own with these widths and the shared weights, copied."""
        made: list[nn.Module] = []
        layers = self.connections
        inputs = layers[0].in_features
        for layer, width in zip(layers, (*widths, layers[-1].out_features), strict=True):
            own = nn.Linear(inputs, width)
            own.weight.data.copy_(layer.weight.data[:width, :inputs])
            own.bias.data.copy_(layer.bias.data[:width])
            made += [own, nn.ReLU()]
            inputs = width
        return nn.Sequential(*made[:-1])


def measure(stages: Stages, confidence: float) -> pd.DataFrame:
    """The same for every variant; no network of a stage is looked at.

    Rows, means over ``SEEDS`` with their t intervals: ``rank correlation`` (Spearman) over
    ``CANDIDATES`` of the test accuracy with shared weights and after training alone;
    ``rank correlation of size``, of the number of parameters with the latter, and what shared
    weights add to it, ``rank correlation − of size``; ``shared accuracy``, ``accuracy alone``.

    Notes
    -----
    A minute, once per process.
    """
    return _rows(stages.settings.seed, confidence)


@functools.cache
def _rows(seed: int, confidence: float) -> pd.DataFrame:
    seen = np.array([_one(seed, run) for run in range(SEEDS)])
    parts = []
    columns = dict(zip(NAMES, seen.T, strict=True))
    columns["rank correlation − of size"] = columns[NAMES[0]] - columns[NAMES[1]]
    for name, values in columns.items():
        mean = t_interval(values, confidence)
        parts.append(measured("", name, mean.estimate, SEEDS, lower=mean.low, upper=mean.high))
    return pd.concat(parts, ignore_index=True)


def _one(seed: int, run: int) -> tuple[float, float, float, float]:
    import scipy.stats

    rng = generator(seed, "shared weights", run)
    train, test = ((x.flatten(1), y) for x, y in digit_tensors(rng))
    start = int(rng.integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(start)
        shared = SharedNetwork(64, WIDTH, LAYERS, 10)
        fresh = SharedNetwork(64, WIDTH, LAYERS, 10)
    train_shared(shared, train, rng, start)
    scores = []
    for _ in range(CANDIDATES):
        widths = _drawn(rng)
        alone = trained(fresh.candidate(widths), train, EPOCHS, start)
        size = sum(p.numel() for p in alone.parameters())
        scores.append((accuracy(shared.candidate(widths), test), size, accuracy(alone, test)))
    with_shared, sizes, trained_alone = np.array(scores).T
    by_shared, by_size = (
        float(scipy.stats.spearmanr(ranking, trained_alone).statistic)
        for ranking in (with_shared, sizes)
    )
    return by_shared, by_size, float(with_shared.mean()), float(trained_alone.mean())


def train_shared(
    network: SharedNetwork, samples: Split, rng: np.random.Generator, seed: int
) -> None:
    """Adam on the cross-entropy, with a candidate drawn for every batch."""
    x, y = samples
    whole = network.widths
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    for _ in range(SHARED_EPOCHS):
        for batch in torch.randperm(len(x), generator=order).split(BATCH):
            network.widths = _drawn(rng)
            optimizer.zero_grad()
            cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
    network.widths = whole


def _drawn(rng: np.random.Generator) -> tuple[int, ...]:
    """Widths whose logarithm is uniform: narrow candidates differ most."""
    return tuple(int(WIDTH ** rng.random()) for _ in range(LAYERS))
