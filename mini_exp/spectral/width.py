"""The width problem (4.2.2, 4.2.3) and its exact solution."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats, Integers
from mini_exp.spectral.chain import Chain
from mini_exp.spectral.degrees_of_freedom import degrees_of_freedom, numerical_spectrum

Regularizer = Literal["square", "abs"]

RELATIVE_GAP = 1e-7
"""``exact_lambdas`` stops when its objective is certified to be this close to the minimum."""

LARGEST_P = 1e150  # λ = p² must not overflow
_COARSEST_STEP = 0.05
_REFINEMENT = 8
_MAX_REFINEMENTS = 12
_NEGLIGIBLE = 1e-3 * RELATIVE_GAP  # share of the objective


def width_objective(
    eigenvalues: Sequence[npt.ArrayLike],
    lambdas: npt.ArrayLike,
    rho: float,
    regularizer: Regularizer = "square",
    boundary: tuple[float, float] = (0.0, 0.0),
) -> Floats:
    """a N₁ + Σ_ℓ N_ℓ N_{ℓ+1} + N_L b + ρ Σ_ℓ R(p_ℓ), with N_ℓ = N_ℓ(λ_ℓ) and λ_ℓ = p_ℓ².

    Parameters
    ----------
    eigenvalues : L arrays (m_ℓ,)
        Spectrum of every hidden layer.
    lambdas : (..., L) float64
        λ_ℓ ≥ 0.
    rho : float
        Strength ρ > 0 of the regulariser.
    regularizer : {"square", "abs"}
        R(p) = p² or |p|, that is λ or √λ.
    boundary : (a, b)
        Widths of the input and the output. With them the products are the parameters of a network
        without biases; (0, 0) leaves only the products of hidden widths.

    Returns
    -------
    (...) float64

    References
    ----------
    Sørby (2019), (4.2.2) and (4.2.3).

    Examples
    --------
    >>> width_objective([[1.0, 1.0], [1.0]], [0.0, 1.0], rho=2.0)
    array(3.)
    """
    lam = np.asarray(lambdas, dtype=np.float64)
    if lam.shape[-1] != len(eigenvalues):
        raise ShapeError(f"width problem: expected {len(eigenvalues)} λ, got {lam.shape[-1]}")
    layers = [
        degrees_of_freedom(numerical_spectrum(mu), lam[..., layer])
        for layer, mu in enumerate(eigenvalues)
    ]
    products = boundary[0] * layers[0] + boundary[1] * layers[-1]
    for left, right in pairwise(layers):
        products = products + left * right
    penalty = (lam if regularizer == "square" else np.sqrt(lam)).sum(axis=-1)
    return np.asarray(products + rho * penalty)


def exact_lambdas(
    eigenvalues: Sequence[npt.ArrayLike],
    rho: float,
    regularizer: Regularizer = "square",
    boundary: tuple[float, float] = (0.0, 0.0),
) -> Floats:
    """The λ ≥ 0 that minimise ``width_objective``, to a certified relative gap of 1e-7.

    The objective couples only neighbouring layers, so on a grid of values per layer dynamic
    programming finds its minimum exactly. Grid points whose best continuation is too far above
    the minimum to lie next to the true minimiser are dropped, the others refined, until the grid
    is fine enough for the gap.

    Parameters
    ----------
    eigenvalues, rho, regularizer, boundary
        As in ``width_objective``.

    Returns
    -------
    (L,) float64
        λ of every hidden layer, exactly 0 where the minimum is there.

    Raises
    ------
    DomainError
        If ρ is not positive and finite, if the spectrum is not one of a second moment, or if the
        minimum is too small for a float.

    Notes
    -----
    The grid is regular in t, with p = q(eᵗ − 1) and λ = p²: λ = 0 is a grid point, and far from it
    the steps are relative. With q² at most the smallest positive eigenvalue, |dN/dt| ≤ 3N,
    |d²N/dt²| ≤ 15N and d²R/dt² ≤ 7(R(p) + R(q)). At the minimiser the derivatives in t vanish (or
    it is the grid point 0), so moving it to the nearest grid point, by h/2 or less in each
    coordinate, costs at most 8h²(f + ρ Σ R(q)): this is the certificate.

    Milliseconds for the layers of MiniModel, with a few hundred grid points per layer; below a
    second for spectra and ρ between 1e-300 and 1e300, with up to 100 000.
    """
    if not (np.isfinite(rho) and rho > 0):
        raise DomainError(f"width problem: expected a finite ρ > 0, got {rho}")
    spectra = [numerical_spectrum(mu) for mu in eigenvalues]
    power = 2 if regularizer == "square" else 1
    at_zero = float(width_objective(spectra, np.zeros(len(spectra)), rho, regularizer, boundary))
    # No minimiser lies beyond p_max: its regulariser alone would cost more than λ = 0 does.
    with np.errstate(over="ignore"):
        p_max = min(float((np.float64(at_zero) / rho) ** (1 / power)), LARGEST_P)
    if p_max == 0:  # a zero objective cannot be improved
        return np.zeros(len(spectra))
    # A layer without a positive eigenvalue has N = 0 for every λ: p_max / 100 is as good as any.
    origins = [min(float(np.sqrt(mu[mu > 0].min(initial=np.inf))), p_max / 100) for mu in spectra]
    # Any smaller q keeps the bounds below; one whose regulariser is small keeps the gap small.
    while True:
        coarse = [q * np.expm1(_COARSEST_STEP * np.arange(_n_steps(p_max, q))) for q in origins]
        best = _grid(spectra, coarse, rho, power, boundary).minimum()
        if best == 0:
            raise DomainError(f"width problem: too small for a float at ρ = {rho}; use a larger ρ")
        largest = (best / rho / len(spectra)) ** (1 / power)
        if max(origins) <= largest:
            break
        origins = [min(q, largest / 10) for q in origins]
    slack = rho * sum(q**power for q in origins)

    step = _COARSEST_STEP
    indices = [np.arange(_n_steps(p_max, q)) for q in origins]
    for _ in range(_MAX_REFINEMENTS):
        p = [q * np.expm1(step * index) for q, index in zip(origins, indices, strict=True)]
        chain = _grid(spectra, p, rho, power, boundary)
        marginals = chain.min_marginals()
        best = min(float(marginal.min()) for marginal in marginals)
        gap = 8 * step**2 * (best + slack)
        if gap <= RELATIVE_GAP * best:
            break
        near = chain.near(marginals, best, gap, _NEGLIGIBLE)
        step /= _REFINEMENT
        half = _REFINEMENT // 2
        around = np.arange(-half, half + 1)
        indices = [
            np.unique(np.maximum(_REFINEMENT * index[points, None] + around, 0))
            for index, points in zip(indices, near, strict=True)
        ]
    else:
        raise DomainError(f"width problem: no certified minimum for ρ = {rho}; use a larger ρ")
    return np.array([x[i] ** 2 for x, i in zip(p, chain.minimiser(), strict=True)])


def _n_steps(p_max: float, q: float) -> int:
    """Coarse grid points of a layer, up to p_max and one beyond."""
    return int(np.log1p(p_max / q) / _COARSEST_STEP) + 2


def _grid(
    spectra: Sequence[Floats],
    p: Sequence[Floats],
    rho: float,
    power: int,
    boundary: tuple[float, float],
) -> Chain:
    """The problem on a grid of values of p per layer."""
    dof = [degrees_of_freedom(mu, x**2) for mu, x in zip(spectra, p, strict=True)]
    return Chain(dof, [rho * x**power for x in p], boundary)


def estimated_width(dof: npt.ArrayLike) -> Integers:
    """m̂ = ⌈N(λ)⌉.

    Examples
    --------
    >>> estimated_width([7.2, 3.0])
    array([8, 3])
    """
    return np.asarray(np.ceil(dof), dtype=np.int64)
