"""Small random networks that several tests look at."""

import numpy as np
import torch

from mini_exp.tasks.mini.network import MiniModel, initial_stack


def random_stack(widths=(5, 4, 3, 1), count=3, bias=False, seed=0):
    """A stack of networks; biases, where there are some, are not zero."""
    stack = initial_stack(widths, bias, [np.random.default_rng([seed, r]) for r in range(count)])
    if bias:
        generator = torch.Generator().manual_seed(seed)
        for layer in stack.stacked_layers:
            layer.bias.data.copy_(torch.randn(layer.bias.shape, generator=generator).double())
    return stack


def random_network(widths=(5, 4, 3, 1), bias=False, seed=0) -> MiniModel:
    return random_stack(widths, 1, bias, seed).replicate(0)


def gaussian_samples(n, d, seed=0, count=None):
    """Inputs and labels without a relation."""
    rng = np.random.default_rng(seed)
    leading = () if count is None else (count,)
    return rng.normal(size=(*leading, n, d)), rng.integers(0, 2, (*leading, n)).astype(float)
