"""Classification margins of the training samples at every stage (text 004)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from mini_exp.diagnostics.instruments.exact_margin import linf_margin, mean_margin, median_margin
from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.report.intervals import Interval, t_interval
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel

SLOW = True
SAMPLES = 20  # per stage
SECONDS = 2.0  # per sample; what is proved by then is kept
NOISE_SHARES = (0.1, 0.3, 1.0)
NOISE_DRAWS = 20


def measure(stages: Stages, confidence: float) -> pd.DataFrame:
    """Of the first replicate. Rows per stage:

    ``margin`` of a sample, numbered by ``at``, with its bounds: infinite above where no crossing
    was found, and then without an estimate; ``mean margin`` and ``median margin`` of these, bounds
    carried through; ``clean accuracy`` on the population, and ``lost to noise``, what it falls by
    with Gaussian noise of a share (``at``) of a hidden layer's spread on its outputs, with its t
    interval over the samples, each beside itself.

    Notes
    -----
    Half a minute per variant, at most ``SAMPLES`` · ``SECONDS`` per stage.
    """
    x = stages.data["train"][0][0][:SAMPLES]
    fresh, truth = (part[0] for part in stages.data["population"])
    parts = []
    for stage in STAGES:
        network = stages.networks[stage].replicate(0)
        margins = [linf_margin(network, sample, SECONDS) for sample in x]
        named = [("margin", float(i), margin) for i, margin in enumerate(margins)]
        summaries = (("mean margin", mean_margin), ("median margin", median_margin))
        named += [(name, float("nan"), of(margins)) for name, of in summaries]
        for quantity, at, margin in named:
            middle = (margin.low + margin.high) / 2
            parts.append(
                measured(
                    stage,
                    quantity,
                    middle if np.isfinite(middle) else np.nan,
                    len(margins),
                    at=at,
                    lower=margin.low,
                    upper=margin.high,
                )
            )
        clean = shares_right(network, fresh, truth, 1, 0.0)
        parts.append(measured(stage, "clean accuracy", clean.mean(), len(truth)))
        for layer in range(1, len(network.stacked_layers)):
            for share in NOISE_SHARES:
                noisy = shares_right(network, fresh, truth, layer, share)
                lost = _mean(clean - noisy, confidence)
                parts.append(
                    measured(
                        stage,
                        "lost to noise",
                        lost.estimate,
                        len(truth),
                        layer=layer,
                        at=share,
                        lower=lost.low,
                        upper=lost.high,
                    )
                )
    return pd.concat(parts, ignore_index=True)


def _mean(values: Floats, confidence: float) -> Interval:
    """With its t interval; one value has none."""
    if len(values) == 1:
        return Interval(float(values[0]), np.nan, np.nan)
    return t_interval(values, confidence)


@torch.no_grad()
def shares_right(network: MiniModel, x: Floats, y: Floats, layer: int, share: float) -> Floats:
    """How often each sample is classified right when a layer's output gets Gaussian noise.

    Parameters
    ----------
    network : MiniModel
        One network.
    x : (n, d) float64
    y : (n,) float64
        0 or 1.
    layer : int
        1 … the number of hidden layers.
    share : float
        Noise's standard deviation over the root of the layer's mean variance; 0: no noise.

    Returns
    -------
    (n,) float64
        Shares of ``NOISE_DRAWS`` draws, which are the same in every call.

    References
    ----------
    Text 004, "Test regularization": information restricted by noise on the representation.

    Examples
    --------
    >>> from mini_exp.tasks.mini.stacked_linear import StackedLinear
    >>> one = StackedLinear(torch.ones(1, 1, dtype=torch.float64))
    >>> network = MiniModel([one, one])
    >>> shares_right(network, np.array([[1.0], [2.0]]), np.array([1.0, 0.0]), 1, 0.0).tolist()
    [1.0, 0.0]
    """
    read = torch.from_numpy(x)
    layers = network.stacked_layers
    for own in layers[:layer]:
        read = torch.relu(own(read))
    scale = share * read.var(dim=0, correction=0).mean().sqrt()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(NOISE_DRAWS, *read.shape, generator=generator, dtype=read.dtype)
    read = read + scale * noise
    for own in layers[layer:-1]:
        read = torch.relu(own(read))
    answers = layers[-1](read)[..., 0].numpy() > 0
    return np.asarray((answers == (y > 0.5)).mean(axis=0))
