"""Step estimate-width: the width problem over ρ (section 4.3, step 4)."""

from __future__ import annotations

import numpy as np

from mini_exp.config import ImageSettings
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.spectral.width import estimated_width, exact_lambdas, width_objective
from mini_exp.types import ImageMoments, WidthPath

N_CLASSES = 10.0


def run(settings: ImageSettings, moments: ImageMoments) -> tuple[WidthPath]:
    """Return λ, N(λ), m̂ = ⌈N(λ)⌉ for every ρ: the thesis's missing CIFAR-10 experiment.

    Of the whole layers' spectra, as the thesis has them, or of the channels' where those were not
    computed. As in (4.2.2) the layers count as fully connected, one after the other, with the
    output's width at the end.
    """
    found = moments.flattened or moments.eigenvalues
    spectra = [numerical_spectrum(values) for values in found.values()]
    width = settings.width
    rhos = np.linspace(width.rho.start, width.rho.stop, width.rho.num)
    boundary = (0.0, N_CLASSES)
    lambdas = np.array(
        [exact_lambdas(spectra, rho, width.regularizer, boundary) for rho in map(float, rhos)]
    )
    objective = np.array(
        [
            float(width_objective(spectra, row, float(rho), width.regularizer, boundary))
            for rho, row in zip(rhos, lambdas, strict=True)
        ]
    )
    dof = np.stack(
        [degrees_of_freedom(mu, lambdas[:, layer]) for layer, mu in enumerate(spectra)], axis=1
    )
    converged = np.ones((1, len(rhos)), dtype=bool)
    return (
        WidthPath(
            rhos, lambdas[None], dof[None], estimated_width(dof)[None], objective[None], converged
        ),
    )
