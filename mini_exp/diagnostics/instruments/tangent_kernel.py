"""The neural tangent kernel of a stack of MiniModels, its drift, and regression with it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel


@torch.no_grad()
def tangent_kernel(networks: MiniModel, x: Floats, z: Floats) -> Floats:
    """k(x, z) = ∇_θ f(x) · ∇_θ f(z), f the logit.

    With a_ℓ the input of layer ℓ and δ_ℓ the derivative of the logit with respect to its
    output, k = Σ_ℓ (a_ℓ(x) · a_ℓ(z) [+ 1 with biases]) (δ_ℓ(x) · δ_ℓ(z)).

    Parameters
    ----------
    networks : MiniModel
    x : (..., n, d) float64
    z : (..., k, d) float64

    Returns
    -------
    (..., n, k) float64
        Of every network of the stack.

    Notes
    -----
    O(n k Σ m_ℓ) time, no Jacobian is stored. The derivative of ReLU at 0 is taken as 0.

    References
    ----------
    Jacot et al. (2018), (3); text 002, section 1.6.1.7.

    Examples
    --------
    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> linear = MiniModel([StackedLinear(torch.ones(1, 2, dtype=torch.float64))])
    >>> tangent_kernel(linear, np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])).tolist()
    [[11.0]]
    """
    of_x, of_z = _factors(networks, x), _factors(networks, z)
    kernel = sum(
        (a @ b.mT + (layer.bias is not None)) * (c @ d.mT)
        for layer, (a, c), (b, d) in zip(networks.stacked_layers, of_x, of_z, strict=True)
    )
    assert isinstance(kernel, Tensor)  # noqa: S101  a network has a layer
    return kernel.numpy()


@torch.no_grad()
def squared_gradient_norms(networks: MiniModel, x: Floats) -> Floats:
    """‖∇_θ f(x)‖², the kernel's diagonal: from (..., n, d) to (..., n)."""
    norms = [
        (a.square().sum(-1) + (layer.bias is not None)) * c.square().sum(-1)
        for layer, (a, c) in zip(networks.stacked_layers, _factors(networks, x), strict=True)
    ]
    return np.asarray(torch.stack(norms).sum(0).numpy())


def _factors(networks: MiniModel, x: Floats) -> list[tuple[Tensor, Tensor]]:
    """Per layer its input (..., n, in) and the logit's derivative by its output (..., n, out)."""
    layers = networks.stacked_layers
    inputs = [torch.from_numpy(x)]
    for layer in layers[:-1]:
        inputs.append(torch.relu(layer(inputs[-1])))
    delta = torch.ones_like(layers[-1](inputs[-1]))
    deltas = [delta]
    for i in range(len(layers) - 1, 0, -1):
        delta = (delta @ layers[i].weight) * (inputs[i] > 0)
        deltas.insert(0, delta)
    return list(zip(inputs, deltas, strict=True))


def kernel_drift(before: Floats, after: Floats) -> Floats:
    """1 − ⟨K, K'⟩ / (‖K‖ ‖K'‖): 0 where the kernel only changed its scale.

    Parameters
    ----------
    before, after : (..., n, n) float64

    Returns
    -------
    (...) float64
        In [0, 1] for kernels, which are positive semi-definite; NaN where one is 0.

    References
    ----------
    Fort et al. (2020), (5): the kernel distance.

    Examples
    --------
    >>> float(kernel_drift(np.eye(2), np.diag([2.0, 0.0])).round(4))
    0.2929
    """
    inner = (before * after).sum((-2, -1))
    norms = np.linalg.norm(before, axis=(-2, -1)) * np.linalg.norm(after, axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - inner / norms)


def kernel_regression(train: Floats, across: Floats, y: Floats, ridge: float) -> Floats:
    """Predictions K(z, x) (K(x, x) + ridge · tr K / n · I)⁻¹ (2y − 1): the sign is the class.

    Parameters
    ----------
    train : (..., n, n) float64
    across : (..., k, n) float64
    y : (..., n) float64
        0 or 1.
    ridge : float
        Relative to the mean diagonal of K, > 0.

    Returns
    -------
    (..., k) float64

    Raises
    ------
    DomainError

    Notes
    -----
    O(n³). With the kernel of the untrained network this is gradient flow on squared error in the
    limit of infinite width, from a start at f = 0.

    References
    ----------
    Jacot et al. (2018), section 5.

    Examples
    --------
    >>> kernel_regression(np.eye(2), np.eye(2), np.array([1.0, 0.0]), 1.0).tolist()
    [0.5, -0.5]
    """
    if not ridge > 0:
        raise DomainError(f"kernel regression: expected a ridge > 0, got {ridge}")
    n = train.shape[-1]
    level = ridge * np.trace(train, axis1=-2, axis2=-1)[..., None, None] / n
    level = np.where(level > 0, level, 1.0)  # a kernel of zeros answers 0
    dual = np.linalg.solve(train + level * np.eye(n), (2 * y - 1)[..., None])
    return np.asarray((across @ dual)[..., 0])
