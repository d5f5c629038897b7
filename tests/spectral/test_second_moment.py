import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral.second_moment import gram_spectrum, second_moment, spectrum
from tests import oracles

PROPERTY = settings(deadline=None, max_examples=40, derandomize=True)


def outputs(seed=0, shape=(3, 17, 4)):
    return np.random.default_rng(seed).standard_normal(shape)


def test_matches_the_explicit_loops_per_replicate():
    phi = outputs()
    sigma, n_samples = second_moment([phi])
    assert n_samples == 17
    assert sigma.shape == (3, 4, 4)
    for r in range(3):
        assert_allclose(sigma[r], oracles.second_moment(phi[r]), rtol=1e-13, atol=1e-15)


def test_is_not_centred():
    sigma, _ = second_moment([np.full((1, 5, 2), 3.0)])
    assert_array_equal(sigma, np.full((1, 2, 2), 9.0))


def test_is_symmetric_to_the_last_bit():
    sigma, _ = second_moment([outputs(1, (2, 1001, 13)), outputs(2, (2, 999, 13))])
    assert_array_equal(sigma, sigma.swapaxes(1, 2))


def test_sum_is_n_times_mean():
    phi = outputs()
    mean, _ = second_moment([phi], "mean")
    total, _ = second_moment([phi], "sum")
    assert_allclose(total, 17 * mean, rtol=1e-15)


def test_mean_is_the_default():
    assert_array_equal(second_moment([outputs()])[0], second_moment([outputs()], "mean")[0])


@PROPERTY
@given(
    phi=arrays(
        np.float64,
        st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    cuts=st.lists(st.integers(0, 12), max_size=4),
)
def test_chunking_does_not_matter(phi, cuts):
    whole, n_whole = second_moment([phi])
    parts, n_parts = second_moment(iter(np.split(phi, sorted(c % len(phi[0]) for c in cuts), 1)))
    assert n_whole == n_parts == phi.shape[1]
    assert_allclose(parts, whole, rtol=1e-12, atol=1e-12 * np.abs(phi).max() ** 2)


@PROPERTY
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), m=st.integers(1, 6))
def test_stack_is_per_item(seed, n, m):
    phi = outputs(seed, (4, n, m))
    stack, _ = second_moment([phi])
    for r in range(4):
        assert_allclose(stack[r], second_moment([phi[r : r + 1]])[0][0], rtol=1e-13, atol=1e-15)


def test_accumulates_in_double_precision():
    # 1 + 1e-8 rounds to 1 in single precision.
    batch = np.array([[[1.0]], [[1e-4]]], dtype=np.float32).reshape(1, 2, 1)
    sigma, _ = second_moment([batch], "sum")
    assert sigma.dtype == np.float64
    assert sigma[0, 0, 0] == 1.0 + float(np.float32(1e-4)) ** 2


def test_many_small_batches():
    phi = outputs(5, (1, 500, 3))
    one_by_one, n = second_moment(phi[:, i : i + 1] for i in range(500))
    assert n == 500
    assert_allclose(one_by_one, second_moment([phi])[0], rtol=1e-12)


@pytest.mark.parametrize("shape", [(3,), ()])
def test_batch_without_two_axes(shape):
    with pytest.raises(ShapeError, match=r"expected a batch \(\.\.\., n, m\), got"):
        second_moment([np.ones(shape)])


@pytest.mark.parametrize("shape", [(2, 5, 4), (3, 5, 3), (3, 5), (3, 4)])
def test_batch_unlike_the_first(shape):
    with pytest.raises(ShapeError, match=r"expected a batch \(3, n, 4\), got \("):
        second_moment([np.ones((3, 5, 4)), np.ones(shape)])


@pytest.mark.parametrize("batches", [[], [np.ones((2, 0, 3))], [np.ones((2, 0, 3))] * 2])
def test_no_sample(batches):
    with pytest.raises(DomainError, match="expected at least one sample, got none"):
        second_moment(batches)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 64, 33)])
def test_outputs_that_have_no_finite_square(bad, shape):
    phi = np.ones(shape)
    phi[-1, 0, 0] = bad
    with pytest.raises(DomainError, match="expected finite outputs whose squares do not overflow"):
        second_moment([phi])


def test_infinities_of_both_signs():
    phi = np.array([[[np.inf, -np.inf], [np.inf, np.inf], [0.0, 1.0]]])
    with pytest.raises(DomainError, match="expected finite outputs whose squares do not overflow"):
        second_moment([phi])


def test_spectrum_decomposes_sigma():
    sigma, _ = second_moment([outputs(3, (4, 9, 6))])
    values, vectors = spectrum(sigma)
    assert (np.diff(values, axis=1) <= 0).all()
    assert_allclose(
        np.einsum("rik,rk,rjk->rij", vectors, values, vectors), sigma, atol=1e-14, rtol=1e-13
    )
    assert_allclose(vectors.swapaxes(1, 2) @ vectors, np.stack([np.eye(6)] * 4), atol=1e-13)


def test_spectrum_of_a_rank_deficient_sigma():
    sigma, _ = second_moment([outputs(4, (1, 3, 8))])
    values, _ = spectrum(sigma)
    assert (values[0, :3] > 1e-3).all()
    assert (np.abs(values[0, 3:]) < 1e-14 * values[0, 0]).all()


def test_largest_component_of_an_eigenvector_is_positive():
    sigma, _ = second_moment([outputs(6, (20, 9, 5))])
    _, vectors = spectrum(sigma)
    for r in range(20):
        for column in vectors[r].T:
            assert column[np.abs(column).argmax()] > 0


def test_spectrum_can_be_written_to():
    values, _ = spectrum(np.eye(3)[None])
    assert values.flags.writeable
    assert values.flags.c_contiguous


# The spectrum by way of the samples


@PROPERTY
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 6),
    widths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    scale=st.sampled_from(["mean", "sum"]),
)
def test_gram_spectrum_has_the_same_positive_eigenvalues(seed, n, widths, scale):
    blocks = [outputs(seed + i, (2, n, width)) for i, width in enumerate(widths)]
    found = gram_spectrum(blocks, scale)
    expected, _ = spectrum(second_moment([np.concatenate(blocks, axis=2)], scale)[0])
    assert found.shape == (2, n)
    assert (np.diff(found, axis=1) <= 0).all()
    common = min(n, sum(widths))
    assert_allclose(found[:, :common], expected[:, :common], rtol=1e-9, atol=1e-13)
    assert_allclose(found[:, common:], 0, atol=1e-13)
    assert_allclose(expected[:, common:], 0, atol=1e-13)


@pytest.mark.parametrize("shape", [(2, 4, 3), (1, 5, 3), (5,), (2, 5)])
def test_gram_spectrum_of_blocks_that_do_not_fit(shape):
    with pytest.raises(ShapeError, match="second moment: expected a batch"):
        gram_spectrum([np.ones((2, 5, 3)), np.ones(shape)])


def test_gram_spectrum_of_nothing():
    with pytest.raises(DomainError, match="expected at least one sample, got none"):
        gram_spectrum([])
