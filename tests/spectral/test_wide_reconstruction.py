"""Reconstruction from so many units that Σ_{J,J} is factorised instead of decomposed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.spectral import reconstruction
from mini_exp.spectral.reconstruction import reconstruction_matrix

WIDTH = 200
KEPT = np.arange(30, 30 + reconstruction.CHOLESKY_FROM)


def second_moment(n=600):
    phi = np.random.default_rng(0).standard_normal((n, WIDTH)) + 0.3
    return phi.T @ phi / n


def decomposed(sigma, ridge=0.0, cross=None):
    """The same by eigenvectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruction, "CHOLESKY_FROM", WIDTH + 1)
        return reconstruction_matrix(sigma, KEPT, ridge, cross)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.1])
def test_is_the_one_by_eigenvectors(ridge):
    sigma = second_moment()
    matrix = reconstruction_matrix(sigma, KEPT, ridge)
    # The condition number of Σ_JJ is about 30: rounding grows by it.
    assert_allclose(matrix, decomposed(sigma, ridge), atol=1e-13)
    inner = sigma[np.ix_(KEPT, KEPT)] + ridge * np.trace(sigma) / WIDTH * np.eye(len(KEPT))
    assert_allclose(matrix @ inner, sigma[:, KEPT], atol=1e-13)


def test_of_other_units_is_the_one_by_eigenvectors():
    sigma = second_moment()
    cross = np.random.default_rng(1).standard_normal(sigma.shape)
    matrix = reconstruction_matrix(sigma, KEPT, cross=cross)
    assert_allclose(matrix, decomposed(sigma, cross=cross), atol=1e-12)  # condition number 30


def test_units_may_differ_in_scale():
    scale = 10.0 ** np.random.default_rng(2).integers(-6, 7, WIDTH)
    sigma = second_moment()
    matrix = reconstruction_matrix(sigma * np.outer(scale, scale), KEPT)
    rescaled = matrix * np.outer(1 / scale, scale[KEPT])
    assert_allclose(rescaled, decomposed(sigma), atol=1e-13)  # condition number 30


@pytest.mark.parametrize("n", [20, len(KEPT) - 1])
def test_the_minimiser_of_smallest_norm_where_the_kept_units_are_dependent(n):
    sigma = second_moment(n)
    assert_array_equal(reconstruction_matrix(sigma, KEPT), decomposed(sigma))


def test_a_dead_unit_is_as_by_eigenvectors():
    sigma = second_moment()
    sigma[KEPT[5]] = sigma[:, KEPT[5]] = 0.0
    assert_array_equal(reconstruction_matrix(sigma, KEPT), decomposed(sigma))


def test_nearly_dependent_units_are_as_by_eigenvectors():
    """Two kept units differ by a part in 10⁷: an eigenvalue below the tolerance."""
    sigma = second_moment()
    phi = np.linalg.cholesky(sigma).T
    phi[:, KEPT[1]] = phi[:, KEPT[0]] * (1 + 1e-7)
    sigma = phi.T @ phi
    assert_array_equal(reconstruction_matrix(sigma, KEPT), decomposed(sigma))
