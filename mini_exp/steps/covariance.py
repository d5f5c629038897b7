"""Step covariance: second moments of the hidden layers, spectra (section 4.3, steps 2 and 3)."""

from __future__ import annotations

import torch

from mini_exp.config import Settings
from mini_exp.networks import layer_outputs
from mini_exp.spectral.second_moment import second_moment, spectrum
from mini_exp.training import SCORED_AT_ONCE
from mini_exp.types import Dataset, Networks, SecondMoments


@torch.no_grad()
def run(settings: Settings, networks: Networks, dataset: Dataset) -> tuple[SecondMoments]:
    """Return Σ, eigenvalues and eigenvectors of the outputs on the training set."""
    like = networks.weights[0]
    x = torch.from_numpy(dataset.x_train).to(like.device, like.dtype)
    sigmas, spectra = [], []
    n_samples = 0
    for layer in range(len(networks.weights) - 1):
        batches = (
            layer_outputs(networks, part)[layer].cpu().numpy()
            for part in x.split(SCORED_AT_ONCE, dim=1)
        )
        sigma, n_samples = second_moment(batches, settings.covariance.scale)
        sigmas.append(sigma)
        spectra.append(spectrum(sigma))
    eigenvalues, eigenvectors = zip(*spectra, strict=True)
    return (SecondMoments(tuple(sigmas), eigenvalues, eigenvectors, n_samples),)
