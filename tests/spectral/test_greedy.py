import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral.greedy import greedy_path
from mini_exp.spectral.output_weight import output_aware_weight
from tests import oracles
from tests.spectral.problems import (
    BADLY_SCALED,
    SCOPES,
    THETAS,
    WORSE_SCALED,
    greedy,
    layer,
    problems,
    property_test,
    second_moments,
)


@property_test(150)
@given(problem=problems())
@example(problem=(BADLY_SCALED, None, "complement"))
@example(problem=(BADLY_SCALED[::-1, ::-1][1:, 1:], None, "complement"))
def test_picks_what_the_naive_rule_picks(problem):
    sigma, weight, scope = problem
    path, ratio = greedy(sigma, weight, scope)
    naive_path, naive_ratio, clear = oracles.greedy_path(sigma, weight, scope)
    assume(clear)
    assert path.tolist() == naive_path
    assert_allclose(ratio, naive_ratio, atol=1e-9)


@property_test(150)
@given(problem=problems())
@example(problem=(BADLY_SCALED, None, "complement"))
@example(problem=(WORSE_SCALED, None, "complement"))
def test_ratio_is_that_of_the_set(problem):
    sigma, weight, scope = problem
    path, ratio = greedy(sigma, weight, scope)
    assert sorted(path) == list(range(len(sigma)))
    assert (ratio >= 0).all()
    assert (ratio <= 1).all()
    for k in range(len(sigma)):
        expected = oracles.information_ratio(sigma, path[: k + 1].tolist(), weight, scope)
        assert ratio[k] == pytest.approx(expected, abs=1e-9)


@property_test(100)
@given(problem=problems())
def test_does_not_decrease_and_ends_at_1(problem):
    """In the complement scope too: without the unit explained worst the rest is better off."""
    sigma, weight, scope = problem
    _, ratio = greedy(sigma, weight, scope)
    assert (np.diff(ratio) >= -2e-12).all()
    assert ratio[-1] == pytest.approx(1, abs=1e-12)


def test_1_at_full_rank():
    rng = np.random.default_rng(3)
    phi = rng.standard_normal((3, 7))  # rank 3
    _, ratio = greedy_path(phi.T @ phi)
    assert ratio[1] < 0.999
    assert_allclose(ratio[2:], 1, atol=1e-12)


@pytest.mark.parametrize("closeness", [1e-3, 1e-4, 1e-5])
def test_near_duplicates_lose_no_precision(closeness):
    """Two units differ by a part in 10³ … 10⁵; integers, so that Σ is exact."""
    size = round(10 / closeness)
    rng = np.random.default_rng(0)
    phi = rng.integers(-size, size + 1, (20, 4))
    phi[:, 1] = phi[:, 0] + rng.integers(-10, 11, 20)
    phi[:, 3] = rng.integers(-3, 4, 20)
    sigma = phi.T @ phi
    path, ratio = greedy_path(sigma.astype(float))
    for k in range(4):
        j = path[: k + 1].tolist()
        exact = [
            oracles.exact_information_ratio(sigma, [*j[:-1], i])
            for i in range(4)
            if i not in j[:-1]
        ]
        unexplained = float(1 - oracles.exact_information_ratio(sigma, j))
        assert 1 - ratio[k] == pytest.approx(unexplained, rel=1e-6, abs=1e-13)
        # No other unit would have been better. Units that differ by a part in 10⁴ or less from the
        # picked ones rank as if their gain were 0: no more than their own residual can be lost.
        slack = 1e-12 if closeness > 1e-4 else closeness**2
        assert float(max(exact)) <= float(1 - unexplained) + slack


@property_test(50)
@given(problem=problems(), sigma_scale=st.integers(-300, 300), weight_scale=st.integers(-300, 300))
def test_scale_does_not_matter(problem, sigma_scale, weight_scale):
    sigma, weight, scope = problem
    path, ratio = greedy(sigma, weight, scope)
    if weight is not None:
        weight = weight * 2.0**weight_scale
    scaled_path, scaled_ratio = greedy(sigma * 2.0**sigma_scale, weight, scope)
    assert_array_equal(scaled_path, path)
    assert_array_equal(scaled_ratio, ratio)


@property_test(50)
@given(seed=st.integers(0, 10**6), scope=st.sampled_from(SCOPES), theta=st.sampled_from(THETAS))
def test_permuted_units_give_the_permuted_path(seed, scope, theta):
    (sigma,), (next_weight,) = layer(seed, 1)
    weight = None if scope == "complement" else output_aware_weight(next_weight, theta)
    path, ratio = greedy(sigma, weight, scope)
    for k in range(5):
        candidates = oracles.greedy_candidates(sigma, path[:k].tolist(), weight, scope)
        best, second = np.sort(candidates)[[-1, -2]]
        assume(best - second > 1e-9)
    order = np.random.default_rng(seed).permutation(6)
    permuted = sigma[order][:, order]
    permuted_weight = None if weight is None else weight[order][:, order]
    permuted_path, permuted_ratio = greedy(permuted, permuted_weight, scope)
    assert_array_equal(order[permuted_path], path)
    assert_allclose(permuted_ratio, ratio, atol=1e-10)


@property_test(40)
@given(sigmas=st.lists(second_moments(4), min_size=2, max_size=4), scope=st.sampled_from(SCOPES))
def test_stack_is_per_item(sigmas, scope):
    m = min(map(len, sigmas))
    sigma = np.stack([s[:m, :m] for s in sigmas])
    path, ratio = greedy(sigma, scope=scope)
    for r in range(len(sigma)):
        one_path, one_ratio = greedy(sigma[r : r + 1], scope=scope)
        assert_array_equal(path[r], one_path[0])
        assert_allclose(ratio[r], one_ratio[0], rtol=1e-12)


def test_stack_is_per_item_where_little_is_read():
    """In the second item the weight sees only a unit of 1e-13 of the variance."""
    sigma = np.stack([np.eye(2), np.diag([1.0, 1e-13])])
    weight = np.stack([np.eye(2), np.diag([0.0, 1.0])])
    path, ratio = greedy_path(sigma, weight)
    for r in range(2):
        one_path, one_ratio = greedy_path(sigma[r : r + 1], weight[r : r + 1])
        assert_array_equal(path[r], one_path[0])
        assert_array_equal(ratio[r], one_ratio[0])


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("n_picks", [1, 2, 5, 6])
def test_fewer_picks_are_a_prefix(scope, n_picks):
    sigma, _ = layer()
    path, ratio = greedy(sigma, scope=scope)
    fewer_path, fewer_ratio = greedy(sigma, scope=scope, n_picks=n_picks)
    assert_array_equal(fewer_path, path[:, :n_picks])
    assert_array_equal(fewer_ratio, ratio[:, :n_picks])


@pytest.mark.parametrize("scope", SCOPES)
def test_ties_go_to_the_lowest_index(scope):
    path, _ = greedy(np.eye(5), scope=scope)
    assert path.tolist() == [0, 1, 2, 3, 4]
    path, ratio = greedy(np.zeros((3, 3)), scope=scope)
    assert path.tolist() == [0, 1, 2]
    assert_array_equal(ratio, np.ones(3))


def test_ties_up_to_rounding_go_to_the_lowest_index():
    rng = np.random.default_rng(7)
    for _ in range(20):
        phi = rng.standard_normal((30, 5))
        phi[:, 3] = phi[:, 1] = 3 * phi[:, 1]  # equal units, and the largest
        path, ratio = greedy_path(phi.T @ phi / 30)
        assert path[0] == 1
        assert path.tolist().index(3) == 4  # nothing left to gain
        assert_allclose(ratio[3:], 1, atol=1e-12)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_last_digit_breaks_no_tie(scope):
    variance = np.array([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2])
    assert variance[0] < variance[1]
    path, _ = greedy(np.diag(variance), scope=scope)
    assert path.tolist() == [0, 1, 2, 3]


def test_identity_weight_is_the_default():
    sigma, _ = layer()
    for ours, theirs in zip(
        greedy_path(sigma), greedy_path(sigma, np.stack([np.eye(6)] * 3)), strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-13)


def test_weight_decides():
    # Unit 0 varies most, but only unit 1 is read.
    sigma = np.diag([5.0, 1.0])
    assert greedy_path(sigma)[0].tolist() == [0, 1]
    path, ratio = greedy_path(sigma, np.diag([0.0, 2.0]))
    assert path.tolist() == [1, 0]
    assert_array_equal(ratio, [1.0, 1.0])


def test_does_not_change_its_arguments():
    sigma, next_weight = layer()
    weight = output_aware_weight(next_weight, 0.5)
    before = sigma.copy(), weight.copy()
    greedy_path(sigma, weight)
    assert_array_equal(sigma, before[0])
    assert_array_equal(weight, before[1])


@pytest.mark.parametrize("shape", [(1, 3, 4), (3, 4), (3,)])
def test_second_moments_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected second moments \(\.\.\., m, m\), got"):
        greedy_path(np.ones(shape))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (1, 2, 2)])
def test_weight_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected a weight \(1, 3, 3\), got"):
        greedy_path(np.eye(3)[None], np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_second_moments_that_are_not_finite(bad):
    sigma = np.eye(3).copy()
    sigma[1, 1] = bad
    with pytest.raises(DomainError, match="expected finite second moments"):
        greedy_path(sigma)


@pytest.mark.parametrize("n_picks", [0, -1, 4])
def test_number_of_picks_outside_the_domain(n_picks):
    with pytest.raises(DomainError, match=f"expected 1 to 3 picks, got {n_picks}"):
        greedy_path(np.eye(3), n_picks=n_picks)


def test_dead_units_come_last():
    phi = np.random.default_rng(4).integers(-3, 4, (2, 5)).astype(float)  # rank 2
    phi[:, [0, 3]] = 0.0
    path, ratio = greedy_path(phi.T @ phi)
    assert path[3:].tolist() == [0, 3]
    assert_allclose(ratio[1:], 1, atol=1e-12)
