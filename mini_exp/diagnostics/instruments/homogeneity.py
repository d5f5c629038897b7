"""Homogeneity: without biases f(cx) = c f(x) for c > 0, so a network keeps its sign along rays."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.gradients import input_gradients
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.seeds import generator
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.data import THRESHOLD, mini_sample

OVER_REPLICATES = True
SCALES = (0.5, 2.0)  # along each ray
RAYS = 2000  # on which the ceiling is integrated
RADII = 64  # Gauss–Legendre nodes along each of a ray's two parts
FARTHEST = 25.0  # ‖X‖ lies beyond it with a probability below 1e-8
COUPLINGS = 12  # an even number of Gauss–Hermite nodes of what the coordinates of T share


def measure(stages: Stages) -> pd.DataFrame:
    """Euler's identity, signs along rays, and the ceiling of what keeps its sign along them.

    Quantities: ``euler residual`` (largest |x·∇f − f|, as a share of the largest |f|) and ``sign
    kept`` (share of draws whose sign is the same at half and at twice their length) of every stage;
    ``ceiling``, of the data (empty stage), with two standard errors either way.
    """
    population = stages.data["population"][0]
    n = population.shape[1]
    frames = []
    for stage in STAGES:
        networks, logits = stages.networks[stage], stages.logits(stage, "population")
        gradient = input_gradients(networks, population)
        residual = np.abs((population * gradient).sum(axis=-1) - logits).max(axis=-1)
        largest = np.abs(logits).max(axis=-1)
        relative = np.divide(residual, largest, out=np.zeros_like(largest), where=largest > 0)
        kept = np.ones_like(logits, dtype=bool)
        for scale in SCALES:
            kept &= (stages.of_inputs(stage, scale * population) > 0) == (logits > 0)
        frames += [
            measured(stage, "euler residual", relative, n),
            measured(stage, "sign kept", kept.mean(axis=-1), n),
        ]
    ceiling, error = homogeneous_ceiling(stages.settings.data.epsilon, stages.settings.seed)
    low, high = ceiling - 2 * error, ceiling + 2 * error
    of_each = np.full(stages.n_replicates, ceiling)
    frames.append(measured("", "ceiling", of_each, RAYS, lower=low, upper=high))
    return pd.concat(frames, ignore_index=True)


@functools.cache
def homogeneous_ceiling(epsilon: float, seed: int, n_rays: int = RAYS) -> tuple[float, float]:
    """Largest accuracy on MINI of a classifier whose answer depends on X / ‖X‖ alone.

    E max(p, 1 − p) with p = P(Y = 1 | X / ‖X‖): along the ray of θ the density of ‖X‖ is r²⁹ times
    that of X at rθ, and Y = 1 where r θ̄ ≥ −0.6.

    Parameters
    ----------
    epsilon : float
        ε ≥ 0 of (4.3.1).
    seed : int
    n_rays : int
        Directions of as many draws of X.

    Returns
    -------
    ceiling, error : float
        The mean over the rays and its standard error; the integrals are right to 1e-6.

    Notes
    -----
    Two seconds for 2000 rays.
    """
    x, _ = mini_sample(generator(seed, "ceiling"), n_rays, epsilon)
    p = np.concatenate([chance_of_one(part, epsilon) for part in np.array_split(x, 40)])
    best = np.maximum(p, 1 - p)
    return float(best.mean()), float(best.std(ddof=1) / np.sqrt(n_rays))


def chance_of_one(x: Floats, epsilon: float) -> Floats:
    """P(Y = 1 | X / ‖X‖) on the rays of x (n, d): (n,)."""
    direction = x / np.linalg.norm(x, axis=-1, keepdims=True)
    slope = direction.mean(axis=-1)
    ends = np.full_like(slope, FARTHEST)
    np.divide(THRESHOLD, slope, out=ends, where=slope < 0)
    ends = np.minimum(ends, FARTHEST)  # where Y becomes 0, if it does
    nodes, weights = np.polynomial.legendre.leggauss(RADII)
    share = (1 + nodes) / 2
    inside = ends[:, None] * share
    beyond = ends[:, None] + (FARTHEST - ends[:, None]) * share
    radii = np.concatenate([inside, beyond], axis=-1)  # (n, 2 RADII)
    log_density = log_density_of_mini(radii[..., None] * direction[:, None, :], epsilon)
    log_density += (x.shape[-1] - 1) * np.log(radii)
    density = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    ones = ends * (density[:, :RADII] @ weights)
    zeros = (FARTHEST - ends) * (density[:, RADII:] @ weights)
    return np.asarray(ones / (ones + zeros))


def log_density_of_mini(x: Floats, epsilon: float) -> Floats:
    """Log-density of X = log|T| at x (..., d): (...).

    Given g ~ N(0, 1), what the coordinates share, they are independent: T_i ~ N(√ε g, 1), so X_i
    has the density e^{x} (φ(e^{x} − √ε g) + φ(e^{x} + √ε g)); g is integrated out.

    Examples
    --------
    With ε = 0 one coordinate has 2 e^{x} φ(e^{x}).

    >>> density = np.exp(log_density_of_mini(np.zeros(1), 0.0))
    >>> bool(np.isclose(density, 2 * np.exp(-0.5) / np.sqrt(2 * np.pi)))
    True
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(COUPLINGS)
    half = slice(COUPLINGS // 2, None)  # the density is even in g
    size = np.exp(x)
    terms = [
        np.log(2 * weight / weights.sum())
        + (np.logaddexp(size * shift, -size * shift) - shift**2 / 2).sum(axis=-1)
        for shift, weight in zip(np.sqrt(epsilon) * nodes[half], weights[half], strict=True)
    ]
    alone = (x - np.square(size) / 2 - np.log(2 * np.pi) / 2).sum(axis=-1)
    return np.asarray(alone + np.logaddexp.reduce(terms, axis=0))
