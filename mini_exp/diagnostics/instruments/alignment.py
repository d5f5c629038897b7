"""Alignment with the rule that made the labels: MINI's looks at all features alike (4.3.1).

Alignment is a mediator, no cause: a network that follows the rule is accurate by construction.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mini_exp.diagnostics.instruments.attribution import integrated_gradients, lime_coefficients
from mini_exp.diagnostics.instruments.gradients import input_gradients
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.seeds import generator
from mini_exp.spectral import Floats

OVER_REPLICATES = True
ATTRIBUTED = 100  # draws of the population whose integrated gradients are taken
EXPLAINED = 20  # draws that LIME explains,
NEIGHBOURS = 500  # each by so many around it


def measure(stages: Stages) -> pd.DataFrame:
    """Cosines with the true rule, and R² of the logit on X̄, of every stage.

    Quantities: ``weight cosine`` (layer 1, mean of |cos| over the units), ``gradient cosine`` (of
    the mean gradient), ``integrated gradients from zero`` and ``from the mean`` (mean over draws of
    the cosine with what the rule itself owes to each feature), ``lime`` (the same of its
    coefficients), ``r2``; and of the original ``weight cosine of pick`` at 1, 2, … in the order of
    picking. Cosines are positive where network and labels agree.
    """
    settings = stages.settings
    sign = 1.0 if settings.data.labels == "thesis" else -1.0
    population = stages.data["population"][0]
    n, d = population.shape[1:]
    mean = stages.data["train"][0].mean(axis=1, keepdims=True)
    spread = population[0].std(axis=0)
    z = generator(settings.seed, "explanations").standard_normal((NEIGHBOURS, d))
    some, few = population[:, :ATTRIBUTED], population[:, :EXPLAINED]
    frames = [_picks(stages)]
    for stage in STAGES:
        networks = stages.networks[stage]
        weights = networks.stacked_layers[0].weight.detach().numpy()
        gradient = input_gradients(networks, population).mean(axis=1)
        from_zero = integrated_gradients(networks, some, np.zeros(d))
        from_mean = integrated_gradients(networks, some, mean)
        explained = lime_coefficients(networks, few, spread, z)
        r2 = squared_correlation(stages.logits(stage, "population"), population.mean(axis=-1))
        cosines = {
            "gradient cosine": (cosine(gradient, np.full(d, sign)), n),
            "integrated gradients from zero": (
                mean_of_known(cosine(from_zero, sign * some)),
                ATTRIBUTED,
            ),
            "integrated gradients from the mean": (
                mean_of_known(cosine(from_mean, sign * (some - mean))),
                ATTRIBUTED,
            ),
            "lime": (mean_of_known(cosine(explained, sign * spread)), EXPLAINED),
            "r2": (r2, n),
        }
        units = np.abs(cosine(weights, np.ones(d)))
        frames.append(
            measured(stage, "weight cosine", mean_of_known(units), units.shape[-1], layer=1)
        )
        frames += [measured(stage, name, values, size) for name, (values, size) in cosines.items()]
    return pd.concat(frames, ignore_index=True)


def cosine(a: Floats, b: Floats) -> Floats:
    """Of the angle between vectors (..., d); NaN where one is zero.

    Examples
    --------
    >>> cosine(np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([1.0, 0.0])).tolist()
    [0.6, 0.0]
    """
    product = np.asarray((a * b).sum(axis=-1))
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    nothing = np.full(np.broadcast_shapes(product.shape, lengths.shape), np.nan)
    return np.asarray(np.divide(product, lengths, out=nothing, where=lengths > 0))


def squared_correlation(a: Floats, b: Floats) -> Floats:
    """R² of one variable on another over the last axis; NaN where one is constant.

    Examples
    --------
    >>> r2 = squared_correlation(np.array([1.0, 2.0, 3.0]), np.array([5.0, 3.0, 1.0]))
    >>> bool(np.isclose(r2, 1.0))
    True
    """
    centred = [one - one.mean(axis=-1, keepdims=True) for one in (a, b)]
    return np.asarray(np.square(cosine(*centred)))


def mean_of_known(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is known.

    Examples
    --------
    >>> mean_of_known(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])).tolist()
    [2.0, nan]
    """
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    nothing = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, count, out=nothing, where=count > 0))


def random_cosine(d: int) -> float:
    """Mean of |cos| between a fixed vector and a random direction: Γ(d/2) / (√π Γ((d+1)/2)).

    Examples
    --------
    In the plane the angle is uniform: 2/π.

    >>> round(random_cosine(2) * np.pi, 9)
    2.0
    """
    from scipy.special import gammaln

    return float(np.exp(gammaln(d / 2) - gammaln((d + 1) / 2)) / np.sqrt(np.pi))


def _picks(stages: Stages) -> pd.DataFrame:
    """|cos| of the first layer's weights in the order of picking."""
    weights = stages.networks["original"].stacked_layers[0].weight.detach().numpy()
    units = np.abs(cosine(weights, np.ones(weights.shape[-1])))
    path = np.atleast_2d(stages.selection.groups[0].path.index_path)
    in_order = np.take_along_axis(units, path, axis=-1)
    rows = [
        measured("original", "weight cosine of pick", of_pick, 1, layer=1, at=place)
        for place, of_pick in enumerate(in_order.T, start=1)
    ]
    return pd.concat(rows, ignore_index=True)
