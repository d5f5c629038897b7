"""The synthetic data set MINI (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.tasks.task import Samples

Labels = Literal["thesis", "swapped"]

DIMENSION = 30
THRESHOLD = -0.6


def mini_sample(
    rng: np.random.Generator, n: int, epsilon: float = 0.1, labels: Labels = "thesis"
) -> tuple[Floats, Floats]:
    """n draws of (X, Y): T ~ N₃₀(0, I + ε11ᵀ); X = exp(T) if ‖T‖ < 1, else log|T|; Y = [X̄ ≥ −0.6].

    Parameters
    ----------
    rng : numpy.random.Generator
        Draw i takes the same 31 numbers from it whatever n is.
    n : int
        At least 1.
    epsilon : float
        ε ≥ 0, the covariance of two coordinates of T.
    labels : {"thesis", "swapped"}
        ``"swapped"`` is the author's: Y = 0 where X̄ > −0.6, else 1.

    Returns
    -------
    x : (n, 30) float64
    y : (n,) float64
        0 or 1.

    Raises
    ------
    DomainError

    Notes
    -----
    The author takes |T| first, which changes X only where ‖T‖ < 1. That has probability below
    1e-16 (a χ² of 30 degrees of freedom under 1), so there is no option for it.

    References
    ----------
    Sørby (2019), (4.3.1).

    Examples
    --------
    >>> x, y = mini_sample(np.random.default_rng(0), 1000)
    >>> x.shape, bool(((x.mean(axis=1) >= -0.6) == y).all())
    ((1000, 30), True)
    """
    if n < 1:
        raise DomainError(f"MINI: expected n ≥ 1, got {n}")
    if not (np.isfinite(epsilon) and epsilon >= 0):
        raise DomainError(f"MINI: expected a finite ε ≥ 0, got {epsilon}")
    normal = rng.standard_normal((n, DIMENSION + 1))
    t = normal[:, :DIMENSION] + np.sqrt(epsilon) * normal[:, DIMENSION:]
    inside = np.linalg.norm(t, axis=1, keepdims=True) < 1
    x = np.log(np.abs(t))
    if inside.any():
        x = np.where(inside, np.exp(t), x)
    mean = x.mean(axis=1)
    y = mean >= THRESHOLD if labels == "thesis" else mean <= THRESHOLD
    return x, y.astype(np.float64)


def mini_dataset(
    generators: Sequence[np.random.Generator],
    n_train: int,
    n_test: int,
    epsilon: float = 0.1,
    labels: Labels = "thesis",
) -> Samples:
    """One MINI data set per generator: the first ``n_train`` draws train, the next ``n_test`` test.

    Parameters
    ----------
    generators : sequence of numpy.random.Generator
        One per replicate.
    n_train, n_test : int
        At least 1. The published run drew 200 and tested on draws 101–199, that is 99.
    epsilon, labels
        As in ``mini_sample``.

    Returns
    -------
    dict
        ``train`` and ``test``: x (R, n, 30) and y (R, n), float64.

    Raises
    ------
    DomainError
    """
    if n_train < 1 or n_test < 1:
        raise DomainError(f"MINI: expected n_train and n_test ≥ 1, got {n_train} and {n_test}")
    samples = [mini_sample(rng, n_train + n_test, epsilon, labels) for rng in generators]
    x, y = (np.stack(column) for column in zip(*samples, strict=True))
    return {
        "train": (x[:, :n_train], y[:, :n_train]),
        "test": (x[:, n_train:], y[:, n_train:]),
    }
