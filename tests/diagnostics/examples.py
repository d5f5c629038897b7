"""Stages made by hand, and those of a block of replicates of a tiny experiment."""

import itertools

import numpy as np
import torch

from mini_exp.diagnostics.stages import STAGES, Stages
from mini_exp.pruning.graph import Group
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.settings.settings import Settings
from mini_exp.tasks.mini.data import mini_sample
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.stacked_linear import StackedLinear


def network(*weights, biases=None):
    """A MiniModel of weights (R, out, in)."""
    layers = []
    for i, weight in enumerate(weights):
        bias = None if biases is None else torch.as_tensor(biases[i], dtype=torch.float64)
        layers.append(StackedLinear(torch.as_tensor(weight, dtype=torch.float64), bias))
    return MiniModel(layers)


def random_network(rng, widths, n=2, bias=False):
    """A stack of n networks with normal weights."""
    weights = [rng.standard_normal((n, b, a)) for a, b in itertools.pairwise(widths)]
    biases = [rng.standard_normal((n, b)) for b in widths[1:]] if bias else None
    return network(*weights, biases=biases)


def stages_of(networks, path=None, labels="thesis", n=400, seed=0, kept=None):
    """The same networks at every stage, unless ``networks`` is a mapping; MINI as the data."""
    by_stage = networks if isinstance(networks, dict) else dict.fromkeys(STAGES, networks)
    original = by_stage["original"]
    replicates, m = original.stacked_layers[0].weight.shape[:2]
    settings = Settings.model_validate(
        {
            "seed": seed,
            "data": {"labels": labels},
            "model": {"widths": original.widths[1:-1]},
            "width": {"choose": list(original.widths[1:-1])},
        }
    )
    x, y = mini_sample(np.random.default_rng(seed), n, labels=labels)
    train = [
        mini_sample(np.random.default_rng(r + 1), 50, labels=labels) for r in range(replicates)
    ]
    stacked = tuple(np.stack(part) for part in zip(*train, strict=True))
    order = np.tile(np.arange(m), (replicates, 1)) if path is None else np.asarray(path)
    group = Group("layers.0", m, (), (), ())
    picked = GroupSelection(GroupPath(group, order, np.full(order.shape, np.nan)), kept or m)
    return Stages(
        "some",
        settings,
        by_stage,
        {"train": stacked, "test": stacked, "population": (x[None], y[None])},
        Selection((picked,)),
        0,
        np.zeros(replicates, dtype=bool),
    )


def values(rows, stage, quantity):
    """A quantity of a stage, a number per replicate."""
    own = rows[(rows["stage"] == stage) & (rows["quantity"] == quantity)]
    return own.sort_values("replicate")["estimate"].to_numpy()
