import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError
from mini_exp.tasks.mini.data import DIMENSION, THRESHOLD, mini_dataset, mini_sample

PROPERTY = settings(deadline=None, max_examples=20, derandomize=True)


class FixedNumbers:
    """Stands for a generator that gives these numbers."""

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers, dtype=float)

    def standard_normal(self, shape):
        assert shape == self.numbers.shape
        return self.numbers


def rng(seed=0):
    return np.random.default_rng(seed)


@PROPERTY
@given(
    seed=st.integers(0, 10**6),
    epsilon=st.sampled_from([0.0, 0.1, 3.0]),
    labels=st.sampled_from(["thesis", "swapped"]),
)
def test_formula_row_by_row(seed, epsilon, labels):
    x, y = mini_sample(rng(seed), 40, epsilon, labels)
    normal = rng(seed).standard_normal((40, 31))
    for row in range(40):
        t = np.array([normal[row, i] + np.sqrt(epsilon) * normal[row, 30] for i in range(30)])
        expected = np.exp(t) if np.sqrt((t**2).sum()) < 1 else np.log(np.abs(t))
        assert_allclose(x[row], expected, rtol=1e-13, atol=1e-15)
        mean = sum(x[row]) / 30
        one = mean >= -0.6 if labels == "thesis" else not mean > -0.6
        assert y[row] == float(one)


def test_shapes_and_types():
    x, y = mini_sample(rng(), 7)
    assert x.shape == (7, DIMENSION) == (7, 30)
    assert y.shape == (7,)
    assert x.dtype == y.dtype == np.float64
    assert set(mini_sample(rng(), 500)[1]) == {0.0, 1.0}


def test_inside_the_unit_ball_x_is_exp():
    normal = np.full((2, 31), 0.1)
    normal[1] = 0.3  # ‖T‖ = 0.3 √30 > 1
    x, _ = mini_sample(FixedNumbers(normal), 2, epsilon=0.0)
    assert_allclose(x[0], np.full(30, np.exp(0.1)))
    assert_allclose(x[1], np.full(30, np.log(0.3)))


def test_inside_the_unit_ball_the_sign_counts():
    x, _ = mini_sample(FixedNumbers(np.full((1, 31), -0.1)), 1, epsilon=0.0)
    assert_allclose(x[0], np.full(30, np.exp(-0.1)))


def test_outside_the_unit_ball_the_sign_does_not_count():
    normal = rng(1).standard_normal((5, 31))
    for ours, theirs in zip(
        mini_sample(FixedNumbers(normal), 5, 0.0),
        mini_sample(FixedNumbers(-normal), 5, 0.0),
        strict=True,
    ):
        assert_array_equal(ours, theirs)


def test_the_unit_ball_is_practically_never_hit():
    """The claim behind leaving out an option: a χ² of 30 degrees of freedom below 1."""
    assert scipy.stats.chi2.cdf(1, 30) < 1e-16
    # ε > 0 makes it rarer: the covariance only grows.
    t = rng(2).standard_normal((20_000, 30))
    assert ((t**2).sum(axis=1) > 1).all()


def test_second_moments_of_t():
    """|T| = eˣ: with ε = 1, E T² = 2 and cov(Tᵢ², Tⱼ²) = 2ε² = 2, if T ~ N(0, I + ε 11ᵀ)."""
    x, _ = mini_sample(rng(3), 40_000, epsilon=1.0)
    squares = np.exp(2 * x)
    assert squares.mean() == pytest.approx(2, abs=0.06)
    covariance = np.cov(squares.T)
    off_diagonal = covariance[~np.eye(30, dtype=bool)]
    assert off_diagonal.mean() == pytest.approx(2, abs=0.3)
    assert covariance.diagonal().mean() == pytest.approx(8, rel=0.1)  # 2 (1 + ε)²


def test_coordinates_are_independent_without_epsilon():
    x, _ = mini_sample(rng(4), 40_000, epsilon=0.0)
    correlation = np.corrcoef(x.T)
    assert np.abs(correlation[~np.eye(30, dtype=bool)]).max() < 0.03
    assert x.mean() == pytest.approx(-(np.euler_gamma + np.log(2)) / 2, abs=0.01)  # E log|T|


def test_labels_are_those_of_the_thesis():
    x, y = mini_sample(rng(5), 2000)
    assert_array_equal(y, (x.mean(axis=1) >= THRESHOLD).astype(float))
    assert THRESHOLD == -0.6


def test_swapped_labels_are_the_other_way_round():
    x, y = mini_sample(rng(5), 2000)
    swapped_x, swapped = mini_sample(rng(5), 2000, labels="swapped")
    assert_array_equal(swapped_x, x)
    assert (np.abs(x.mean(axis=1) - THRESHOLD) > 1e-9).all()
    assert_array_equal(swapped, 1 - y)


@pytest.mark.parametrize("labels", ["thesis", "swapped"])
def test_at_the_threshold_both_conventions_say_1(monkeypatch, labels):
    x, _ = mini_sample(rng(5), 3)
    monkeypatch.setattr("mini_exp.tasks.mini.data.THRESHOLD", x.mean(axis=1)[1])
    assert mini_sample(rng(5), 3, labels=labels)[1][1] == 1


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_neither_class_is_rare(epsilon):
    _, y = mini_sample(rng(6), 20_000, epsilon)
    assert 0.2 < y.mean() < 0.8


@PROPERTY
@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), more=st.integers(1, 30))
def test_fewer_draws_are_a_prefix(seed, n, more):
    x, y = mini_sample(rng(seed), n)
    longer_x, longer_y = mini_sample(rng(seed), n + more)
    assert_array_equal(longer_x[:n], x)
    assert_array_equal(longer_y[:n], y)


def test_training_set_comes_first():
    data = mini_dataset([rng(7)], 100, 99)
    x, y = mini_sample(rng(7), 200)
    assert_array_equal(data["train"][0][0], x[:100])
    assert_array_equal(data["train"][1][0], y[:100])
    # The published test set: draws 101 to 199 of 200, counted from 1.
    assert_array_equal(data["test"][0][0], x[100:199])
    assert_array_equal(data["test"][1][0], y[100:199])
    assert data["test"][0].shape == (1, 99, 30)


def test_a_larger_test_set_leaves_the_training_set():
    few, many = (mini_dataset([rng(8)], 20, n_test) for n_test in (5, 50))
    assert_array_equal(few["train"][0], many["train"][0])
    assert_array_equal(few["test"][0], many["test"][0][:, :5])


def test_stack_is_per_item():
    stack = mini_dataset([rng(seed) for seed in range(4)], 6, 3, 0.5, "swapped")
    assert stack["train"][0].shape == (4, 6, 30)
    for r in range(4):
        alone = mini_dataset([rng(r)], 6, 3, 0.5, "swapped")
        for split, (x, y) in alone.items():
            assert_array_equal(stack[split][0][r], x[0])
            assert_array_equal(stack[split][1][r], y[0])


@pytest.mark.parametrize("n", [0, -3])
def test_no_draw(n):
    with pytest.raises(DomainError, match=f"expected n ≥ 1, got {n}"):
        mini_sample(rng(), n)


@pytest.mark.parametrize("epsilon", [-0.1, np.nan, np.inf])
def test_epsilon_outside_the_domain(epsilon):
    with pytest.raises(DomainError, match="expected a finite ε ≥ 0, got"):
        mini_sample(rng(), 3, epsilon)


@pytest.mark.parametrize(("n_train", "n_test"), [(0, 5), (5, 0), (-2, 5)])
def test_dataset_without_draws(n_train, n_test):
    with pytest.raises(DomainError, match="expected"):
        mini_dataset([rng()], n_train, n_test)
