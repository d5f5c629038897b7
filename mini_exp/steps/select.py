"""Step select: choose units and build the smaller network (section 4.3, step 5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mini_exp.config import Choose, Settings
from mini_exp.datasets.mini import DIMENSION
from mini_exp.errors import ConfigError
from mini_exp.spectral import Floats
from mini_exp.spectral.reconstruction import reconstruction_matrix
from mini_exp.spectral.selection import (
    MAX_ENUMERATED_WIDTH,
    exhaustive_optimum,
    greedy_path,
    index_set_losses,
    output_aware_weight,
    scaled_output_matrix,
)
from mini_exp.types import LayerSelection, Networks, SecondMoments, Selection, WidthPath


def run(
    settings: Settings, networks: Networks, moments: SecondMoments, path: WidthPath
) -> tuple[Selection, Networks]:
    """Return the selection, with the best that enumeration finds, and the compressed network."""
    layers = tuple(
        with_optimum(settings, sigma, weight, layer_selection(settings, sigma, weight))
        for sigma, weight in zip(moments.sigma, next_weights(networks), strict=True)
    )
    selection = Selection(chosen_widths(settings, path, layers), layers)
    return selection, compressed_networks(settings, networks, moments, selection)


def next_weights(networks: Networks) -> list[Floats]:
    """For every hidden layer, the weights that read it."""
    return [weight.cpu().double().numpy() for weight in networks.weights[1:]]


def layer_selection(settings: Settings, sigma: Floats, next_weight: Floats) -> LayerSelection:
    """The greedy path of one layer and the losses along it."""
    scope, theta = settings.select.scope, settings.select.theta
    z, scale = scaled_output_matrix(next_weight)
    weight = output_aware_weight(z, theta) if scope == "full" else None
    index_path, information_ratio = greedy_path(sigma, weight, scope)
    losses = index_set_losses(sigma, z, scale, index_path, theta)
    return LayerSelection(index_path, information_ratio, scale, losses, {})


def with_optimum(
    settings: Settings, sigma: Floats, next_weight: Floats, layer: LayerSelection
) -> LayerSelection:
    """The same with the exhaustive optimum, if the layer is small enough to enumerate."""
    if sigma.shape[1] > MAX_ENUMERATED_WIDTH:
        return layer
    z, _ = scaled_output_matrix(next_weight)
    best = [
        exhaustive_optimum(s, one_z, settings.select.theta, settings.select.scope)
        for s, one_z in zip(sigma, z, strict=True)
    ]
    optimum = {name: np.stack([found[name] for found in best]) for name in best[0]}
    return replace(layer, exhaustive=optimum)


def chosen_widths(
    settings: Settings, path: WidthPath, layers: tuple[LayerSelection, ...]
) -> tuple[int, ...]:
    """The widths that ``width.choose`` asks for; at least one unit per layer.

    Raises
    ------
    ConfigError
        If no ρ of the sweep stays within the number of parameters.
    """
    choose = settings.width.choose
    if not isinstance(choose, Choose):
        return choose
    if choose.information is not None:
        enough = choose.information - 1e-12  # 𝒞 is 1 only up to rounding
        widths = []
        for layer in layers:
            reached = np.append(layer.information_ratio[0, :-1] >= enough, True)
            widths.append(int(reached.argmax()) + 1)
        return tuple(widths)
    candidates = np.maximum(path.width[0], 1)
    if choose.rho is not None:
        row = int(np.abs(path.rho - choose.rho).argmin())
        return tuple(map(int, candidates[row]))
    limit = choose.parameters or 0
    counts = np.array([_n_parameters(widths, settings.model.bias) for widths in candidates])
    if (counts > limit).all():
        raise ConfigError(
            f"width.choose.parameters: expected at least {counts.min()}, the fewest that any ρ of "
            f"the sweep gives, got {limit}; extend width.rho"
        )
    row = int(np.where(counts <= limit, counts, -1).argmax())
    return tuple(map(int, candidates[row]))


def _n_parameters(widths: np.ndarray, bias: bool) -> int:
    sizes = np.concatenate([[DIMENSION], widths, [1]])
    return int((sizes[:-1] * sizes[1:]).sum() + (sizes[1:].sum() if bias else 0))


def compressed_networks(
    settings: Settings, networks: Networks, moments: SecondMoments, selection: Selection
) -> Networks:
    """The networks with only the selected units, in ascending order.

    ``slice`` copies the kept rows and columns; ``reconstruct`` multiplies the next layer's weights
    by A_J first, so that it reads the least-squares estimate of all units (4.1.1).
    """
    weights, biases = list(networks.weights), list(networks.biases)
    for layer, sigma in enumerate(moments.sigma):
        kept = torch.from_numpy(selection.index_set(layer)).to(weights[layer].device)
        weights[layer] = torch.take_along_dim(weights[layer], kept[:, :, None], dim=1)
        if biases:
            biases[layer] = torch.take_along_dim(biases[layer], kept, dim=1)
        if settings.compress.weights == "slice":
            folded = torch.take_along_dim(weights[layer + 1], kept[:, None, :], dim=2)
        else:
            a = reconstruction_matrix(sigma, selection.index_set(layer), settings.compress.ridge)
            folded = weights[layer + 1] @ torch.from_numpy(a).to(weights[layer + 1])
        weights[layer + 1] = folded
    return Networks(tuple(weights), tuple(biases))
