"""The width problem over ρ for a block of replicates, as solved and exactly; its bound (C10)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mini_exp.pruning.selection import GroupPath
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.published import STARTING_P
from mini_exp.spectral.width_path import boundary_widths, width_path

ROUNDING = 1e-12  # of L^(A), as a share of that of a single unit


def rho_grid(settings: Settings, study: Study) -> Floats:
    """The study's values of ρ: the variant's range, on a grid of its own."""
    return np.linspace(settings.width.rho.start, settings.width.rho.stop, study.rho_num)


def sweeps(
    settings: Settings, study: Study, eigenvalues: Sequence[Floats], paths: Sequence[GroupPath]
) -> dict[str, Floats]:
    """The variant's sweep over ρ, and the same problem solved exactly.

    Parameters
    ----------
    settings : Settings
    study : Study
    eigenvalues : L arrays (R, m_ℓ)
        Descending.
    paths : L paths
        With their losses.

    Returns
    -------
    dict of float64
        ``widths`` and ``exact_widths`` (R, K, L); ``not_converged`` and ``at_start`` (R, K);
        ``bound_factor`` (R, K, L): how many λ the loss L^(A) of the first ⌈N(λ)⌉ units is.
    """
    width, rho = settings.width, rho_grid(settings, study)
    boundary = boundary_widths(
        width.boundary, math.prod(settings.data.shape), settings.data.n_outputs
    )
    own = width_path(eigenvalues, rho, width.solver, width.regularizer, boundary)
    exact = (
        own
        if width.solver == "exact"
        else width_path(eigenvalues, rho, "exact", width.regularizer, boundary)
    )
    factors = [
        _bound_factor(path.losses["A"], own.width[..., layer], own.lambda_[..., layer])
        for layer, path in enumerate(paths)
    ]
    return {
        "widths": own.width.astype(np.float64),
        "exact_widths": exact.width.astype(np.float64),
        "not_converged": (~own.converged).astype(np.float64),
        "at_start": (own.lambda_ == STARTING_P**2).all(axis=-1).astype(np.float64),
        "bound_factor": np.stack(factors, axis=-1),
    }


def _bound_factor(losses: Floats, width: Integers, lambda_: Floats) -> Floats:
    """L^(A) / λ of one layer for every ρ: (R, K); 0 / 0 is 0."""
    loss = np.take_along_axis(losses, np.clip(width, 1, None) - 1, axis=-1)
    loss = np.maximum(loss - ROUNDING * losses[:, :1], 0.0)
    infinite = np.where(loss > 0, np.inf, 0.0)
    return np.divide(loss, lambda_, out=infinite, where=lambda_ > 0)
