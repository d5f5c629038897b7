"""Step estimate-width: the width problem over ρ (section 4.3, step 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from mini_exp.pruning.flattened import CalibrationMoments
    from mini_exp.settings.settings import Settings
    from mini_exp.spectral.width_path import WidthPath

STEP = Step(
    module=__name__,
    settings=(
        "width.solver",
        "width.regularizer",
        "width.boundary",
        "width.rho",
        "width.choose.rho",
    ),
    inputs=("covariance.npz",),
    outputs={"widths.csv": "width_path"},
)


def run(settings: Settings, moments: CalibrationMoments) -> tuple[WidthPath]:
    """Return λ, N(λ), m̂ = ⌈N(λ)⌉, objective and convergence for every ρ.

    Of the whole layers' spectra where they were computed, else of the channels'. A ρ that
    ``width.choose`` names is added to the grid.
    """
    import math

    import numpy as np

    from mini_exp.settings.sections import Choose
    from mini_exp.spectral.width_path import boundary_widths, width_path

    width = settings.width
    rho = np.linspace(width.rho.start, width.rho.stop, width.rho.num)
    if isinstance(width.choose, Choose) and width.choose.rho is not None:
        rho = np.union1d(rho, width.choose.rho)
    boundary = boundary_widths(
        width.boundary, math.prod(settings.data.shape), settings.data.n_outputs
    )
    spectra = list((moments.flattened or moments.groups.eigenvalues).values())
    return (width_path(spectra, rho, width.solver, width.regularizer, boundary),)
