"""The width solver of the published run: the author's conventions, kept apart.

They are facts about the public research code behind Sørby (2019) (Anderssorby/CompressedDNN on
GitHub), restated here so that the published figures can be reproduced, wrong derivatives included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.optimize

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, degrees_of_freedom_derivative

STARTING_P = 0.1
"""Every coordinate of the starting point; λ = p² = 0.01."""


def absolute_spectrum(eigenvalues: npt.ArrayLike) -> Floats:
    """|μ|: the author's way with eigenvalues that rounding made negative."""
    return np.abs(np.asarray(eigenvalues, dtype=np.float64))


def published_gradient(
    spectra: Sequence[Floats], p: Floats, rho: float, regularizer: Literal["square", "abs"]
) -> Floats:
    """The hand-written "gradient" of (4.2.3), wrong in two places, that the solver is given.

    Coordinate ℓ is 2 p_ℓ N′_ℓ(p_ℓ²) Σ_k N(p_k²; spectrum of ℓ) + ρ · 2 Σ_k p_k, the first sum over
    the neighbours k of ℓ: their degrees of freedom are evaluated with the eigenvalues of ℓ, and
    the derivative of the whole Σ p² stands in every coordinate (of Σ|p|: the sign of p_ℓ, which
    is right).

    Parameters
    ----------
    spectra : L arrays (m_ℓ,)
        Absolute eigenvalues.
    p : (L,) float64
    rho : float
    regularizer : {"square", "abs"}

    Returns
    -------
    (L,) float64
    """
    mu = _padded(spectra)
    lam = p**2
    neighbour = np.eye(len(p), k=1) + np.eye(len(p), k=-1)
    own_spectrum = degrees_of_freedom(mu[:, None, :], lam)  # of layer ℓ at λ_k: [ℓ, k]
    products = (neighbour * own_spectrum).sum(axis=1)
    slope: Floats = 2 * p * degrees_of_freedom_derivative(mu, lam) * products
    penalty = np.full_like(p, 2 * p.sum()) if regularizer == "square" else np.sign(p)
    return slope + rho * penalty


def _padded(spectra: Sequence[Floats]) -> Floats:
    """The spectra as rows; the zeros at their ends add nothing to any N(λ)."""
    mu = np.zeros((len(spectra), max(map(len, spectra))))
    for row, spectrum in zip(mu, spectra, strict=True):
        row[: len(spectrum)] = spectrum
    return mu


def published_lambdas(
    eigenvalues: Sequence[npt.ArrayLike], rho: float, regularizer: Literal["square", "abs"]
) -> tuple[Floats, float, bool]:
    """SciPy's Newton-CG on (4.2.3) from p = 0.1, with ``published_gradient``.

    The objective has only the products of hidden widths, and absolute eigenvalues. Where the line
    search fails on its first step, the solver returns its starting point: λ = 0.01 in every layer.

    Parameters
    ----------
    eigenvalues : L arrays (m_ℓ,)
        As ``spectrum`` returns them.
    rho : float
        ρ > 0.
    regularizer : {"square", "abs"}

    Returns
    -------
    lambda_ : (L,) float64
        p², at the solver's last point.
    objective : float
        At that point.
    converged : bool
        SciPy's ``success``, which the author ignored.

    Raises
    ------
    DomainError
        If ρ is not positive and finite.

    Notes
    -----
    A few milliseconds for MiniModel.

    References
    ----------
    Sørby (2019), (4.2.3) and figure 1.
    """
    if not (np.isfinite(rho) and rho > 0):
        raise DomainError(f"width problem: expected a finite ρ > 0, got {rho}")
    spectra = [absolute_spectrum(mu) for mu in eigenvalues]

    mu = _padded(spectra)

    def objective(p: Floats) -> float:
        dof = degrees_of_freedom(mu, p**2)
        penalty = p**2 if regularizer == "square" else np.abs(p)
        return float(dof[:-1] @ dof[1:] + rho * penalty.sum())

    def gradient(p: Floats) -> Floats:
        return published_gradient(spectra, p, rho, regularizer)

    start = np.full(len(spectra), STARTING_P)
    result = scipy.optimize.minimize(objective, start, jac=gradient, method="Newton-CG")
    return result.x**2, float(result.fun), bool(result.success)
