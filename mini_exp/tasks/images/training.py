"""Training and scoring one network on images."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mini_exp.errors import TrainingError
from mini_exp.seeds import Purpose, generator

SCORED_AT_ONCE = 500
CROP_PADDING = 4  # pixels, of CIFAR's usual augmentation


@contextlib.contextmanager
def seeded(seed: int, purpose: Purpose, replicate: int = 0) -> Iterator[np.random.Generator]:
    """The generator of (seed, purpose, replicate); PyTorch's own draws follow from it too."""
    rng = generator(seed, purpose, replicate)
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**63)))
        yield rng


def training_epochs(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    rng: np.random.Generator,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    augment: bool = False,
    half: bool = False,
    loss_of: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
) -> Iterator[tuple[nn.Module, float]]:
    """Minimise a mean loss with Adam; yield network and loss after every epoch.

    The learning rate falls to 0 along a half cosine over all steps.

    Parameters
    ----------
    network : nn.Module
        Not changed: a copy is trained, and yielded again and again, with the mean loss of the
        epoch's batches.
    x : (n, channels, height, width) float32 tensor
        Standardised images, on the network's device; without ``augment`` any (n, …).
    y : (n,) int64 tensor
        Classes, or what ``loss_of`` takes.
    rng : numpy.random.Generator
        Orders and crops; dropout follows PyTorch's own generator, see ``seeded``.
    epochs, batch_size, learning_rate
    augment : bool
        Mirror half of the images and shift all by up to 4 pixels (not for digits).
    half : bool
        Multiply in bfloat16 (autocast), keep the weights in float32.
    loss_of : function
        Of outputs and y, the mean over samples: the cross-entropy.

    Raises
    ------
    TrainingError
        If the loss is no longer finite.
    """
    network = copy.deepcopy(network)
    if x.ndim == 4:  # convolutions are faster with the channels last
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    n_batches = math.ceil(len(x) / batch_size)
    step, steps = 0, epochs * n_batches
    for epoch in range(epochs):
        network.train()
        order = torch.from_numpy(rng.permutation(len(x))).to(x.device)
        total = torch.zeros((), device=x.device)
        for index in order.split(batch_size):
            batch = _augmented(x[index], rng) if augment else x[index]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
            step += 1
            with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
                loss = loss_of(network(batch), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(index)
        if not torch.isfinite(total):
            raise TrainingError(
                f"the loss is not finite in epoch {epoch + 1}; lower the learning rate"
            )
        yield network, float(total) / len(x)


def _augmented(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of the images mirrored, each shifted by up to 4 pixels against a border of zeros."""
    n, _, height, width = batch.shape
    padded = functional.pad(batch, (CROP_PADDING,) * 4)
    shift = torch.from_numpy(rng.integers(0, 2 * CROP_PADDING + 1, (2, n))).to(batch.device)
    mirrored = torch.from_numpy(rng.random(n) < 0.5).to(batch.device)
    rows = shift[0, :, None] + torch.arange(height, device=batch.device)
    columns = torch.arange(width, device=batch.device).expand(n, -1)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns) + shift[1, :, None]
    image = torch.arange(n, device=batch.device)[:, None, None]
    crop = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return crop.permute(0, 3, 1, 2)


@torch.no_grad()
def logits_of(network: nn.Module, x: Tensor) -> Tensor:
    """Outputs in eval mode: (n, classes) float64."""
    was_training = network.training
    network.eval()
    logits = torch.cat([network(part) for part in x.split(SCORED_AT_ONCE)]).double()
    network.train(was_training)
    return logits


def loss_and_accuracy(network: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy, in eval mode."""
    return scores_of(logits_of(network, x), y)


def scores_of(logits: Tensor, y: Tensor) -> tuple[float, float]:
    """The same of logits."""
    loss = functional.cross_entropy(logits, y)
    return float(loss), float((logits.argmax(dim=1) == y).double().mean())
