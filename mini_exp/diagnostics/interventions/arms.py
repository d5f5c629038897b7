"""Changes of the data that networks are trained and scored on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mini_exp.spectral import Floats
from mini_exp.tasks.task import Samples


def as_it_is(data: Samples) -> Samples:
    """MINI."""
    return data


def centred(data: Samples) -> Samples:
    """Every feature minus its mean over the replicate's own training set; the labels stay.

    Examples
    --------
    >>> x = np.array([[[1.0], [3.0]]])
    >>> centred({"train": (x, x[..., 0]), "test": (x + 1, x[..., 0])})["test"][0].ravel().tolist()
    [0.0, 2.0]
    """
    mean = data["train"][0].mean(axis=1, keepdims=True)
    return {split: (x - mean, y) for split, (x, y) in data.items()}


def orthogonal(data: Samples) -> Samples:
    """Labels by a rule orthogonal to the mean of X: 1 where the alternating sum of X is positive.

    Its weights are (1, −1, 1, …) / d, as large as those of X̄; by symmetry both labels are as
    frequent.

    Examples
    --------
    >>> x = np.array([[[3.0, 1.0], [1.0, 3.0]]])
    >>> orthogonal({"train": (x, np.zeros((1, 2)))})["train"][1].tolist()
    [[1.0, 0.0]]
    """
    return {
        split: (x, (x @ alternating(x.shape[-1]) > 0).astype(np.float64))
        for split, (x, _) in data.items()
    }


def alternating(d: int) -> Floats:
    """(1, −1, 1, …) / d: orthogonal to the mean where d is even."""
    return np.where(np.arange(d) % 2, -1.0, 1.0) / d


ARMS: dict[str, Callable[[Samples], Samples]] = {
    "as it is": as_it_is,
    "centred": centred,
    "orthogonal": orthogonal,
}
