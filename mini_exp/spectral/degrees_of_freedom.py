"""The degrees of freedom N(λ) of a spectrum (4.2.1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.errors import DomainError
from mini_exp.spectral import Floats
from mini_exp.spectral.second_moment import RANK_TOLERANCE


def numerical_spectrum(eigenvalues: npt.ArrayLike) -> Floats:
    """Eigenvalues with everything below ``RANK_TOLERANCE`` times the largest set to zero.

    Parameters
    ----------
    eigenvalues : (..., m) float64
        Of a positive semi-definite matrix, up to rounding.

    Raises
    ------
    DomainError
        If one is infinite or NaN, or too negative to be rounding.

    Examples
    --------
    >>> numerical_spectrum([2.0, 1.0, -1e-17])
    array([2., 1., 0.])
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    largest = values.max(axis=-1, keepdims=True, initial=0.0)
    if not np.isfinite(values).all() or (values < -1e-8 * largest - 1e-300).any():
        raise DomainError(
            "degrees of freedom: expected finite eigenvalues of a positive semi-definite matrix, "
            f"got one of {values.min():.3g}"
        )
    return np.where(values > RANK_TOLERANCE * largest, values, 0.0)


def degrees_of_freedom(eigenvalues: npt.ArrayLike, lambda_: npt.ArrayLike) -> Floats:
    """N(λ) = tr[Σ(Σ + λI)⁻¹] = Σᵢ μᵢ / (μᵢ + λ), and N(0) = rank Σ.

    Parameters
    ----------
    eigenvalues : (..., m) float64
        μᵢ ≥ 0, as ``numerical_spectrum`` returns them.
    lambda_ : (...) float64
        λ ≥ 0, in the units of Σ; broadcast against the leading axes of the eigenvalues.

    Returns
    -------
    (...) float64
        Between 0 and the rank, non-increasing in λ. A zero eigenvalue contributes 0 for every λ,
        λ = 0 included.

    Raises
    ------
    DomainError
        If a λ is negative or NaN.

    Notes
    -----
    O(m) per λ; relative error below m · 2e-16.

    References
    ----------
    Sørby (2019), (4.2.1).

    Examples
    --------
    >>> degrees_of_freedom([3.0, 1.0, 0.0], [0.0, 1.0])
    array([2.  , 1.25])
    """
    mu = np.asarray(eigenvalues, dtype=np.float64)
    lam = np.asarray(lambda_, dtype=np.float64)[..., None]
    if not (lam >= 0).all():
        raise DomainError(f"degrees of freedom: expected λ ≥ 0, got {lam.min():.3g}")
    fraction = np.divide(mu, mu + lam, out=np.zeros(np.broadcast(mu, lam).shape), where=mu > 0)
    return np.asarray(fraction.sum(axis=-1))


def degrees_of_freedom_derivative(eigenvalues: npt.ArrayLike, lambda_: npt.ArrayLike) -> Floats:
    """N′(λ) = −Σᵢ μᵢ / (μᵢ + λ)², summed over the positive eigenvalues.

    Parameters, errors and cost as in ``degrees_of_freedom``.

    Examples
    --------
    >>> degrees_of_freedom_derivative([3.0, 1.0, 0.0], [0.0, 1.0])
    array([-1.33333333, -0.4375    ])
    """
    mu = np.asarray(eigenvalues, dtype=np.float64)
    lam = np.asarray(lambda_, dtype=np.float64)[..., None]
    if not (lam >= 0).all():
        raise DomainError(f"degrees of freedom: expected λ ≥ 0, got {lam.min():.3g}")
    total = np.where(mu > 0, mu + lam, 1.0)
    # Two divisions: (μ + λ)² overflows long before the quotient does.
    return -np.asarray((np.where(mu > 0, mu, 0.0) / total / total).sum(axis=-1))


def lambda_of_width(eigenvalues: npt.ArrayLike) -> Floats:
    """The λ at which N(λ) = k, for every width k = 1 … m; 0 where the rank is at most k.

    Parameters
    ----------
    eigenvalues : (..., m) float64
        μᵢ ≥ 0, as ``numerical_spectrum`` returns them.

    Returns
    -------
    (..., m) float64
        Non-increasing, in the units of Σ: N(λ) ≤ k from this λ on, to rounding.

    Raises
    ------
    DomainError

    Notes
    -----
    Bisection of log λ to the last bit; N(λ) ≤ tr(Σ)/λ bounds it from above. O(m²) a step, some
    hundred steps.

    References
    ----------
    Sørby (2019), (4.2.1).

    Examples
    --------
    >>> lambda_of_width([1.0, 1.0])
    array([1., 0.])
    """
    shape = np.shape(eigenvalues)
    if not shape or not shape[-1]:
        raise DomainError(f"degrees of freedom: expected eigenvalues (..., m), got {shape}")
    values = numerical_spectrum(eigenvalues)
    rows = [_lambda_of_width(row) for row in values.reshape(-1, values.shape[-1])]
    return np.stack(rows).reshape(values.shape)


def _lambda_of_width(values: Floats) -> Floats:
    """The same of one spectrum, (m,)."""
    largest = values.max()
    if largest == 0:
        return values
    scale = np.exp2(np.floor(np.log2(largest)))  # sums must not overflow, nor digits change
    mu = np.sort(values)[::-1] / scale
    width = np.arange(1, len(mu) + 1)
    positive = mu[mu > 0]
    lambdas = np.zeros(len(mu))
    below_rank = width < len(positive)
    if not below_rank.any():
        return lambdas
    # N ≤ k at λ = tr(Σ)/k; N ≥ k + 1/2 where λ is below the smallest eigenvalue over 2 rank.
    low = np.full(below_rank.sum(), np.log(positive.min() / 2 / len(positive)))
    high = np.log(positive.sum() / width[below_rank])
    while True:
        middle = (low + high) / 2
        if ((middle <= low) | (middle >= high)).all():
            break
        wide = degrees_of_freedom(mu, np.exp(middle)) > width[below_rank]
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    lambdas[below_rank] = scale * np.exp(high)
    return lambdas
