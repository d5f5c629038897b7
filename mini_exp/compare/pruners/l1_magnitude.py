"""Filters with the largest absolute weights (Li et al., arXiv 1608.08710)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mini_exp.compare.pruners.pruner import RankingPruner
from mini_exp.pruning.selection import GroupPath

if TYPE_CHECKING:
    from torch import nn

    from mini_exp.compare.candidate import Candidate
    from mini_exp.pruning.graph import Group
    from mini_exp.spectral import Floats


def l1_norms(network: nn.Module, group: Group) -> Floats:
    """Sum of |weights| that write each channel, over all writers: (m,)."""
    norms = []
    for slot in group.slots:
        if slot.tensor in group.writers and not slot.reads:
            weight = network.get_parameter(slot.tensor).detach().double().abs()
            rows = weight.movedim(slot.axis, 0)[torch.tensor(slot.places)]
            norms.append(rows.flatten(1))
    total: Floats = torch.cat(norms, dim=1).sum(dim=1).cpu().numpy()
    return total


def magnitude_paths(candidate: Candidate) -> list[GroupPath]:
    """Every group's channels by falling norm; of equal ones the first comes first."""
    paths = []
    for group in candidate.graph.groups:
        order = np.argsort(-l1_norms(candidate.network, group), kind="stable")
        paths.append(GroupPath(group, order.astype(np.int64), np.full(group.width, np.nan)))
    return paths


L1_MAGNITUDE = RankingPruner("L1 magnitude", magnitude_paths)
