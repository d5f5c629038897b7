"""The width problem for many values of ρ: Figures 1 and 2 of the thesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum
from mini_exp.spectral.published import absolute_spectrum, published_lambdas
from mini_exp.spectral.width import Regularizer, estimated_width, exact_lambdas, width_objective


@dataclass(frozen=True)
class WidthPath:
    """Solution of the width problem for every ρ; L hidden layers, K values of ρ."""

    rho: Floats  # (K,)
    lambda_: Floats  # (..., K, L)
    degrees_of_freedom: Floats  # (..., K, L)
    width: Integers  # (..., K, L)
    objective: Floats  # (..., K)
    converged: npt.NDArray[np.bool_]  # (..., K)


def boundary_widths(
    kind: Literal["hidden", "output", "parameters"], n_inputs: int, n_outputs: int
) -> tuple[float, float]:
    """Input and output width that the products of (4.2.2) include; 0 leaves a product out.

    Examples
    --------
    >>> boundary_widths("output", 30, 1)
    (0.0, 1.0)
    """
    first = float(n_inputs) if kind == "parameters" else 0.0
    return first, 0.0 if kind == "hidden" else float(n_outputs)


def width_path(
    eigenvalues: Sequence[Floats],
    rho: Floats,
    solver: Literal["published", "exact"] = "exact",
    regularizer: Regularizer = "square",
    boundary: tuple[float, float] = (0.0, 0.0),
) -> WidthPath:
    """λ, N(λ), m̂ = ⌈N(λ)⌉, objective and convergence for every ρ.

    Parameters
    ----------
    eigenvalues : L arrays (..., m_ℓ)
        Spectrum of every hidden layer.
    rho : (K,) float64
        Each positive.
    solver : {"exact", "published"}
        ``exact_lambdas`` or ``published_lambdas``.
    regularizer, boundary
        As in ``width_objective``; the published solver knows hidden products only.

    Raises
    ------
    DomainError

    Notes
    -----
    Milliseconds per ρ and spectrum for the layers of MiniModel.

    References
    ----------
    Sørby (2019), (4.2.1)–(4.2.3), Figures 1 and 2.

    Examples
    --------
    >>> width_path([np.array([2.0, 1.0]), np.array([1.0])], np.array([1e-3, 1e3])).width
    array([[1, 1],
           [2, 1]])
    """
    published = solver == "published"
    used = absolute_spectrum if published else numerical_spectrum
    spectra = [used(values) for values in eigenvalues]
    leading = spectra[0].shape[:-1]
    shape = (*leading, len(rho), len(spectra))
    lambdas, dof = np.empty(shape), np.empty(shape)
    objective, converged = np.empty(shape[:-1]), np.ones(shape[:-1], dtype=bool)
    for r in np.ndindex(leading):
        own = [spectrum[r] for spectrum in spectra]
        for k, value in enumerate(map(float, rho)):
            at = (*r, k)
            if published:
                lambdas[at], objective[at], converged[at] = published_lambdas(
                    own, value, regularizer
                )
            else:
                lambdas[at] = exact_lambdas(own, value, regularizer, boundary)
                objective[at] = width_objective(own, lambdas[at], value, regularizer, boundary)
    for layer, spectrum in enumerate(spectra):
        dof[..., layer] = degrees_of_freedom(spectrum[..., None, :], lambdas[..., layer])
    return WidthPath(rho, lambdas, dof, estimated_width(dof), objective, converged)
