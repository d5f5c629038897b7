"""Gradients of a network's logit by its input, written out for ReLU layers."""

from __future__ import annotations

import numpy as np
import torch

from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel


@torch.no_grad()
def input_gradients(networks: MiniModel, x: Floats) -> Floats:
    """∇ₓ f(x) = W₁ᵀ D₁ W₂ᵀ D₂ … W_Lᵀ of the logit f, D_ℓ the units of layer ℓ that are active.

    Parameters
    ----------
    networks : MiniModel
        A stack of R.
    x : (R, n, d) or (1, n, d) float64

    Returns
    -------
    (R, n, d) float64
        At a kink the gradient of the side where the unit is off.

    Notes
    -----
    As costly as two passes forward; autograd of the sum of the logits gives the same.

    Examples
    --------
    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> linear = MiniModel([StackedLinear(torch.tensor([[[2.0, -1.0]]], dtype=torch.float64))])
    >>> input_gradients(linear, np.zeros((1, 1, 2))).tolist()
    [[[2.0, -1.0]]]
    """
    layers = networks.stacked_layers
    read, active = torch.from_numpy(x), []
    for layer in layers[:-1]:
        read = torch.relu(layer(read))
        active.append(read > 0)
    last = layers[-1].weight  # (R, 1, m)
    gradient = last.expand(-1, x.shape[-2], -1)
    for layer, on in zip(reversed(layers[:-1]), reversed(active), strict=True):
        gradient = (gradient * on) @ layer.weight
    return np.asarray(gradient.numpy())
