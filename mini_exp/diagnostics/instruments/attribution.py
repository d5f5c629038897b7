"""What a prediction owes to each feature: integrated gradients and LIME (3.4)."""

from __future__ import annotations

import numpy as np
import torch

from mini_exp.diagnostics.instruments.gradients import input_gradients
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel

STEPS = 16  # of the integral: the midpoints of as many equal parts
KERNEL_WIDTH = 0.75  # in units of √d standard deviations, as the authors' package has it


def integrated_gradients(networks: MiniModel, x: Floats, baseline: Floats) -> Floats:
    """(x − b) ∘ ∫₀¹ ∇f(b + t(x − b)) dt of the logit f.

    Parameters
    ----------
    networks : MiniModel
        A stack of R.
    x : (R, n, d) or (1, n, d) float64
    baseline : (d,) or (R, 1, d) float64
        b. Attributions depend on it.

    Returns
    -------
    (R, n, d) float64
        Sums to f(x) − f(b), but for the error of the integral.

    Notes
    -----
    The midpoint rule with ``STEPS`` parts; the gradient of a ReLU network is piecewise constant, so
    each kink on the way costs at most a jump / ``STEPS``.

    References
    ----------
    Sundararajan et al. (2017), Axiomatic attribution for deep networks, (1).

    Examples
    --------
    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> linear = MiniModel([StackedLinear(torch.tensor([[[2.0, -1.0]]], dtype=torch.float64))])
    >>> integrated_gradients(linear, np.array([[[3.0, 5.0]]]), np.array([1.0, 1.0])).tolist()
    [[[4.0, -4.0]]]
    """
    way = x - baseline
    total = np.zeros(())
    for t in (np.arange(STEPS) + 0.5) / STEPS:
        total = total + input_gradients(networks, baseline + t * way)
    return np.asarray(way * total / STEPS)


def lime_coefficients(
    networks: MiniModel, x: Floats, spread: Floats, directions: Floats, ridge: float = 1.0
) -> Floats:
    """Weights of the linear model that explains the logit around each x (3.4.1).

    min_w Σ_i π_i (f(x + s∘z_i) − wᵀz_i − c)² + ridge ‖w‖², with π = exp(−‖z‖² / k²) and k =
    ``KERNEL_WIDTH`` √d, on features in units of their standard deviation.

    Parameters
    ----------
    networks : MiniModel
        A stack of R.
    x : (R, n, d) or (1, n, d) float64
        What to explain.
    spread : (d,) float64
        s: the features' standard deviations.
    directions : (k, d) float64
        z: standard normal draws, the same around every x.
    ridge : float
        At least 0; the complexity C(g).

    Returns
    -------
    (R, n, d) float64
        Per standard deviation of a feature.

    Notes
    -----
    O(R n k d) for the network and one (d, d) system: neighbourhoods share their directions.
    The authors' package draws its neighbours around the mean of the data unless it is asked not to,
    explains the class at index 0 of a regression with the opposite sign, and picks features.

    References
    ----------
    Sørby (2019), (3.4.1). Ribeiro et al. (2016), "Why should I trust you?", section 3.4.

    Examples
    --------
    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> linear = MiniModel([StackedLinear(torch.tensor([[[2.0, -1.0]]], dtype=torch.float64))])
    >>> z = np.random.default_rng(0).standard_normal((50, 2))
    >>> lime_coefficients(linear, np.zeros((1, 1, 2)), np.ones(2), z, 0.0).round(9).tolist()
    [[[2.0, -1.0]]]
    """
    d = directions.shape[-1]
    near = np.exp(-np.square(directions).sum(-1) / (KERNEL_WIDTH**2 * d))
    centre = near @ directions / near.sum()
    deviations = directions - centre
    gram = deviations.T @ (near[:, None] * deviations) + ridge * np.eye(d)
    projection = np.linalg.solve(gram, (near[:, None] * deviations).T)  # (d, k)
    with torch.no_grad():
        around = x[..., None, :] + spread * directions  # (R or 1, n, k, d)
        flat = around.reshape(around.shape[0], -1, d)
        values = networks(torch.from_numpy(flat))[..., 0].numpy()
    values = values.reshape(len(values), x.shape[1], -1)
    return np.asarray(values @ projection.T)  # Σ near · deviations = 0: no intercept is needed
