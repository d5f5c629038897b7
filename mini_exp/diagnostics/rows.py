"""Tidy rows, as every instrument gives them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

COLUMNS = (
    "variant",
    "replicate",
    "stage",
    "layer",
    "quantity",
    "at",
    "estimate",
    "lower",
    "upper",
    "n",
)
"""``layer`` is 0 where a quantity is of the whole network; ``at`` what it is a function of (a place
in the order of picking, an epoch, a scale), empty where it is a function of nothing; ``lower`` and
``upper`` are the instrument's own bounds, ``n`` the samples that it looked at."""


def measured(
    stage: str,
    quantity: str,
    estimate: npt.ArrayLike,
    n: int,
    *,
    layer: int = 0,
    at: float = float("nan"),
    lower: npt.ArrayLike = float("nan"),
    upper: npt.ArrayLike = float("nan"),
) -> pd.DataFrame:
    """One row per replicate of a quantity.

    Parameters
    ----------
    stage, quantity : str
    estimate : (R,) or scalar
    n : int
    layer, at
        As in ``COLUMNS``.
    lower, upper : (R,) or scalar

    Examples
    --------
    >>> measured("original", "loss", [0.5, 0.25], 100)[["replicate", "estimate"]].values.tolist()
    [[0.0, 0.5], [1.0, 0.25]]
    """
    values = np.atleast_1d(np.asarray(estimate, dtype=np.float64))
    return pd.DataFrame(
        {
            "replicate": np.arange(len(values)),
            "stage": stage,
            "layer": layer,
            "quantity": quantity,
            "at": at,
            "estimate": values,
            "lower": np.broadcast_to(lower, values.shape),
            "upper": np.broadcast_to(upper, values.shape),
            "n": n,
        }
    )


def completed(frame: pd.DataFrame, variant: str) -> pd.DataFrame:
    """An instrument's rows with every column; without ``replicate`` they are of one replicate."""
    rows = frame.copy()
    rows["variant"] = variant
    if "replicate" not in rows:
        rows["replicate"] = 0
    for name, default in (("stage", ""), ("layer", 0), ("quantity", ""), ("n", 0)):
        if name not in rows:
            rows[name] = default
    for name in ("at", "estimate", "lower", "upper"):
        rows[name] = rows[name].astype(np.float64) if name in rows else np.nan
    return rows[list(COLUMNS)]
