"""Channels in random order: the control of every other ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mini_exp.compare.pruners.pruner import RankingPruner
from mini_exp.pruning.selection import GroupPath
from mini_exp.seeds import generator

if TYPE_CHECKING:
    from mini_exp.compare.candidate import Candidate


def random_paths(candidate: Candidate) -> list[GroupPath]:
    """A permutation per group, from the generator of this network alone."""
    rng = generator(candidate.seed, "random units", candidate.replicate)
    return [
        GroupPath(
            group, rng.permutation(group.width).astype(np.int64), np.full(group.width, np.nan)
        )
        for group in candidate.graph.groups
    ]


RANDOM_UNITS = RankingPruner("random", random_paths)
