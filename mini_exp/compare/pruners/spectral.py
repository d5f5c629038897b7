"""Spectral pruning: the greedy selection of (4.1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.compare.pruners.pruner import RankingPruner
from mini_exp.pruning.recipe import greedy_paths

if TYPE_CHECKING:
    from mini_exp.compare.candidate import Candidate
    from mini_exp.pruning.selection import GroupPath

NAME = "spectral"


def spectral(theta: float) -> RankingPruner:
    """Spectral pruning at θ; at θ = 1 greedy selection without output weighting."""

    def paths(candidate: Candidate) -> list[GroupPath]:
        sigma = candidate.moments.sigma
        return greedy_paths(candidate.network, candidate.graph, sigma, theta)

    return RankingPruner(NAME, paths, theta, uses_moments=True)
