"""Step estimate-width: the width problem over ρ (section 4.3, step 4)."""

from __future__ import annotations

import numpy as np

from mini_exp.config import Choose, Settings
from mini_exp.datasets.mini import DIMENSION
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.spectral.published import absolute_spectrum, published_lambdas
from mini_exp.spectral.width import estimated_width, exact_lambdas, width_objective
from mini_exp.types import SecondMoments, WidthPath


def run(settings: Settings, moments: SecondMoments) -> tuple[WidthPath]:
    """Return λ, N(λ), m̂ = ⌈N(λ)⌉, objective and convergence for every ρ.

    A ρ that ``width.choose`` names is added to the grid.
    """
    width = settings.width
    rhos = np.linspace(width.rho.start, width.rho.stop, width.rho.num)
    if isinstance(width.choose, Choose) and width.choose.rho is not None:
        rhos = np.union1d(rhos, width.choose.rho)
    published = width.solver == "published"
    used_spectrum = absolute_spectrum if published else numerical_spectrum
    boundary = (float(DIMENSION), 1.0) if width.boundary == "parameters" else (0.0, 0.0)

    shape = (len(moments.sigma[0]), len(rhos), len(moments.sigma))
    lambdas, dof = np.empty(shape), np.empty(shape)
    objective, converged = np.empty(shape[:2]), np.ones(shape[:2], dtype=bool)
    for r in range(shape[0]):
        spectra = [used_spectrum(values[r]) for values in moments.eigenvalues]
        for k, rho in enumerate(map(float, rhos)):
            if published:
                lambdas[r, k], objective[r, k], converged[r, k] = published_lambdas(
                    spectra, rho, width.regularizer
                )
            else:
                lambdas[r, k] = exact_lambdas(spectra, rho, width.regularizer, boundary)
                objective[r, k] = width_objective(
                    spectra, lambdas[r, k], rho, width.regularizer, boundary
                )
        for layer, spectrum in enumerate(spectra):
            dof[r, :, layer] = degrees_of_freedom(spectrum, lambdas[r, :, layer])
    return (WidthPath(rhos, lambdas, dof, estimated_width(dof), objective, converged),)
