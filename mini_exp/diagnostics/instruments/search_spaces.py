"""What an architecture search runs on: widths, their cost, and a trained network's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import nn

from mini_exp.diagnostics.instruments.digit_training import accuracy, digit_tensors, trained
from mini_exp.errors import DomainError
from mini_exp.pruning.prune import prune
from mini_exp.seeds import generator
from mini_exp.settings.settings import Settings
from mini_exp.tasks.mini.data import DIMENSION, mini_sample
from mini_exp.tasks.mini.network import MiniModel, initial_stack
from mini_exp.tasks.mini.training import sample_orders, scores, training_epochs


class Space(Protocol):
    """Hidden widths of one kind of network on one data set."""

    @property
    def largest(self) -> tuple[int, ...]:
        """Hidden widths of the whole network."""

    def cost(self, widths: Sequence[int]) -> int:
        """Parameters of the network."""

    def scored(self, widths: Sequence[int], start: int) -> tuple[float, float]:
        """Accuracy of a trained network on the validation set, and on what judges it."""

    def spectral_widths(self, budget: int) -> tuple[int, ...]:
        """Of one trained network of the largest widths, by (4.2.3) within the budget."""


def within_budget(widths: Sequence[int], space: Space, budget: int) -> tuple[int, ...]:
    """The widths, multiplied by the largest factor ≤ 1 with which they cost at most the budget.

    Rounded down, at least 1 each: so that no proposal of a search is wasted.

    Raises
    ------
    DomainError
        If widths of 1 cost more.

    Notes
    -----
    20 evaluations of the cost.
    """
    if space.cost([1] * len(widths)) > budget:
        raise DomainError(f"search: expected a budget for widths of 1, got {budget} parameters")
    low, high = 0.0, 2.0  # of which at least the first is affordable, and the second is too much
    while high - low > 1e-6:
        middle = (low + high) / 2
        affordable = middle <= 1 and space.cost(_scaled(widths, middle)) <= budget
        low, high = (middle, high) if affordable else (low, middle)
    return _scaled(widths, low)


def _scaled(widths: Sequence[int], factor: float) -> tuple[int, ...]:
    return tuple(max(int(factor * width), 1) for width in widths)


@dataclass(frozen=True)
class MiniSpace:
    """MiniModel without biases; a fresh training set and validation set per run."""

    settings: Settings
    run: int
    largest: tuple[int, ...] = (16, 12, 10)
    judged: int = 5000

    def cost(self, widths: Sequence[int]) -> int:
        """30 w₁ + w₁ w₂ + … + w_L, (4.2.2) with input and output."""
        chain = (DIMENSION, *widths, 1)
        return sum(a * b for a, b in pairwise(chain))

    def scored(self, widths: Sequence[int], start: int) -> tuple[float, float]:
        network = self._trained(widths, start)
        (validation, population) = (scores(network, x, y)[1] for x, y in self._data()[1:])
        return float(validation[0]), float(population[0])

    def spectral_widths(self, budget: int) -> tuple[int, ...]:
        x = torch.from_numpy(self._data()[0][0][0])
        original = self._trained(self.largest, 0).replicate(0)
        selection = prune(original, [x], parameters=budget)[1]
        return tuple(selection.widths.values())

    def _data(self) -> list[tuple[np.ndarray, np.ndarray]]:
        data = self.settings.data
        rng = generator(self.settings.seed, "search", self.run)
        draws = [
            mini_sample(rng, n, data.epsilon, data.labels)
            for n in (data.n_train, data.n_train, self.judged)
        ]
        return [(x[None], y[None]) for x, y in draws]

    def _trained(self, widths: Sequence[int], start: int) -> MiniModel:
        how = self.settings.train
        x, y = self._data()[0]
        rngs = [generator(self.settings.seed, "search", 1000 * (self.run + 1) + start)]
        begun = initial_stack((DIMENSION, *widths, 1), False, rngs)
        orders = sample_orders(rngs, how.epochs, x.shape[1])
        *_, network = training_epochs(begun, x, y, orders, how.batch_size, how.learning_rate)
        return network


@dataclass(frozen=True)
class DigitSpace:
    """The convolutional network for digits; a fifth of the training images validates."""

    seed: int
    run: int
    epochs: int = 6
    largest: tuple[int, ...] = (16, 16, 32, 32, 64)

    def cost(self, widths: Sequence[int]) -> int:
        return sum(p.numel() for p in narrow_cnn(widths).parameters())

    def scored(self, widths: Sequence[int], start: int) -> tuple[float, float]:
        network = self._trained(widths, start)
        _, validation, test = self._data()
        return accuracy(network, validation), accuracy(network, test)

    def spectral_widths(self, budget: int) -> tuple[int, ...]:
        original = self._trained(self.largest, 0)
        return tuple(prune(original, [self._data()[0][0]], parameters=budget)[1].widths.values())

    def _data(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        (x, y), test = digit_tensors(generator(self.seed, "search", self.run))
        fifth = len(x) // 5
        return [(x[fifth:], y[fifth:]), (x[:fifth], y[:fifth]), test]

    def _trained(self, widths: Sequence[int], start: int) -> nn.Module:
        seed = int(generator(self.seed, "search", 1000 * (self.run + 1) + start).integers(2**31))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = narrow_cnn(widths)
        return trained(network, self._data()[0], self.epochs, seed)


def narrow_cnn(widths: Sequence[int]) -> nn.Sequential:
    """``digits_cnn`` without dropout, with other widths: four convolutions, one full connection.

    Examples
    --------
    >>> from mini_exp.tasks.images.networks import digits_cnn
    >>> whole, same = digits_cnn((0.0, 0.0, 0.0)), narrow_cnn((16, 16, 32, 32, 64))
    >>> [p.shape for p in whole.parameters()] == [p.shape for p in same.parameters()]
    True
    """
    *maps, hidden = widths
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise((1, *maps))):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
        if i % 2:
            layers.append(nn.MaxPool2d(2))
    ends = [nn.Flatten(), nn.Linear(4 * maps[-1], hidden), nn.ReLU(), nn.Linear(hidden, 10)]
    return nn.Sequential(*layers, *ends)
