"""Step select: choose channels and build the smaller network (section 4.3, step 5)."""

from __future__ import annotations

from typing import Any

from mini_exp.config import Budget, ImageSettings
from mini_exp.errors import ConfigError
from mini_exp.image_networks import new_network
from mini_exp.image_training import calibration_batches, state_of, tensors, with_state
from mini_exp.pruning.compression import Compression, compressed_network
from mini_exp.pruning.prune import chosen_widths, pruning_graph
from mini_exp.pruning.selection import (
    PruningSelection,
    first_channels,
    greedy_group_path,
)
from mini_exp.types import ImageMoments, ImageSplits, NetworkState


def run(
    settings: ImageSettings, splits: ImageSplits, original: NetworkState, found: ImageMoments
) -> tuple[PruningSelection, NetworkState]:
    """Return the channels that stay and the compressed network.

    Raises
    ------
    ConfigError
        If explicit widths do not fit the network's groups.
    DomainError
        If no widths stay within the budget.
    """
    network = with_state(new_network(settings.model.kind, settings.model.depth), original)
    network.to(settings.device)
    x, _ = tensors(splits, settings.device)["train"]
    batches = calibration_batches(x, settings.covariance)
    graph = pruning_graph(network, batches, settings.select.tied)
    paths = [
        greedy_group_path(network, group, found.moments, settings.select.theta)
        for group in graph.groups
    ]
    choose = settings.width.choose
    names = [group.name for group in graph.groups]
    rule: dict[str, Any]
    if isinstance(choose, Budget):
        rule = choose.model_dump()
    elif len(choose) == len(names):
        rule = {"widths": dict(zip(names, choose, strict=True))}
    else:
        raise ConfigError(
            f"width.choose: expected {len(names)} widths, of {', '.join(names)}, got {len(choose)}"
        )
    intercept = settings.compress.intercept
    widths = chosen_widths(network, graph, found.moments, **rule, intercept=intercept)
    selection = first_channels(paths, widths, settings.compress.rescale_dropout)
    compression = Compression(**settings.compress.model_dump(exclude={"rescale_dropout"}))
    smaller = compressed_network(network, selection, found.moments, batches, compression)
    return selection, state_of(smaller)
