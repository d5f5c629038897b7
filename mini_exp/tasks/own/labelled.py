"""Samples with their labels, and a validation set cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mini_exp.errors import ConfigError

FIFTH = 5


@dataclass(frozen=True)
class Labelled:
    """Samples x (n, …) and their labels y.

    Integers (n,) are classes, floats (n, …) real values, an array (n, 0) says that there are none.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)


def no_labels(n: int) -> npt.NDArray[np.int64]:
    """What stands for labels where there are none."""
    return np.empty((n, 0), np.int64)


def has_labels(y: npt.NDArray[Any]) -> bool:
    return y.shape[1:] != (0,)


def check_labels(train: Labelled, trained: Sequence[str]) -> None:
    """Refuse training without labels, naming the first of the keys that ask for it."""
    if trained and not has_labels(train.y):
        raise ConfigError(
            f"{trained[0]}: expected 0, since data.train has no labels (class-named folders, or y)"
        )


def cut(
    whole: Labelled, n_validation: int | None, rng: np.random.Generator
) -> tuple[Labelled, Labelled]:
    """A training and a validation set, shuffled; classes (n,) in equal proportion.

    Raises
    ------
    ConfigError
        If there are too few samples.

    Examples
    --------
    >>> whole = Labelled(np.arange(10.0)[:, None], np.repeat([0, 1], 5))
    >>> train, validation = cut(whole, 4, np.random.default_rng(0))
    >>> np.bincount(train.y), np.bincount(validation.y)
    (array([3, 3]), array([2, 2]))
    """
    from sklearn.model_selection import train_test_split

    n = len(whole)
    by_class = whole.y.ndim == 1 and whole.y.dtype.kind == "i"
    sizes = np.unique(whole.y, return_counts=True)[1] if by_class else np.array([n])
    least = len(sizes)
    wanted = max(n // FIFTH, least) if n_validation is None else n_validation
    if not least <= wanted <= n - least:
        raise ConfigError(
            f"data.n_validation: expected at least {least} validation and {least} training "
            f"samples (one per class) of the {n} that there are, got {wanted} and {n - wanted}"
        )
    if sizes.min() < 2:
        alone = np.unique(whole.y)[sizes.argmin()]
        raise ConfigError(
            f"data.train: expected at least 2 samples of every class, one to validate with, got 1 "
            f"of class {alone}"
        )
    kept, held_out = train_test_split(
        np.arange(n),
        test_size=wanted,
        stratify=whole.y if by_class else None,
        random_state=int(rng.integers(2**32)),
    )
    return Labelled(whole.x[kept], whole.y[kept]), Labelled(whole.x[held_out], whole.y[held_out])
