"""Independent random generators, one per (seed, purpose, replicate)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Purpose = Literal[
    "data",
    "population",
    "weights",
    "train order",
    "finetune order",
    "random units",
    "scratch weights",
    "scratch order",
    "bootstrap",
    "validation",
    "explanations",
    "ceiling",
    "random labels",
    "saddle",
    "topology",
    "two layers",
    "margins",
    "least squares",
    "early stopping",
    "random features",
    "shapes",
    "deformations",
    "generators",
    "search",
    "soft rank",
    "shared weights",
]


def generator(seed: int, purpose: Purpose, replicate: int = 0) -> np.random.Generator:
    """Return the generator that belongs to (seed, purpose, replicate).

    A replicate's stream depends on nothing else, so it is the same whatever the number of
    replicates, their order or their distribution over processes.

    Parameters
    ----------
    seed : int
        The experiment's seed, at least 0.
    purpose : str
        What the numbers are for; different purposes give independent streams.
    replicate : int
        Index of the replicate, at least 0.

    Examples
    --------
    >>> a, b = generator(1701, "data"), generator(1701, "data")
    >>> bool((a.random(3) == b.random(3)).all())
    True
    >>> bool((generator(1701, "data", 1).random(3) == generator(1701, "data").random(3)).any())
    False
    """
    import numpy as np

    purpose_key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(purpose_key, replicate))
    return np.random.Generator(np.random.PCG64(sequence))
