"""Rows of a comparison with made-up accuracies, and their summary."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mini_exp.compare.rows import ORIGINAL, SCRATCH, Row, frame_of
from mini_exp.compare.tables import STAGES, summary_table

THETA = 0.5
OTHERS = [("magnitude", None, ""), ("Taylor", None, "")]
ALL = [
    ("spectral", 0.0, "reconstruct"),
    ("spectral", 0.0, "slice"),
    ("spectral", THETA, "reconstruct"),
    ("spectral", THETA, "slice"),
    ("random", None, "reconstruct"),
    ("random", None, "slice"),
    *OTHERS,
]
KEEP = (0.75, 0.5)


def comparison(n_networks=3, keep=KEEP, more=(), theta=THETA) -> pd.DataFrame:
    """Rows of every network: equal shares, and one budget with gaps 0.001, 0.002 …

    ``more`` are names of further methods that make the smaller network themselves.
    """
    rng = np.random.default_rng(0)
    some = [("spectral", theta, "reconstruct"), *OTHERS]
    others = [(name, None, "") for name in more]
    rows = []

    def add(network, rule, share, exact, method, stage, gap=None):
        scores = (*rng.uniform(0.1, 0.9, 4), int(rng.integers(200)), 200)
        size = (1000 * (1 + share), 2e6 * share, 3.0 * share)
        seconds = (0.25, 2.0 if stage == "recovered" else None)
        rows.append(Row(network, rule, share, exact, *method, stage, gap, *scores, *size, *seconds))

    for r in range(n_networks):
        add(r, "all", 1.0, False, (ORIGINAL, None, ""), ORIGINAL)
        sets = [("keep", share, False, None, ALL) for share in keep]
        sets += [("parameters", 0.25, True, 0.001 * (r + 1), some)]
        sets += [("parameters", 0.25, False, None, some)]
        for rule, share, exact, gap, methods in sets:
            for method in [*methods, *others]:
                for stage in STAGES:
                    add(r, rule, share, exact, method, stage, gap)
            add(r, rule, share, exact, (SCRATCH, None, ""), "finetuned", gap)
    return frame_of(rows)


def summary(n_networks=3, keep=KEEP, more=()) -> pd.DataFrame:
    return summary_table(comparison(n_networks, keep, more), 0.95)
