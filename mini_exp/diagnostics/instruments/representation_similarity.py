"""Similarity of two representations of the same samples: debiased CKA and SVCCA."""

from __future__ import annotations

import numpy as np

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral import Floats

FEWEST = 4  # samples that the unbiased estimate needs


def debiased_cka(one: Floats, other: Floats) -> Floats:
    """HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)) with K = X Xᵀ, L = Y Yᵀ.

    HSIC₁ is the unbiased estimate. The plug-in estimate gives independent Gaussian data with
    n = 100 samples in p = 16 dimensions 0.137; this one is 0 on average.

    Parameters
    ----------
    one : (..., n, p) float64
    other : (..., n, q) float64
        The same samples in the same order, n ≥ 4.

    Returns
    -------
    (...) float64
        1 for a rotated, shifted, scaled copy. May be below 0. NaN where a representation is
        constant.

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    O(n² (p + q)) time, O(n²) memory.

    References
    ----------
    Kornblith et al. (2019), (3). Song et al. (2012), JMLR 13, (5): HSIC₁. Text 002, section
    1.6.2.3, names SVCCA.

    Examples
    --------
    >>> x = np.arange(10.0).reshape(5, 2) ** 2
    >>> round(float(debiased_cka(x, 3 - 2 * x[:, ::-1])), 12)
    1.0
    """
    _check(one, other)
    k, l_ = (_without_diagonal(x - x.mean(-2, keepdims=True)) for x in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        return _unbiased(k, l_) / np.sqrt(_unbiased(k, k) * _unbiased(l_, l_))


def _without_diagonal(x: Floats) -> Floats:
    gram: Floats = x @ x.mT
    i = np.arange(gram.shape[-1])
    gram[..., i, i] = 0.0
    return gram


def _unbiased(k: Floats, l_: Floats) -> Floats:
    n = k.shape[-1]
    row_k, row_l = k.sum(-1), l_.sum(-1)
    total = (k * l_).sum((-2, -1))
    total = total + row_k.sum(-1) * row_l.sum(-1) / ((n - 1) * (n - 2))
    return np.asarray((total - 2 / (n - 2) * (row_k * row_l).sum(-1)) / (n * (n - 3)))


def svcca(one: Floats, other: Floats, variance: float = 0.99) -> float:
    """Mean canonical correlation of the leading singular directions of two representations.

    Of each, the fewest directions that hold ``variance`` of it are kept; the mean is over the
    smaller of the two numbers.

    Parameters
    ----------
    one : (n, p) float64
    other : (n, q) float64
        The same samples in the same order.
    variance : float
        In (0, 1].

    Returns
    -------
    float
        In [0, 1]; NaN where a representation is constant. Like every canonical correlation it is
        near 1 when p + q comes near n.

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    O(n (p + q)²).

    References
    ----------
    Raghu et al. (2017), SVCCA, section 2.1; text 002, section 1.6.2.3.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(svcca(x, x @ np.array([[2.0, 1.0], [0.0, 1.0]])), 12)
    1.0
    """
    _check(one, other)
    if not 0 < variance <= 1:
        raise DomainError(f"SVCCA: expected a share of variance in (0, 1], got {variance}")
    bases = [_leading(x - x.mean(0), variance) for x in (one, other)]
    if not all(basis.shape[1] for basis in bases):
        return float("nan")
    correlations = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return float(np.clip(correlations, 0.0, 1.0).mean())


def _leading(x: Floats, variance: float) -> Floats:
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    held = np.cumsum(np.square(values))
    if held[-1] == 0:
        return left[:, :0]
    kept = 1 + int(np.searchsorted(held / held[-1], variance - 1e-12))  # rounding of a sum near 1
    return np.asarray(left[:, : min(kept, len(values))])


def _check(one: Floats, other: Floats) -> None:
    if one.ndim < 2 or other.ndim < 2 or one.shape[-2] != other.shape[-2]:
        raise ShapeError(f"similarity: expected the same n samples, {one.shape}, {other.shape}")
    if one.shape[-2] < FEWEST:
        raise DomainError(f"similarity: expected n ≥ {FEWEST} samples, got {one.shape[-2]}")
