"""Curvature of the loss at a stack of MiniModels: the Hessian's ends, and its trace."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits

from mini_exp.diagnostics.instruments.tangent_kernel import squared_gradient_norms
from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel


def hessian_ends(
    networks: MiniModel, x: Floats, y: Floats, steps: int = 60
) -> tuple[Floats, Floats]:
    """Smallest and largest eigenvalue of ∇² of the mean loss, for every network of a stack.

    β = max(|smallest|, |largest|) is the constant of −βI ≤ ∇² ≤ βI at this point only.

    Parameters
    ----------
    networks : MiniModel
        A stack of R.
    x : (R, n, d) or (1, n, d) float64
    y : (R, n) or (1, n) float64
        0 or 1.
    steps : int
        Of Lanczos, at least 1.

    Returns
    -------
    smallest, largest : (R,) float64

    Raises
    ------
    DomainError

    Notes
    -----
    One product with the Hessian per step for the whole stack. The largest of MINI's networks is
    right to 1e-6 after 60 steps; both ends are approached from inside.

    References
    ----------
    Text 003, 1.1 "Critical Points".

    Examples
    --------
    At logit 0 logistic regression has the Hessian x xᵀ / 4.

    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> zero = MiniModel([StackedLinear(torch.zeros(1, 1, 2, dtype=torch.float64))])
    >>> ends = hessian_ends(zero, np.array([[[0.0, 2.0]]]), np.array([[1.0]]))
    >>> [float(end[0].round(12)) + 0.0 for end in ends]
    [0.0, 1.0]
    """
    if steps < 1:
        raise DomainError(f"curvature: expected steps ≥ 1, got {steps}")
    names = [name for name, _ in networks.named_parameters()]
    parameters = [p.detach().clone().requires_grad_() for p in networks.parameters()]
    count = parameters[0].shape[0]
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    logits = functional_call(networks, dict(zip(names, parameters, strict=True)), (inputs,))[..., 0]
    target = labels.expand_as(logits)
    losses = binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)
    gradient = torch.autograd.grad(losses.sum(), parameters, create_graph=True)
    flat = torch.cat([g.reshape(count, -1) for g in gradient], dim=1)

    def product(vectors: Tensor) -> Tensor:
        rows = torch.autograd.grad(
            (flat * vectors).sum(), parameters, retain_graph=True, materialize_grads=True
        )
        return torch.cat([row.reshape(count, -1) for row in rows], dim=1)

    ritz = _ritz_values(product, torch.zeros_like(flat.detach()), steps)
    return ritz[:, 0], ritz[:, -1]


def hessian_trace(networks: MiniModel, x: Floats) -> Floats:
    """tr ∇² of the mean loss = (1/n) Σ_i p_i (1 − p_i) ‖∇_θ f(x_i)‖², exact.

    A ReLU network is linear in each single weight between its kinks, so the part of the Hessian
    that holds ∇² f has a zero diagonal.

    Parameters
    ----------
    networks : MiniModel
    x : (..., n, d) float64

    Returns
    -------
    (...) float64

    Examples
    --------
    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> zero = MiniModel([StackedLinear(torch.zeros(1, 2, dtype=torch.float64))])
    >>> float(hessian_trace(zero, np.array([[0.0, 2.0]])))
    1.0
    """
    with torch.no_grad():
        p = torch.sigmoid(networks(torch.from_numpy(x))[..., 0]).numpy()
    return np.asarray((p * (1 - p) * squared_gradient_norms(networks, x)).mean(-1))


def _ritz_values(product: Callable[[Tensor], Tensor], zero: Tensor, steps: int) -> Floats:
    """Lanczos with full reorthogonalisation for every row: ascending (R, k)."""
    generator = torch.Generator().manual_seed(0)

    def start() -> Tensor:
        """The same for every row, with a share in every direction."""
        return torch.randn(zero.shape[1], generator=generator, dtype=zero.dtype).expand_as(zero)

    basis = zero[:, None, :][:, :0]
    following, images = start(), []
    for _ in range(min(steps, zero.shape[1])):
        following = _orthogonal(following, basis)
        basis = torch.cat([basis, following[:, None]], dim=1)
        images.append(product(following))
        rest = _remainder(images[-1], basis)
        exhausted = rest.norm(dim=1) <= 1e-10 * images[-1].norm(dim=1)  # an invariant space
        following = torch.where(exhausted[:, None], start(), rest)
    projected = basis @ torch.stack(images, dim=2)
    return np.linalg.eigvalsh(((projected + projected.mT) / 2).numpy())


def _orthogonal(vectors: Tensor, basis: Tensor) -> Tensor:
    rest = _remainder(vectors, basis)
    length: Tensor = rest.norm(dim=1, keepdim=True)
    return rest / length


def _remainder(vectors: Tensor, basis: Tensor) -> Tensor:
    """Less the part in the span of the basis, taken twice: once leaves a share of rounding."""
    for _ in range(2):
        vectors = vectors - ((basis @ vectors[:, :, None]).mT @ basis)[:, 0]
    return vectors
