"""Groups that a network runs without: where its forward fixes a size, the group stays whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.calibration import Example, described, eval_mode
from mini_exp.pruning.calls import tensors_in
from mini_exp.pruning.graph import ChannelGraph
from mini_exp.pruning.propagation import Propagation
from mini_exp.pruning.selection import GroupPath, Selection, first_channels
from mini_exp.pruning.surgery import by_axis, mask, smaller_network, stays
from mini_exp.pruning.trace import independent_copy
from mini_exp.pruning.verification import agreement


def runnable_graph(network: nn.Module, example: Example, graph: ChannelGraph) -> ChannelGraph:
    """The same graph without the groups whose number of channels the network's code fixes.

    Parameters
    ----------
    network : nn.Module
        Not changed.
    example : Example
    graph : ChannelGraph
        Of this network.

    Raises
    ------
    NetworkError
        If the network runs with fewer channels but gives something else than with zeros in their
        place.

    Notes
    -----
    A copy and a forward pass for every place in the code that fixes a size; one for every group
    where the check fails, to name those that it fails for.
    """
    while graph.groups:
        selection = halved(graph)
        smaller = smaller_network(network, selection)
        run = Propagation(smaller)
        try:
            with eval_mode(smaller):
                run.run(partial(example.output, smaller))
        except Exception as error:  # whatever the network's own code raises
            names = _culprits(run, selection)
            if not names:
                raise NetworkError(
                    f"{run.place or type(network).__name__} does not run with fewer channels: "
                    f"{described(error)}"
                ) from None
            reason = f"{run.reason('its code fixes their number')} ({described(error)})"
            graph = graph.without(dict.fromkeys(names, reason))
            continue
        failure = _failure(network, example, selection)
        if failure:  # of a function that runs as others do where there are labels
            fixed = _found_alone(graph, partial(_failure, network, example))
            if not fixed:
                name = type(network).__name__
                raise NetworkError(f"{name} does not run with fewer channels: {failure}")
            reason = f"the network: its code fixes their number ({failure})"
            graph = graph.without(dict.fromkeys(fixed, reason))
            continue
        difference = _difference(network, example, selection)
        if not difference:
            break
        changed = [group.name for group in graph.groups if group.attributes or group.norms]
        if not changed:
            raise _named(network, example, graph, difference)
        alone = _found_alone(graph, partial(_difference, network, example))
        changed = [name for name in changed if name in alone] or changed
        graph = graph.without(dict.fromkeys(changed, difference))
    return graph


def _difference(network: nn.Module, example: Example, selection: Selection) -> str:
    """What the check finds, empty where nothing."""
    masked = independent_copy(network)
    mask(masked, selection)
    try:
        agreement(smaller_network(masked, selection), masked, example)
    except NetworkError as error:
        return str(error)
    return ""


def _failure(network: nn.Module, example: Example, selection: Selection) -> str:
    """Why the network does not run with fewer channels, empty where it does."""
    smaller = smaller_network(network, selection)
    try:
        with eval_mode(smaller), torch.no_grad():
            example.output(smaller)
    except Exception as error:  # whatever the network's own code raises
        return described(error)
    return ""


def _found_alone(graph: ChannelGraph, look: Callable[[Selection], str]) -> list[str]:
    """Groups of which something is found where no other is pruned."""
    names = []
    for group in graph.groups:
        others = [other.name for other in graph.groups if other is not group]
        if look(halved(graph.without(dict.fromkeys(others, "")))):
            names.append(group.name)
    return names


def _named(
    network: nn.Module, example: Example, graph: ChannelGraph, difference: str
) -> NetworkError:
    """The error that names the groups of which each alone makes a difference."""
    names = _found_alone(graph, partial(_difference, network, example))
    if not names:
        return NetworkError(difference)
    return NetworkError(
        f"{', '.join(names)}: with fewer channels the network gives something else than with "
        "zeros in their place (its forward depends on their number?); "
        f"exclude={names} leaves them whole"
    )


def halved(graph: ChannelGraph) -> Selection:
    """Every other channel of every group."""
    paths = []
    for group in graph.groups:
        order = np.argsort(np.arange(group.width) % 2, kind="stable")
        paths.append(GroupPath(group, order, np.full(group.width, np.nan)))
    return first_channels(paths, [(group.width + 1) // 2 for group in graph.groups])


def _culprits(run: Propagation, selection: Selection) -> set[str]:
    """Groups whose channels the last call was given, or else the module that it is in."""
    inputs = list(tensors_in(run.places[-1].arguments)) if run.places else []
    for given in ([x for x in run.given if not run.is_weight(x)], inputs, run.given):
        names = _groups_of(run, given, selection)
        if names:
            return names
    return set()


def _groups_of(run: Propagation, tensors: list[Tensor], selection: Selection) -> set[str]:
    """Groups that have entries among the labels of some tensors of the smaller network."""
    labels = {int(x) for t in tensors for factor in run.factors(t) for x in factor.unique()}
    first = {(axis.tensor, axis.axis): axis.first for axis in run.axes}
    names = set()
    for (tensor, axis), slots in by_axis(selection).items():
        kept = np.nonzero(stays(slots))[0]
        for slot, _, name in slots:
            new = np.nonzero(np.isin(kept, np.array(slot.places)))[0]
            if labels & set((first[tensor, axis] + new).tolist()):
                names.add(name)
    return names
