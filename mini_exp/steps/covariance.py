"""Step covariance: second moments of what the layers read (section 4.3, steps 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from torch import Tensor

    from mini_exp.pruning.flattened import CalibrationMoments
    from mini_exp.settings.settings import Settings
    from mini_exp.tasks.task import Samples

STEP = Step(
    module=__name__,
    settings=("device", "model", "covariance", "select.tied"),
    inputs=("original.safetensors", "dataset.npz"),
    outputs={"covariance.npz": "moments"},
)


def run(
    settings: Settings, original: dict[str, Tensor], samples: Samples
) -> tuple[CalibrationMoments]:
    """Return the moments of every group of channels, and the spectra of whole layers."""
    from mini_exp.pruning.flattened import CalibrationMoments, flattened_spectra
    from mini_exp.pruning.recipe import group_moments, prunable_graph
    from mini_exp.steps.networks import saved_network
    from mini_exp.tasks.task import task_of

    network = saved_network(settings, original)
    covariance = settings.covariance
    batches = task_of(settings.data).calibration_batches(
        network, samples, covariance.n_samples, covariance.batch_size
    )
    graph = prunable_graph(network, batches, settings.select.tied)
    moments = group_moments(network, graph, batches, covariance.scale)
    whole = flattened_spectra(network, graph, batches) if covariance.flattened else ({}, {})
    n_samples = sum(map(len, batches))
    return (CalibrationMoments(moments, *whole, n_samples),)
