"""Step select: choose units and build the smaller network (section 4.3, step 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mini_exp.pruning.flattened import CalibrationMoments
    from mini_exp.pruning.graph import ChannelGraph
    from mini_exp.pruning.selection import GroupPath, Selection
    from mini_exp.pruning.widths import WidthRule
    from mini_exp.settings.settings import Settings
    from mini_exp.spectral import Floats
    from mini_exp.spectral.width_path import WidthPath
    from mini_exp.tasks.task import OnEpoch, Samples

LOSSES_UP_TO = 128  # units of a layer: they cost O(m³) a pick

STEP = Step(
    module=__name__,
    settings=(
        "seed",
        "device",
        "model",
        "covariance",
        "width.choose",
        "width.losses",
        "select",
        "compress",
    ),
    inputs=("dataset.npz", "original.safetensors", "covariance.npz", "widths.csv"),
    outputs={"selection.json": "selection", "compressed.safetensors": "state"},
    counts="step",
)


def run(
    settings: Settings,
    samples: Samples,
    original: dict[str, Tensor],
    moments: CalibrationMoments,
    width_path: WidthPath,
    on_epoch: OnEpoch | None = None,
) -> tuple[Selection, dict[str, Tensor]]:
    """Return what stays, with the best that enumeration finds, and the compressed network.

    Raises
    ------
    ConfigError
        If the chosen widths do not fit the network's groups, or none stay within the budget.
    """
    from mini_exp.errors import ConfigError, DomainError
    from mini_exp.pruning.compression import Compression, compressed_network
    from mini_exp.pruning.measured_losses import measured_losses
    from mini_exp.pruning.recipe import loss_of_widths, prunable_graph, pruned_at
    from mini_exp.pruning.recovery import Recovery, recovered_network, reduced_readers
    from mini_exp.pruning.selection import first_channels
    from mini_exp.pruning.widths import chosen_widths, spectral_losses
    from mini_exp.steps.networks import saved_network
    from mini_exp.tasks.task import task_of
    from mini_exp.tasks.threads import fitting_threads

    network = saved_network(settings, original)
    calibration_batches = task_of(settings.data).calibration_batches
    covariance = settings.covariance
    batches = calibration_batches(network, samples, covariance.n_samples, covariance.batch_size)
    graph = prunable_graph(network, batches, settings.select.tied)
    rule = width_rule(settings, width_path)
    compress = settings.compress
    compression = Compression(**compress.of_weights())

    def pruned(theta: float) -> tuple[nn.Module, Selection]:
        groups = moments.groups
        paths = full_paths(settings, network, graph, groups.sigma, theta)
        losses: Mapping[str, Floats] = {}
        measured = rule.has_budget and settings.width.losses == "measured"
        if measured:
            losses = measured_losses(network, paths, groups.tensors, batches, compression)
        elif rule.has_budget:
            losses = spectral_losses(groups.eigenvalues)
        try:
            widths, gap = chosen_widths(rule, network, graph, losses, paths, compress.intercept)
        except (ConfigError, DomainError) as error:
            raise ConfigError(f"width.choose: {error}") from None
        selection = first_channels(paths, widths, compress.rescale_dropout, gap)
        if measured:
            selection = replace(selection, predicted_loss=loss_of_widths(losses, widths))
        smaller, _ = compressed_network(network, selection, groups.tensors, batches, compression)
        return smaller, selection

    smaller, selection = pruned_at(settings.select.theta, pruned, network, batches)
    recover = compress.recover
    if recover.steps:
        n_samples = recover.n_samples or covariance.n_samples
        more = calibration_batches(network, samples, n_samples, covariance.batch_size)
        readers = reduced_readers(graph.groups, selection.widths.values())
        recovery = Recovery(**recover.model_dump(exclude={"n_samples"}), seed=settings.seed)
        with fitting_threads(more[0]):
            smaller, done = recovered_network(smaller, network, readers, more, recovery, on_epoch)
        selection = replace(selection, recovered=done)
    return selection, smaller.state_dict()


def full_paths(
    settings: Settings,
    network: nn.Module,
    graph: ChannelGraph,
    sigma: Mapping[str, Floats],
    theta: float,
) -> list[GroupPath]:
    """All channels of every group in greedy order, with losses where these are cheap."""
    from mini_exp.pruning.paths import with_losses, with_optimum
    from mini_exp.pruning.recipe import greedy_paths

    scope = settings.select.scope
    paths = greedy_paths(network, graph, sigma, theta, scope)
    for i, group in enumerate(graph.groups):
        own = sigma[group.name]
        if group.width <= LOSSES_UP_TO:
            paths[i] = with_losses(network, paths[i], own, theta)
        paths[i] = with_optimum(network, paths[i], own, theta, scope)
    return paths


def width_rule(settings: Settings, path: WidthPath) -> WidthRule:
    """The rule of ``width.choose``; a ρ stands for the widths that it gives, at least 1."""
    import numpy as np

    from mini_exp.pruning.widths import WidthRule
    from mini_exp.settings.sections import Choose

    choose = settings.width.choose
    if not isinstance(choose, Choose):
        return WidthRule(widths=choose)
    if choose.rho is None:
        return WidthRule(**choose.model_dump())
    row = int(np.abs(path.rho - choose.rho).argmin())
    return WidthRule(widths=np.maximum(path.width[row], 1).tolist())
