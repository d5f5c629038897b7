"""How far a two-layer ReLU network in the plane is from the optimum of its convex program."""

from __future__ import annotations

import numpy as np

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats


def penalised_loss(x: Floats, y: Floats, hidden: Floats, output: Floats, penalty: float) -> Floats:
    """½ ‖(X Wᵀ)₊ a − y‖² + ½ λ (‖W‖² + ‖a‖²): both parts positively homogeneous of degree 2.

    Parameters
    ----------
    x : (n, d) float64
    y : (n,) float64
    hidden : (..., h, d) float64
        W.
    output : (..., h) float64
        a.
    penalty : float
        λ ≥ 0.

    Returns
    -------
    (...) float64

    References
    ----------
    Text 004, (2); Haeffele and Vidal (2017).

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> float(penalised_loss(one, np.array([2.0]), one, np.ones(1), 0.5))
    1.0
    """
    residual = _outputs(x, hidden, output) - y
    size = np.square(hidden).sum((-2, -1)) + np.square(output).sum(-1)
    return np.asarray(0.5 * np.square(residual).sum(-1) + 0.5 * penalty * size)


def optimum_bound(x: Floats, y: Floats, hidden: Floats, output: Floats, penalty: float) -> float:
    """A lower bound of that loss over all networks of all widths, from one network's residual.

    The problem over all widths is convex; its dual is max ν·y − ½‖ν‖² with
    |Σ_i ν_i (x_i · w)₊| ≤ λ for every unit vector w. The residual, scaled until it is feasible, is
    such a ν. At a global optimum with a unit to spare the bound is the loss itself.

    Parameters
    ----------
    x : (n, 2) float64
        In the plane, where the maximum over w is exact.
    y : (n,) float64
    hidden : (h, 2) float64
    output : (h,) float64
    penalty : float
        λ > 0.

    Returns
    -------
    float
        In the units of the loss; up to rounding never above the loss of any network.

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    O(n²). A unit that is zero certifies nothing by itself: the zero network is a stationary point
    with zero units, and mostly a saddle.

    References
    ----------
    Bach (2017), section 3; Pilanci and Ergen (2020), (9). Text 004, theorem: a *local minimum* with
    a zero unit is a global one.

    Examples
    --------
    For y = 0 the zero network is optimal.

    >>> zero = np.zeros((1, 2))
    >>> optimum_bound(np.eye(2), np.zeros(2), zero, np.zeros(1), 0.1)
    0.0
    """
    if x.ndim != 2 or x.shape[1] != 2:
        raise ShapeError(f"optimality: expected points (n, 2), got {x.shape}")
    if not penalty > 0:
        raise DomainError(f"optimality: expected a penalty λ > 0, got {penalty}")
    residual = y - _outputs(x, hidden, output)
    square = float(residual @ residual)
    if square == 0:
        return 0.0
    strongest = largest_response(x, residual)
    # ν = s · residual: the best s that is feasible.
    best = float(residual @ y) / square
    s = np.clip(best, *(np.array([-1, 1]) * penalty / strongest)) if strongest > 0 else best
    return float(s * (residual @ y) - 0.5 * s**2 * square)


def largest_response(x: Floats, weights: Floats) -> float:
    """max over unit vectors w of the plane of |Σ_i weights_i (x_i · w)₊|, exactly.

    Between the 2n directions orthogonal to a point the sum is linear in w: its maximum is its
    gradient's length where that direction lies between them, or at an end.

    Examples
    --------
    >>> largest_response(np.array([[3.0, 4.0]]), np.array([2.0]))
    10.0
    """
    across = np.stack([-x[:, 1], x[:, 0]], axis=1)
    ends = np.concatenate([across, -across])
    angles = np.sort(np.arctan2(ends[:, 1], ends[:, 0]))
    middles = (angles + np.append(angles[1:], angles[0] + 2 * np.pi)) / 2
    active = np.stack([np.cos(middles), np.sin(middles)], axis=1) @ x.T > 0
    gradients = (active * weights) @ x
    lengths = np.linalg.norm(gradients, axis=1)
    seen = lengths > 0
    inner = gradients[seen] / lengths[seen, None]
    directions = np.concatenate([np.stack([np.cos(angles), np.sin(angles)], 1), inner, -inner])
    return float(np.abs(np.maximum(directions @ x.T, 0.0) @ weights).max())


def trained_two_layers(
    x: Floats, y: Floats, width: int, penalty: float, steps: int, rngs: list[np.random.Generator]
) -> tuple[Floats, Floats]:
    """One network per generator by full gradient descent on ``penalised_loss``.

    The step falls from 0.5 to 0.01 of the reciprocal of the data's curvature, geometrically.

    Parameters
    ----------
    x : (n, d) float64
    y : (n,) float64
    width, steps : int
        At least 1.
    penalty : float
    rngs : list of numpy.random.Generator
        Of the Gaussian starts.

    Returns
    -------
    hidden : (R, width, d) float64
    output : (R, width) float64

    Notes
    -----
    O(steps · R · n · width).
    """
    starts = [rng.standard_normal((width, x.shape[1] + 1)) for rng in rngs]
    both = np.stack(starts) / np.sqrt(width)
    hidden, output = both[..., :-1], both[..., -1]
    scale = 1 / np.linalg.norm(x, 2) ** 2
    for rate in scale * np.geomspace(0.5, 0.01, steps):
        before = hidden @ x.T
        after = np.maximum(before, 0.0)
        residual = (output[:, None, :] @ after)[:, 0] - y
        of_output = (after @ residual[:, :, None])[..., 0] + penalty * output
        back = output[..., None] * (before > 0) * residual[:, None, :]
        hidden = hidden - rate * (back @ x + penalty * hidden)
        output = output - rate * of_output
    return hidden, output


def _outputs(x: Floats, hidden: Floats, output: Floats) -> Floats:
    active = np.maximum(hidden @ x.T, 0.0)
    return np.asarray((output[..., None, :] @ active)[..., 0, :])
