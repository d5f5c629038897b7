"""Confidence: the loss that one scale on the logits would leave, and entropy (2.2)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, xlogy

from mini_exp.diagnostics.rows import measured
from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.spectral import Floats

OVER_REPLICATES = True
ITERATIONS = 80  # of bisection: the bracket shrinks to the last bits
LARGEST_SCALE = 1e6


def measure(stages: Stages) -> pd.DataFrame:
    """Loss, loss at the best scale, entropy and accuracy of every stage on the population.

    Quantities: ``loss``, ``loss at best scale``, ``overconfidence`` (their difference), ``scale``,
    ``scale is 0`` (1 where it is: the loss is then ln 2), ``entropy`` of the predictions, in nats,
    ``accuracy``; and ``train loss``, ``train accuracy``.
    """
    frames = []
    for stage in STAGES:
        logits, labels = stages.logits(stage, "population"), stages.labels("population")
        n = logits.shape[-1]
        loss, scale = mean_loss(logits, labels), best_scale(logits, labels)
        at_best = mean_loss(scale[:, None] * logits, labels)
        of_training = stages.logits(stage, "train"), stages.labels("train")
        quantities = {
            "loss": loss,
            "loss at best scale": at_best,
            "overconfidence": loss - at_best,
            "scale": scale,
            "scale is 0": (scale == 0).astype(np.float64),
            "entropy": prediction_entropy(logits),
            "accuracy": _accuracy(logits, labels),
        }
        frames += [measured(stage, name, values, n) for name, values in quantities.items()]
        n_train = of_training[0].shape[-1]
        frames += [
            measured(stage, "train loss", mean_loss(*of_training), n_train),
            measured(stage, "train accuracy", _accuracy(*of_training), n_train),
        ]
    return pd.concat(frames, ignore_index=True)


def best_scale(logits: Floats, labels: Floats) -> Floats:
    """s ≥ 0 with the smallest mean cross-entropy of s·logits: the inverse of a temperature.

    Parameters
    ----------
    logits, labels : (..., n) float64
        Labels are 0 or 1.

    Returns
    -------
    (...) float64
        0 where no positive scale is better than answering ½; at most ``LARGEST_SCALE``. Where the
        logits separate the classes the best is infinite, and this one leaves no loss.

    Notes
    -----
    The loss is convex in s: bisection on the sign of its derivative, O(n) per iteration.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, section 4.2.

    Examples
    --------
    Three of four right, all as sure: the best scale says ¾, whatever the logits were.

    >>> s = best_scale(np.array([9.0, 9.0, 9.0, -9.0]), np.array([1.0, 1.0, 0.0, 0.0]))
    >>> round(float(expit(9 * s)), 12)
    0.75
    """
    signed = np.where(labels > 0.5, logits, -logits)
    # The derivative at s is −mean(z σ(−s z)), for z the logit of the right class.
    gains = signed.mean(axis=-1) > 0  # at 0
    low = np.zeros(signed.shape[:-1])
    high = np.where(gains, 1.0, 0.0)
    while (growing := gains & (_slope(signed, high) < 0) & (high < LARGEST_SCALE)).any():
        low = np.where(growing, high, low)
        high = np.where(growing, np.minimum(4 * high, LARGEST_SCALE), high)
    for _ in range(ITERATIONS):
        middle = (low + high) / 2
        falls = _slope(signed, middle) < 0
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    return np.where(gains, high, 0.0)


def mean_loss(logits: Floats, labels: Floats) -> Floats:
    """Mean binary cross-entropy of logits (..., n), in nats: (...).

    Examples
    --------
    >>> bool(np.isclose(mean_loss(np.zeros(3), np.ones(3)), np.log(2)))
    True
    """
    signed = np.where(labels > 0.5, logits, -logits)
    return np.asarray(np.logaddexp(0, -signed).mean(axis=-1))


def prediction_entropy(logits: Floats) -> Floats:
    """Mean entropy H(Ŷ | X) of the predictions, in nats: (..., n) to (...).

    References
    ----------
    Sørby (2019), (2.2.1).

    Examples
    --------
    >>> entropy = prediction_entropy(np.array([0.0, np.log(3)]))
    >>> bool(np.isclose(entropy, (np.log(2) + np.log(4) - 0.75 * np.log(3)) / 2))
    True
    """
    p, q = expit(logits), expit(-logits)
    return np.asarray(-(xlogy(p, p) + xlogy(q, q)).mean(axis=-1))


def _slope(signed: Floats, scale: Floats) -> Floats:
    """Derivative of the mean loss at a scale."""
    return np.asarray(-(signed * expit(-scale[..., None] * signed)).mean(axis=-1))


def _accuracy(logits: Floats, labels: Floats) -> Floats:
    return np.asarray(((logits > 0) == (labels > 0.5)).mean(axis=-1))
