"""Step select: choose units and build the smaller network (section 4.3, step 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from torch import Tensor

    from mini_exp.pruning.flattened import CalibrationMoments
    from mini_exp.pruning.selection import Selection
    from mini_exp.pruning.widths import WidthRule
    from mini_exp.settings.settings import Settings
    from mini_exp.spectral.width_path import WidthPath
    from mini_exp.tasks.task import Samples

LOSSES_UP_TO = 128  # units of a layer: they cost O(m³) a pick

STEP = Step(
    module=__name__,
    settings=("device", "model", "covariance", "width.choose", "select", "compress"),
    inputs=("dataset.npz", "original.safetensors", "covariance.npz", "widths.csv"),
    outputs={"selection.json": "selection", "compressed.safetensors": "state"},
)


def run(
    settings: Settings,
    samples: Samples,
    original: dict[str, Tensor],
    moments: CalibrationMoments,
    width_path: WidthPath,
) -> tuple[Selection, dict[str, Tensor]]:
    """Return what stays, with the best that enumeration finds, and the compressed network.

    Raises
    ------
    ConfigError
        If the chosen widths do not fit the network's groups, or none stay within the budget.
    """
    from mini_exp.errors import ConfigError, DomainError
    from mini_exp.pruning.compression import Compression, compressed_network
    from mini_exp.pruning.paths import with_losses, with_optimum
    from mini_exp.pruning.recipe import greedy_paths, prunable_graph
    from mini_exp.pruning.selection import first_channels
    from mini_exp.pruning.widths import chosen_widths, spectral_losses
    from mini_exp.steps.networks import saved_network
    from mini_exp.tasks.task import task_of

    network = saved_network(settings, original)
    batches = task_of(settings.data).calibration_batches(
        network, samples, settings.covariance.n_samples, settings.covariance.batch_size
    )
    select, groups = settings.select, moments.groups
    graph = prunable_graph(network, batches, select.tied)
    paths = greedy_paths(network, graph, groups.sigma, select.theta, select.scope)
    for i, group in enumerate(graph.groups):
        sigma = groups.sigma[group.name]
        if group.width <= LOSSES_UP_TO:
            paths[i] = with_losses(network, paths[i], sigma, select.theta)
        paths[i] = with_optimum(network, paths[i], sigma, select.theta, select.scope)
    rule = width_rule(settings, width_path)
    intercept = settings.compress.intercept
    try:
        losses = spectral_losses(groups.eigenvalues) if rule.has_budget else {}
        widths, gap = chosen_widths(rule, network, graph, losses, paths, intercept)
    except (ConfigError, DomainError) as error:
        raise ConfigError(f"width.choose: {error}") from None
    selection = first_channels(paths, widths, settings.compress.rescale_dropout, gap)
    compression = Compression(**settings.compress.model_dump(exclude={"rescale_dropout"}))
    smaller, _ = compressed_network(network, selection, groups.tensors, batches, compression)
    return selection, smaller.state_dict()


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
