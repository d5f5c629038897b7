"""Where gradient descent goes when many solutions fit (002, 1.6.1.2 and 1.6.1.10)."""

from __future__ import annotations

import numpy as np
from scipy.special import log_expit, softmax

from mini_exp.spectral import Floats


def logistic_direction(x: Floats, y: Floats, steps: int) -> Floats:
    """Unit vector of the weights after gradient descent on the mean logistic loss, from 0.

    Steps are divided by the sum of the samples' pulls, which only shortens the way: the limit, the
    classifier of the largest margin, is that of plain descent, which needs e^k steps for ‖w‖ = k.

    Parameters
    ----------
    x : (n, d) float64
        Separable without an intercept.
    y : (n,) float64
        −1 or 1.
    steps : int
        At least 1.

    Returns
    -------
    (d,) float64

    References
    ----------
    Soudry et al. (2018), theorem 3; text 002, 1.6.1.2: "sgd on logistic reg. gives hard margin
    svm". Nacson et al. (2019) for normalised steps.

    Examples
    --------
    >>> logistic_direction(np.array([[2.0], [-1.0]]), np.array([1.0, -1.0]), 10).tolist()
    [1.0]
    """
    signed = x * y[:, None]
    rate = 1 / np.linalg.norm(x, axis=1).max() ** 2
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        pull = softmax(log_expit(-signed @ weights))
        weights = weights + rate * (pull @ signed)
    return np.asarray(weights / np.linalg.norm(weights))


def least_squares_path(x: Floats, y: Floats, times: Floats, start: Floats) -> Floats:
    """Gradient flow on ½ ‖X w − y‖² from a start, at the given times, in closed form.

    w(t) = w₀ + V diag((1 − e^{−s² t}) / s) (Uᵀ y − s Vᵀ w₀), X = U diag(s) Vᵀ.

    Parameters
    ----------
    x : (n, d) float64
    y : (n,) float64
    times : (k,) float64
        May be infinite.
    start : (d,) float64

    Returns
    -------
    (k, d) float64
        From 0 it ends in the solution of smallest norm, and never leaves the span of the rows.

    References
    ----------
    Text 002, 1.6.1.2: "GD will converge to min-norm soln", "similar to ridge … λ = 1/t".

    Examples
    --------
    >>> x, y = np.array([[1.0, 1.0]]), np.array([2.0])
    >>> least_squares_path(x, y, np.array([np.inf]), np.zeros(2)).round(12).tolist()
    [[1.0, 1.0]]
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    kept = s > 1e-12 * s[0]  # below: rank, by rounding
    u, s, vt = u[:, kept], s[kept], vt[kept]
    gap = (u.T @ y) / s - vt @ start
    with np.errstate(under="ignore"):
        done = -np.expm1(-np.multiply.outer(np.asarray(times), np.square(s)))
    return np.asarray(start + (done * gap) @ vt)


def ridge_path(x: Floats, y: Floats, levels: Floats) -> Floats:
    """argmin ½ ‖X w − y‖² + ½ λ ‖w‖² for every λ > 0: (k, d).

    Examples
    --------
    >>> ridge_path(np.array([[1.0]]), np.array([2.0]), np.array([1.0])).tolist()
    [[1.0]]
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    shrunk = s * (u.T @ y) / (np.square(s) + np.asarray(levels)[:, None])
    return np.asarray(shrunk @ vt)


def learning_times(strengths: Floats, scale: float, rate: float, steps: int) -> Floats:
    """Step at which a deep linear network W₂W₁ has learned half of every singular value.

    Gradient descent on ½ ‖W₂ W₁ − diag(strengths)‖² from W₁ = W₂ = √scale · I.

    Parameters
    ----------
    strengths : (k,) float64
        Singular values of the input–output correlation, > scale.
    scale : float
        Of the product at the start, small.
    rate : float
    steps : int

    Returns
    -------
    (k,) float64
        Infinite where half is not reached. In the limit of small steps ln(s / scale − 1) / (2 s
        rate): the larger a singular value, the earlier.

    References
    ----------
    Saxe et al. (2014), (8); text 002, 1.6.1.10: "student learns biggest singular values … first".

    Examples
    --------
    >>> times = learning_times(np.array([4.0, 1.0]), 1e-3, 0.01, 2000)
    >>> bool(times[0] < times[1])
    True
    """
    target = np.diag(strengths)
    first = second = np.sqrt(scale) * np.eye(len(strengths))
    reached = np.full(len(strengths), np.inf)
    for step in range(1, steps + 1):
        error = target - second @ first
        first, second = first + rate * second.T @ error, second + rate * error @ first.T
        learned = np.diag(second @ first) >= strengths / 2
        reached[learned & np.isinf(reached)] = step
    return reached


def random_feature_errors(
    x: Floats, y: Floats, tested: Floats, truth: Floats, features: int, rng: np.random.Generator
) -> float:
    """Mean squared test error of the least squares of smallest norm on random ReLU features.

    Parameters
    ----------
    x : (n, d) float64
    y : (n,) float64
    tested : (k, d) float64
    truth : (k,) float64
    features : int
        Over it the error has a peak where it is n, and falls again beyond.
    rng : numpy.random.Generator
        Of the features' directions, uniform on the sphere.

    Returns
    -------
    float

    References
    ----------
    Belkin et al. (2019), figure 2; text 002, 1.6.1: "the interpolation regime".

    Examples
    --------
    >>> x = np.array([[1.0], [-1.0]])
    >>> rng = np.random.default_rng(0)
    >>> round(random_feature_errors(x, np.zeros(2), x, np.ones(2), 5, rng), 12)
    1.0
    """
    directions = rng.standard_normal((features, x.shape[1]))
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    seen, new = (np.maximum(points @ directions.T, 0.0) for points in (x, tested))
    weights = np.linalg.lstsq(seen, y, rcond=None)[0]
    return float(np.square(new @ weights - truth).mean())
