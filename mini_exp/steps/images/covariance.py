"""Step covariance: second moments of what the layers read (section 4.3, steps 2 and 3)."""

from __future__ import annotations

from mini_exp.config import ImageSettings
from mini_exp.image_networks import new_network
from mini_exp.image_training import calibration_batches, tensors, with_state
from mini_exp.pruning.flattened import flattened_spectra
from mini_exp.pruning.prune import pruning_graph
from mini_exp.pruning.selection import group_second_moment
from mini_exp.pruning.statistics import group_readers, reader_moments
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import spectrum
from mini_exp.types import ImageMoments, ImageSplits, NetworkState


def run(
    settings: ImageSettings, original: NetworkState, splits: ImageSplits
) -> tuple[ImageMoments]:
    """Return the moments of every group of channels, and the spectra of whole layers."""
    network = with_state(new_network(settings.model.kind, settings.model.depth), original)
    network.to(settings.device)
    x, _ = tensors(splits, settings.device)["train"]
    batches = calibration_batches(x, settings.covariance)
    graph = pruning_graph(network, batches, settings.select.tied)
    moments = reader_moments(network, group_readers(graph.groups), batches)
    eigenvalues = {
        group.name: spectrum(group_second_moment(group, moments)[None])[0][0]
        for group in graph.groups
    }
    flattened: dict[str, Floats] = {}
    n_units: dict[str, int] = {}
    n_images = sum(map(len, batches))
    if settings.covariance.flattened:
        size = settings.covariance.batch_size
        flattened, n_units = flattened_spectra(network, graph, x[:n_images], size)
    return (ImageMoments(moments, eigenvalues, flattened, n_units, n_images),)
