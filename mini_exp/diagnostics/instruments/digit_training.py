"""Training of small classifiers of digits: what several instruments share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mini_exp.tasks.images.digits import digit_images

Split: TypeAlias = tuple[Tensor, Tensor]
Penalty: TypeAlias = Callable[[nn.Module, Tensor], Tensor]
BATCH, RATE = 64, 0.002


def digit_tensors(rng: np.random.Generator) -> tuple[Split, Split]:
    """Training (1437) and test set (360): pixels (n, 1, 8, 8) in [0, 1], classes (n,)."""
    train, test = (
        (torch.from_numpy(images.pixels).float() / 16, torch.from_numpy(images.labels))
        for images in digit_images(rng)
    )
    return train, test


def trained(
    network: nn.Module,
    samples: Split,
    epochs: int,
    seed: int,
    *,
    penalty: Penalty | None = None,
    weight_decay: float = 0.0,
) -> nn.Module:
    """The network itself after Adam on the cross-entropy, in evaluation mode.

    Parameters
    ----------
    network : nn.Module
    samples : (n, …) inputs and (n,) classes
    epochs : int
    seed : int
        Of the order of the samples.
    penalty : callable, optional
        From network and batch to what is added to the loss.
    weight_decay : float
        Decoupled, per step and unit of learning rate.
    """
    x, y = samples
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=weight_decay)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = cross_entropy(network(x[batch]), y[batch])
            if penalty is not None:
                loss = loss + penalty(network, x[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, samples: Split) -> float:
    """Share of samples whose class has the largest output."""
    x, y = samples
    return float((network(x).argmax(dim=1) == y).double().mean())
