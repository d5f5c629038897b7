"""Gradient descent where everything is known: on a quadratic, at a saddle, by its rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats

Gradient: TypeAlias = Callable[[Floats], Floats]


def descent(gradient: Gradient, start: Floats, rate: float, steps: int) -> Floats:
    """θ_{k+1} = θ_k − η ∇f(θ_k).

    Parameters
    ----------
    gradient : callable
        From (d,) to (d,).
    start : (d,) float64
    rate : float
        η > 0.
    steps : int
        At least 0.

    Returns
    -------
    (steps + 1, d) float64
        The path, its start included.

    Raises
    ------
    DomainError

    References
    ----------
    Sørby (2019), (1.3.4); text 003, 1.1. A step of c · 2/β converges on a quadratic with largest
    eigenvalue β if and only if c < 1: |1 − 2c| is the factor along the steepest direction. From
    a trained network, which is no minimum, the same step tests nothing.

    Examples
    --------
    >>> descent(lambda theta: 2 * theta, np.array([1.0]), 0.25, 2).ravel().tolist()
    [1.0, 0.5, 0.25]
    """
    if not rate > 0:
        raise DomainError(f"gradient descent: expected a step size > 0, got {rate}")
    path = [np.asarray(start, dtype=np.float64)]
    for _ in range(steps):
        path.append(path[-1] - rate * gradient(path[-1]))
    return np.stack(path)


def perturbed_descent(
    gradient: Gradient,
    start: Floats,
    rate: float,
    steps: int,
    radius: float,
    rng: np.random.Generator,
) -> Floats:
    """Gradient descent that jumps to a uniform point of a ball where ‖∇f‖ falls below its radius.

    After a jump it waits ``wait`` = 1 / (η radius) steps, capped at a tenth of all, before another.

    Parameters
    ----------
    gradient, start, rate, steps
        As in ``descent``.
    radius : float
        Of the ball, and the gradient's norm that calls for a jump; > 0.
    rng : numpy.random.Generator

    Returns
    -------
    (steps + 1, d) float64

    Raises
    ------
    DomainError

    References
    ----------
    Jin et al. (2017), arXiv 1703.00887, algorithm 1; text 003, 1.1 "Saddle Points".

    Examples
    --------
    On x² − y² plain descent stays on the line y = 0; a jump leaves it.

    >>> def gradient(theta):
    ...     return np.array([2.0, -2.0]) * theta
    >>> start, rng = np.array([1.0, 0.0]), np.random.default_rng(0)
    >>> bool(abs(perturbed_descent(gradient, start, 0.1, 100, 1e-3, rng)[-1, 1]) > 1)
    True
    """
    if not (rate > 0 and radius > 0):
        raise DomainError(
            f"perturbed descent: expected step size and radius > 0, got {rate}, {radius}"
        )
    wait = max(min(int(1 / (rate * radius)), steps // 10), 1)
    path = [np.asarray(start, dtype=np.float64)]
    last_jump = -wait
    for step in range(steps):
        slope = gradient(path[-1])
        if np.linalg.norm(slope) < radius and step - last_jump >= wait:
            direction = rng.standard_normal(len(slope))
            length = radius * rng.random() ** (1 / len(slope)) / np.linalg.norm(direction)
            path.append(path[-1] + length * direction)
            last_jump = step
        else:
            path.append(path[-1] - rate * slope)
    return np.stack(path)


def steps_to_a_critical_point(path: Floats, gradient: Gradient, epsilon: float) -> float:
    """The first k with ‖∇f(θ_k)‖ ≤ ε; infinite where the path has none.

    With η = 1/β it is at most 2β (f(θ_0) − min f) / ε², whatever f is.

    Examples
    --------
    >>> halving = descent(lambda theta: theta, np.array([1.0]), 0.5, 9)
    >>> steps_to_a_critical_point(halving, lambda theta: theta, 0.25)
    2.0
    """
    norms = np.linalg.norm([gradient(theta) for theta in path], axis=1)
    below = np.flatnonzero(norms <= epsilon)
    return float(below[0]) if len(below) else float("inf")


def strict_saddle(theta: Floats, ratio: float = 1.0) -> Floats:
    """∇ of ‖x‖²/2 + ρ (y⁴/4 − y²/2), y the last coordinate: a strict saddle at 0, minima at ±e_d.

    At 0 the Hessian is diag(1, …, 1, −ρ). Near it a step of η multiplies x by 1 − η and y by
    1 + ηρ: from y₀ descent needs ln(1/|y₀|) / ln(1 + ηρ) steps to leave.

    Parameters
    ----------
    theta : (..., d) float64
    ratio : float
        ρ > 0, of the curvatures along y and along x.

    Returns
    -------
    (..., d) float64

    Examples
    --------
    >>> strict_saddle(np.array([2.0, 1.0])).tolist()
    [2.0, 0.0]
    >>> strict_saddle(np.array([0.0, 0.0, 0.5]), ratio=0.5).tolist()
    [0.0, 0.0, -0.1875]
    """
    x, y = theta[..., :-1], theta[..., -1:]
    return np.concatenate([x, ratio * (y**3 - y)], axis=-1)
