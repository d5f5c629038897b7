import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral.reconstruction import reconstruction_matrix
from tests import oracles

PROPERTY = settings(deadline=None, max_examples=60, derandomize=True)
J = np.array([[1, 3, 4], [0, 2, 5]])


def activations(seed=0, shape=(2, 20, 6)):
    return np.maximum(np.random.default_rng(seed).standard_normal(shape) + 0.3, 0)


def second_moments(phi):
    return phi.swapaxes(1, 2) @ phi / phi.shape[1]


def loss(phi, index_set, a, ridge_weight=0.0):
    error = phi - phi[:, index_set] @ a.T
    return (error**2).sum(axis=1).mean() + ridge_weight * (a**2).sum()


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_equals_least_squares_on_the_activations(ridge):
    phi = activations()
    a = reconstruction_matrix(second_moments(phi), J, ridge)
    assert a.shape == (2, 6, 3)
    for r in range(2):
        w = ridge * np.trace(second_moments(phi)[r]) / 6
        assert_allclose(a[r], oracles.reconstruction(phi[r], J[r], w), atol=1e-11)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0])
def test_no_perturbation_is_better(ridge, size):
    rng = np.random.default_rng(1)
    phi = activations()
    a = reconstruction_matrix(second_moments(phi), J, ridge)
    for r in range(2):
        w = ridge * np.trace(second_moments(phi)[r]) / 6
        best = loss(phi[r], J[r], a[r], w)
        for _ in range(50):
            other = a[r] + size * rng.standard_normal(a[r].shape)
            assert loss(phi[r], J[r], other, w) > best


def test_leaves_the_trace_of_the_residual():
    phi = activations()
    sigma = second_moments(phi)
    a = reconstruction_matrix(sigma, J)
    for r in range(2):
        expected = np.trace(oracles.residual(sigma[r], J[r].tolist()))
        assert loss(phi[r], J[r], a[r]) == pytest.approx(expected, rel=1e-10)


def test_rows_in_j_are_unit_vectors():
    a = reconstruction_matrix(second_moments(activations()), J)
    for r in range(2):
        assert_allclose(a[r, J[r]], np.eye(3), atol=1e-12)


def test_all_units_give_the_identity_in_their_order():
    order = np.array([[2, 0, 1, 5, 4, 3]])
    a = reconstruction_matrix(second_moments(activations())[:1], order)
    assert_allclose(a[0], np.eye(6)[:, order[0]], atol=1e-11)


def test_ridge_shrinks():
    sigma = second_moments(activations())
    sizes = [
        np.linalg.norm(reconstruction_matrix(sigma, J, ridge), axis=(1, 2))
        for ridge in (0.0, 1e-6, 1e-3, 0.1, 1.0, 10.0, 1e6)
    ]
    assert (np.diff(sizes, axis=0) < 0).all()
    assert (sizes[-1] < 1e-5).all()


def test_ridge_is_in_units_of_the_mean_second_moment():
    sigma = second_moments(activations())
    assert_allclose(
        reconstruction_matrix(1e6 * sigma, J, 0.1), reconstruction_matrix(sigma, J, 0.1), rtol=1e-12
    )


@PROPERTY
@given(seed=st.integers(0, 10**6), n=st.integers(1, 8), m=st.integers(2, 6))
def test_smallest_minimiser_of_singular_second_moments(seed, n, m):
    """Small integers: duplicates, dead units and fewer samples than units, with exact ranks."""
    rng = np.random.default_rng(seed)
    phi = rng.integers(-1, 2, (n, m)).astype(float)
    j = rng.permutation(m)[: rng.integers(1, m + 1)]
    a = reconstruction_matrix(phi.T @ phi[None] / n, j[None])
    assert_allclose(a[0], oracles.reconstruction(phi, j), atol=1e-8)


def test_dead_unit_has_a_zero_row_and_a_zero_column():
    phi = activations()
    phi[:, :, 3] = 0.0
    a = reconstruction_matrix(second_moments(phi), np.array([[1, 3], [3, 5]]))
    assert_array_equal(a[:, 3], np.zeros((2, 2)))
    assert_array_equal(a[0, :, 1], np.zeros(6))
    assert_array_equal(a[1, :, 0], np.zeros(6))


def test_dead_layer():
    assert_array_equal(
        reconstruction_matrix(np.zeros((1, 3, 3)), np.array([[0, 2]])), [[[0, 0]] * 3]
    )


def test_duplicates_share_the_weight():
    phi = activations()[0]
    phi[:, 4] = phi[:, 1]
    a = reconstruction_matrix(second_moments(phi[None]), np.array([[1, 4]]))[0]
    assert_allclose(a[:, 0], a[:, 1], atol=1e-12)
    assert_allclose(a[[1, 4]], np.full((2, 2), 0.5), atol=1e-12)
    assert loss(phi, [1, 4], a) == pytest.approx(loss(phi, [1], a[:, :1] * 2), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-8, 1e8, 1e200])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_scale_of_the_layer_does_not_matter(scale, ridge):
    sigma = second_moments(activations())
    assert_allclose(
        reconstruction_matrix(scale * sigma, J, ridge),
        reconstruction_matrix(sigma, J, ridge),
        atol=1e-12,
    )


def test_badly_scaled_units_cost_no_more_than_the_tolerance():
    """A unit of 1e-7 of the scale may count as rounding, but the loss must stay the least."""
    phi = activations()[0] * [1.0, 1e-7, 1.0, 1.0, 1.0, 1.0]
    sigma, j = second_moments(phi[None]), [0, 1, 2]
    a = reconstruction_matrix(sigma, np.array([j]))[0]
    least = np.trace(oracles.residual(sigma[0], j))
    assert loss(phi, j, a) == pytest.approx(least, rel=1e-6, abs=1e-12 * np.trace(sigma[0]))


def test_stack_is_per_item():
    sigma = second_moments(activations())
    stack = reconstruction_matrix(sigma, J, 0.01)
    for r in range(2):
        assert_allclose(
            stack[r], reconstruction_matrix(sigma[r : r + 1], J[r : r + 1], 0.01)[0], rtol=1e-13
        )


@pytest.mark.parametrize("shape", [(6, 5), (2, 6, 5), (6,)])
def test_second_moments_that_are_not_square(shape):
    with pytest.raises(ShapeError, match=r"expected second moments \(\.\.\., m, m\), got"):
        reconstruction_matrix(np.ones(shape), J)


@pytest.mark.parametrize("shape", [(6, 6), (1, 6, 6), (3, 6, 6), (2, 2, 6, 6)])
def test_shapes_that_do_not_fit(shape):
    with pytest.raises(ShapeError, match=r"expected \(\.\.\., m, m\) and \(\.\.\., k\), got"):
        reconstruction_matrix(np.ones(shape), J)


def test_index_set_without_the_leading_axis():
    with pytest.raises(ShapeError, match=r"expected \(\.\.\., m, m\) and \(\.\.\., k\), got"):
        reconstruction_matrix(np.eye(6)[None], np.array([2]))


@pytest.mark.parametrize("ridge", [-1e-9, np.nan, np.inf])
def test_ridge_outside_the_domain(ridge):
    with pytest.raises(DomainError, match="expected a finite ridge ≥ 0, got"):
        reconstruction_matrix(second_moments(activations()), J, ridge)


# Other units restored from these


def others(seed=7):
    rng = np.random.default_rng(seed)
    phi = activations()
    return phi, np.tanh(phi @ rng.standard_normal((6, 6))) + 0.1 * rng.standard_normal(phi.shape)


def cross_moments(psi, phi):
    return psi.swapaxes(1, 2) @ phi / phi.shape[1]


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_cross_equals_least_squares_for_the_other_units(ridge):
    phi, psi = others()
    sigma = second_moments(phi)
    a = reconstruction_matrix(sigma, J, ridge, cross_moments(psi, phi))
    for r in range(2):
        root = np.sqrt(20 * ridge * np.trace(sigma[r]) / 6)
        rows = np.vstack([phi[r][:, J[r]], root * np.eye(3)])
        wanted = np.vstack([psi[r], np.zeros((3, 6))])
        expected, *_ = np.linalg.lstsq(rows, wanted, rcond=None)
        assert_allclose(a[r], expected.T, atol=1e-11)


def test_cross_with_the_units_themselves_changes_nothing():
    sigma = second_moments(activations())
    assert_array_equal(
        reconstruction_matrix(sigma, J, 1e-6, sigma), reconstruction_matrix(sigma, J, 1e-6)
    )


def test_cross_where_the_kept_units_are_dependent():
    """The minimiser of smallest norm: what least squares by SVD gives."""
    phi, psi = others()
    phi[:, :, 3] = phi[:, :, 1]
    phi[:, :, 2] = 0
    j = np.array([[1, 2, 3], [1, 2, 3]])
    a = reconstruction_matrix(second_moments(phi), j, 0.0, cross_moments(psi, phi))
    for r in range(2):
        expected, *_ = np.linalg.lstsq(phi[r][:, j[r]], psi[r], rcond=1e-10)
        assert_allclose(a[r], expected.T, atol=1e-9)
    assert not a[:, :, 1].any()


@pytest.mark.parametrize("shape", [(6, 6), (2, 6, 5), (1, 6, 6), (2, 6, 3)])
def test_cross_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected a cross \(2, 6, 6\), got"):
        reconstruction_matrix(second_moments(activations()), J, 0.0, np.ones(shape))
