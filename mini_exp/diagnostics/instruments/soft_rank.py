"""The soft rank N(λ) of layers' outputs as a penalty during training (chapter 6)."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mini_exp.diagnostics.instruments.digit_training import accuracy, digit_tensors, trained
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import Stages
from mini_exp.errors import DomainError
from mini_exp.seeds import generator
from mini_exp.tasks.images.networks import digits_cnn

SLOW = True
SEEDS, EPOCHS = 2, 12
LEVEL = 0.01  # λ, in the units of Σ
GAMMAS = (0.0, 3e-4, 1e-3, 3e-3, 1e-2)
DECAYS = (0.0, 0.3, 1.0, 3.0, 10.0)
DECAYED_GAMMAS, BESIDE = (1e-3, 1e-2), 0.3  # the penalty with weight decay beside it


def soft_rank(outputs: Tensor, level: float) -> Tensor:
    """N(λ) = tr[Σ (Σ + λI)⁻¹] of Σ = φᵀφ / n, differentiable.

    Parameters
    ----------
    outputs : (n, m) or (n, m, h, w) tensor
        Of images every position counts as a sample.
    level : float
        λ > 0, in the units of Σ.

    Returns
    -------
    scalar tensor
        In [0, min(n, m)). Raw, it falls as the outputs shrink, which nothing in a ReLU network
        forbids: later weights grow instead. Therefore it needs weight decay beside it.

    Raises
    ------
    DomainError

    Notes
    -----
    O(n m² + m³).

    References
    ----------
    Sørby (2019), (4.2.1), and chapter 6: "some sort of penalty in the architecture gradient".

    Examples
    --------
    >>> round(float(soft_rank(torch.eye(2, dtype=torch.float64), 0.5)), 12)
    1.0
    """
    if not level > 0:
        raise DomainError(f"soft rank: expected λ > 0, got {level}")
    rows = outputs.movedim(1, -1).reshape(-1, outputs.shape[1])
    sigma = rows.T @ rows / len(rows)
    shifted = sigma + level * torch.eye(len(sigma), dtype=sigma.dtype)
    trace: Tensor = torch.linalg.solve(shifted, sigma).trace()
    return trace


def rank_of_layers(network: nn.Module, x: Tensor) -> Tensor:
    """Σ N(λ) over the outputs of all ReLUs of a chain."""
    total = x.new_zeros(())
    for layer in network.children():
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            total = total + soft_rank(x, LEVEL)
    return total


def measure(stages: Stages) -> pd.DataFrame:
    """The same for every variant; a convolutional network on digits.

    Rows, means over ``SEEDS`` between the least and the most: ``accuracy`` and ``rank`` (Σ N(λ) on
    the test set) ``by penalty`` over γ (``at``), ``by penalty beside decay``, and ``by decay`` over
    the weight decay, decoupled: equal strength of effect is read off at equal rank.

    Notes
    -----
    Three minutes, once per process.
    """
    return _rows(stages.settings.seed)


@functools.cache
def _rows(seed: int) -> pd.DataFrame:
    arms = [
        *(("by penalty", gamma, gamma, 0.0) for gamma in GAMMAS),
        *(("by penalty beside decay", gamma, gamma, BESIDE) for gamma in DECAYED_GAMMAS),
        *(("by decay", decay, 0.0, decay) for decay in DECAYS),
    ]
    parts = []
    for name, at, gamma, decay in arms:
        scores = np.array([_one(seed, run, gamma, decay) for run in range(SEEDS)])
        for quantity, values in zip(("accuracy", "rank"), scores.T, strict=True):
            low, high = float(values.min()), float(values.max())
            parts.append(
                measured(
                    "", f"{quantity} {name}", values.mean(), SEEDS, at=at, lower=low, upper=high
                )
            )
    return pd.concat(parts, ignore_index=True)


def _one(seed: int, run: int, gamma: float, decay: float) -> tuple[float, float]:
    rng = generator(seed, "soft rank", run)
    train, test = digit_tensors(rng)
    start = int(rng.integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(start)
        network = digits_cnn((0.0, 0.0, 0.0))

    def penalty(own: nn.Module, x: Tensor) -> Tensor:
        return gamma * rank_of_layers(own, x)

    trained(network, train, EPOCHS, start, penalty=penalty if gamma else None, weight_decay=decay)
    with torch.no_grad():
        return accuracy(network, test), float(rank_of_layers(network, test[0]))
