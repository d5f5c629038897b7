from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import DomainError, ShapeError
from mini_exp.spectral.selection import (
    MAX_ENUMERATED_WIDTH,
    exhaustive_optimum,
    greedy_path,
    index_set_losses,
    output_aware_weight,
    scaled_output_matrix,
)
from tests import oracles

SCOPES = ["full", "complement"]
THETAS = [0.0, 0.3, 0.5, 1.0]


def property_test(max_examples):
    return settings(deadline=None, max_examples=max_examples, derandomize=True)


@st.composite
def second_moments(draw, max_m=8):
    """Of small integers, so that ranks are exact; duplicates, dead units and bad scales."""
    m, n = draw(st.integers(1, max_m)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**9)))
    phi = rng.integers(-3, 4, (n, m)).astype(float)
    if draw(st.booleans()) and m > 1:
        phi[:, rng.integers(m)] = phi[:, rng.integers(m)]
    if draw(st.booleans()):
        phi[:, rng.integers(m)] = 0.0
    if draw(st.booleans()):
        phi *= 10.0 ** rng.choice([0, 0, 0, -2, 2, -7], m)
    return phi.T @ phi


@st.composite
def problems(draw, max_m=8):
    sigma = draw(second_moments(max_m))
    z, _ = scaled_output_matrix(
        np.random.default_rng(draw(st.integers(0, 10**9))).standard_normal(
            (1, draw(st.integers(1, 4)), len(sigma))
        )
    )
    scope, theta = draw(st.sampled_from(SCOPES)), draw(st.sampled_from(THETAS))
    weight = theta * np.eye(len(sigma)) + (1 - theta) * z[0].T @ z[0] if scope == "full" else None
    if weight is not None:  # else tr(MΣ) is a small difference of large numbers
        assume(np.trace(weight @ sigma) >= 1e-2 * np.trace(weight) * np.trace(sigma) / len(sigma))
    return sigma, weight, scope


def layer(seed=0, n_replicates=3, m=6, n_out=4, n=20):
    rng = np.random.default_rng(seed)
    phi = np.maximum(rng.standard_normal((n_replicates, n, m)) + 0.3, 0)
    sigma = phi.swapaxes(1, 2) @ phi / n
    next_weight = rng.standard_normal((n_replicates, n_out, m))
    return sigma, next_weight


def stacked(weight):
    return None if weight is None else weight[None]


# Unit 0 is all that is left once unit 1 is picked: a difference of large numbers would hide it.
BADLY_SCALED = np.array([[1.2e-3, 15.0, 0.0], [15.0, 2.1e5, 0.0], [0.0, 0.0, 0.0]])
WORSE_SCALED = np.array([[4.8e-13, 2.4e-8], [2.4e-8, 3.8e-3]])


# The weight


@pytest.mark.parametrize("factor", [1e-100, 1e-3, 1.0, 1e3, 1e100])
def test_scaled_output_has_trace_m(factor):
    _, next_weight = layer()
    z, scale = scaled_output_matrix(factor * next_weight)
    for r in range(3):
        assert_allclose(z[r], oracles.scaled_output(next_weight[r]), rtol=1e-12)
        assert np.trace(z[r].T @ z[r]) == pytest.approx(6, rel=1e-12)
        assert_allclose(np.sqrt(scale[r]) * factor * next_weight[r], z[r], rtol=1e-12)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_scaled_output_does_not_overflow(factor):
    _, next_weight = layer()
    z, scale = scaled_output_matrix(factor * next_weight)
    for r in range(3):
        assert_allclose(z[r], oracles.scaled_output(next_weight[r]), rtol=1e-12)
    assert not np.isnan(scale).any()


def test_zero_weights_stay_zero():
    _, next_weight = layer()
    next_weight[1] = 0.0
    z, scale = scaled_output_matrix(next_weight)
    assert_array_equal(z[1], np.zeros((4, 6)))
    assert scale[1] == 0.0
    assert (scale[[0, 2]] > 0).all()


@pytest.mark.parametrize("theta", THETAS)
def test_output_aware_weight(theta):
    _, next_weight = layer()
    weight = output_aware_weight(next_weight, theta)
    for r in range(3):
        w = next_weight[r]
        for i in range(6):
            for j in range(6):
                expected = (1 - theta) * sum(w[k, i] * w[k, j] for k in range(4))
                assert weight[r, i, j] == pytest.approx(expected + theta * (i == j), abs=1e-14)


@pytest.mark.parametrize("theta", [-0.01, 1.01, np.nan])
def test_theta_outside_the_domain(theta):
    with pytest.raises(DomainError, match=r"expected θ in \[0, 1\], got"):
        output_aware_weight(np.ones((1, 2, 3)), theta)


# The greedy path


@property_test(150)
@given(problem=problems())
@example(problem=(BADLY_SCALED, None, "complement"))
@example(problem=(BADLY_SCALED[::-1, ::-1][1:, 1:], None, "complement"))
def test_picks_what_the_naive_rule_picks(problem):
    sigma, weight, scope = problem
    path, ratio = greedy_path(sigma[None], stacked(weight), scope)
    naive_path, naive_ratio, clear = oracles.greedy_path(sigma, weight, scope)
    assume(clear)
    assert path[0].tolist() == naive_path
    assert_allclose(ratio[0], naive_ratio, atol=1e-9)


@property_test(150)
@given(problem=problems())
@example(problem=(BADLY_SCALED, None, "complement"))
@example(problem=(WORSE_SCALED, None, "complement"))
def test_ratio_is_that_of_the_set(problem):
    sigma, weight, scope = problem
    path, ratio = greedy_path(sigma[None], stacked(weight), scope)
    assert sorted(path[0]) == list(range(len(sigma)))
    assert (ratio >= 0).all()
    assert (ratio <= 1).all()
    for k in range(len(sigma)):
        expected = oracles.information_ratio(sigma, path[0, : k + 1].tolist(), weight, scope)
        assert ratio[0, k] == pytest.approx(expected, abs=1e-9)


@property_test(100)
@given(problem=problems())
def test_does_not_decrease_and_ends_at_1(problem):
    """In the complement scope too: without the unit explained worst the rest is better off."""
    sigma, weight, scope = problem
    _, ratio = greedy_path(sigma[None], stacked(weight), scope)
    assert (np.diff(ratio[0]) >= -2e-12).all()
    assert ratio[0, -1] == pytest.approx(1, abs=1e-12)


def test_1_at_full_rank():
    rng = np.random.default_rng(3)
    phi = rng.standard_normal((3, 7))  # rank 3
    _, ratio = greedy_path((phi.T @ phi)[None])
    assert ratio[0, 1] < 0.999
    assert_allclose(ratio[0, 2:], 1, atol=1e-12)


@pytest.mark.parametrize("closeness", [1e-3, 1e-4, 1e-5])
def test_near_duplicates_lose_no_precision(closeness):
    """Two units differ by a part in 10³ … 10⁵; integers, so that Σ is exact."""
    size = round(10 / closeness)
    rng = np.random.default_rng(0)
    phi = rng.integers(-size, size + 1, (20, 4))
    phi[:, 1] = phi[:, 0] + rng.integers(-10, 11, 20)
    phi[:, 3] = rng.integers(-3, 4, 20)
    sigma = phi.T @ phi
    path, ratio = greedy_path(sigma[None].astype(float))
    for k in range(4):
        j = path[0, : k + 1].tolist()
        exact = [
            oracles.exact_information_ratio(sigma, [*j[:-1], i])
            for i in range(4)
            if i not in j[:-1]
        ]
        unexplained = float(1 - oracles.exact_information_ratio(sigma, j))
        assert 1 - ratio[0, k] == pytest.approx(unexplained, rel=1e-6, abs=1e-13)
        # No other unit would have been better. Units that differ by a part in 10⁴ or less from the
        # picked ones rank as if their gain were 0: no more than their own residual can be lost.
        slack = 1e-12 if closeness > 1e-4 else closeness**2
        assert float(max(exact)) <= float(1 - unexplained) + slack


@property_test(50)
@given(problem=problems(), sigma_scale=st.integers(-300, 300), weight_scale=st.integers(-300, 300))
def test_scale_does_not_matter(problem, sigma_scale, weight_scale):
    sigma, weight, scope = problem
    path, ratio = greedy_path(sigma[None], stacked(weight), scope)
    if weight is not None:
        weight = weight * 2.0**weight_scale
    scaled_path, scaled_ratio = greedy_path(sigma[None] * 2.0**sigma_scale, stacked(weight), scope)
    assert_array_equal(scaled_path, path)
    assert_array_equal(scaled_ratio, ratio)


@property_test(50)
@given(seed=st.integers(0, 10**6), scope=st.sampled_from(SCOPES), theta=st.sampled_from(THETAS))
def test_permuted_units_give_the_permuted_path(seed, scope, theta):
    sigma, next_weight = layer(seed, 1)
    weight = None if scope == "complement" else output_aware_weight(next_weight, theta)
    one = None if weight is None else weight[0]
    path, ratio = greedy_path(sigma, weight, scope)
    for k in range(5):
        candidates = oracles.greedy_candidates(sigma[0], path[0, :k].tolist(), one, scope)
        best, second = np.sort(candidates)[[-1, -2]]
        assume(best - second > 1e-9)
    order = np.random.default_rng(seed).permutation(6)
    permuted = sigma[:, order][:, :, order]
    permuted_weight = None if weight is None else weight[:, order][:, :, order]
    permuted_path, permuted_ratio = greedy_path(permuted, permuted_weight, scope)
    assert_array_equal(order[permuted_path], path)
    assert_allclose(permuted_ratio, ratio, atol=1e-10)


@property_test(40)
@given(sigmas=st.lists(second_moments(4), min_size=2, max_size=4), scope=st.sampled_from(SCOPES))
def test_stack_is_per_item(sigmas, scope):
    m = min(map(len, sigmas))
    sigma = np.stack([s[:m, :m] for s in sigmas])
    path, ratio = greedy_path(sigma, scope=scope)
    for r in range(len(sigma)):
        one_path, one_ratio = greedy_path(sigma[r : r + 1], scope=scope)
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
    path, ratio = greedy_path(sigma, scope=scope)
    fewer_path, fewer_ratio = greedy_path(sigma, scope=scope, n_picks=n_picks)
    assert_array_equal(fewer_path, path[:, :n_picks])
    assert_array_equal(fewer_ratio, ratio[:, :n_picks])


@pytest.mark.parametrize("scope", SCOPES)
def test_ties_go_to_the_lowest_index(scope):
    path, _ = greedy_path(np.eye(5)[None], scope=scope)
    assert path[0].tolist() == [0, 1, 2, 3, 4]
    path, ratio = greedy_path(np.zeros((1, 3, 3)), scope=scope)
    assert path[0].tolist() == [0, 1, 2]
    assert_array_equal(ratio, np.ones((1, 3)))


def test_ties_up_to_rounding_go_to_the_lowest_index():
    rng = np.random.default_rng(7)
    for _ in range(20):
        phi = rng.standard_normal((30, 5))
        phi[:, 3] = phi[:, 1] = 3 * phi[:, 1]  # equal units, and the largest
        path, ratio = greedy_path((phi.T @ phi / 30)[None])
        assert path[0, 0] == 1
        assert path[0].tolist().index(3) == 4  # nothing left to gain
        assert_allclose(ratio[0, 3:], 1, atol=1e-12)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_last_digit_breaks_no_tie(scope):
    variance = np.array([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2])
    assert variance[0] < variance[1]
    path, _ = greedy_path(np.diag(variance)[None], scope=scope)
    assert path[0].tolist() == [0, 1, 2, 3]


def test_identity_weight_is_the_default():
    sigma, _ = layer()
    for ours, theirs in zip(
        greedy_path(sigma), greedy_path(sigma, np.stack([np.eye(6)] * 3)), strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-13)


def test_weight_decides():
    # Unit 0 varies most, but only unit 1 is read.
    sigma = np.diag([5.0, 1.0])[None]
    assert greedy_path(sigma)[0][0].tolist() == [0, 1]
    path, ratio = greedy_path(sigma, np.diag([0.0, 2.0])[None])
    assert path[0].tolist() == [1, 0]
    assert_array_equal(ratio[0], [1.0, 1.0])


def test_does_not_change_its_arguments():
    sigma, next_weight = layer()
    weight = output_aware_weight(next_weight, 0.5)
    before = sigma.copy(), weight.copy()
    greedy_path(sigma, weight)
    assert_array_equal(sigma, before[0])
    assert_array_equal(weight, before[1])


@pytest.mark.parametrize("shape", [(3, 3), (1, 3, 4), (3,)])
def test_second_moments_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected second moments \(R, m, m\), got"):
        greedy_path(np.ones(shape))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (1, 2, 2)])
def test_weight_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected a weight \(1, 3, 3\), got"):
        greedy_path(np.eye(3)[None], np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_second_moments_that_are_not_finite(bad):
    sigma = np.eye(3)[None].copy()
    sigma[0, 1, 1] = bad
    with pytest.raises(DomainError, match="expected finite second moments"):
        greedy_path(sigma)


def test_complement_scope_takes_no_weight():
    with pytest.raises(DomainError, match="complement scope has unit weight only"):
        greedy_path(np.eye(3)[None], np.eye(3)[None], "complement")


@pytest.mark.parametrize("n_picks", [0, -1, 4])
def test_number_of_picks_outside_the_domain(n_picks):
    with pytest.raises(DomainError, match=f"expected 1 to 3 picks, got {n_picks}"):
        greedy_path(np.eye(3)[None], n_picks=n_picks)


# The losses


@pytest.mark.parametrize("all_units", [True, False])
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("rank_deficient", [True, False])
def test_losses_match_both_definitions_of_f(all_units, theta, rank_deficient):
    sigma, next_weight = layer(1, n=4 if rank_deficient else 20)
    z, scale = scaled_output_matrix(next_weight)
    path, _ = greedy_path(sigma)
    losses = index_set_losses(sigma, z, scale, path, theta)
    for r in range(3):
        for k in range(6):
            j = path[r, : k + 1].tolist()
            a, b, both = oracles.index_set_losses(sigma[r], z[r], j, theta, all_units)
            _, b_raw, both_raw = oracles.index_set_losses(
                sigma[r], next_weight[r], j, theta, all_units
            )
            found = [losses[name][r, k] for name in ("A", "B", "theta", "B_raw", "theta_raw")]
            assert_allclose(found, [a, b, both, b_raw, both_raw], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("theta", THETAS)
def test_raw_information(theta):
    sigma, next_weight = layer(2)
    z, scale = scaled_output_matrix(next_weight)
    path, _ = greedy_path(sigma)
    raw = index_set_losses(sigma, z, scale, path, theta)["information_raw"]
    for r in range(3):
        weight = theta * np.eye(6) + (1 - theta) * next_weight[r].T @ next_weight[r]
        for k in range(6):
            j = path[r, : k + 1].tolist()
            expected = oracles.information_ratio(sigma[r], j, weight)
            assert raw[r, k] == pytest.approx(expected, abs=1e-10)


def test_raw_information_of_theta_1_is_the_path_s():
    sigma, next_weight = layer(3)
    path, ratio = greedy_path(sigma)
    losses = index_set_losses(sigma, *scaled_output_matrix(next_weight), path, 1.0)
    assert_allclose(losses["information_raw"], ratio, atol=1e-12)
    assert_array_equal(losses["theta"], losses["A"])


@property_test(40)
@given(sigma=second_moments(6), seed=st.integers(0, 10**6))
def test_losses_of_singular_and_badly_scaled_units(sigma, seed):
    m = len(sigma)
    next_weight = np.random.default_rng(seed).standard_normal((1, 3, m))
    path = np.random.default_rng(seed + 1).permutation(m)[None]
    z, scale = scaled_output_matrix(next_weight)
    losses = index_set_losses(sigma[None], z, scale, path, 0.5)
    size = np.trace(sigma) or 1.0
    for k in range(m):
        left = oracles.residual(sigma, path[0, : k + 1].tolist())
        a = np.linalg.norm(left, 2)
        b = np.linalg.norm(z[0] @ left @ z[0].T, 2)
        assert losses["A"][0, k] == pytest.approx(a, abs=1e-9 * size)
        assert losses["B"][0, k] == pytest.approx(b, abs=1e-9 * size * m)
    assert (np.diff(losses["A"][0]) <= 1e-9 * size).all()


def test_losses_of_a_stack_are_per_item():
    sigma, next_weight = layer(4)
    sigma[1] *= 1e-14
    next_weight[2] *= 1e-3
    z, scale = scaled_output_matrix(next_weight)
    path, _ = greedy_path(sigma)
    stack = index_set_losses(sigma, z, scale, path, 0.5)
    for r in range(3):
        one = slice(r, r + 1)
        alone = index_set_losses(sigma[one], z[one], scale[one], path[one], 0.5)
        for name, column in alone.items():
            assert_allclose(stack[name][r], column[0], rtol=1e-9, atol=1e-9 * sigma[r].max())


def test_losses_of_zero_weights():
    sigma, next_weight = layer(5)
    z, scale = scaled_output_matrix(0 * next_weight)
    path, _ = greedy_path(sigma)
    losses = index_set_losses(sigma, z, scale, path, 0.0)
    for name in ("B", "B_raw", "theta"):
        assert_array_equal(losses[name], np.zeros((3, 6)))
    assert_array_equal(losses["information_raw"], np.ones((3, 6)))


# The exhaustive search


@property_test(25)
@given(
    sigma=second_moments(6),
    seed=st.integers(0, 10**6),
    scope=st.sampled_from(SCOPES),
    theta=st.sampled_from(THETAS),
)
@example(sigma=BADLY_SCALED, seed=0, scope="complement", theta=1.0)
@example(sigma=WORSE_SCALED, seed=0, scope="complement", theta=1.0)
def test_exhaustive_search_matches_all_combinations(sigma, seed, scope, theta):
    m = len(sigma)
    z, _ = scaled_output_matrix(np.random.default_rng(seed).standard_normal((1, 3, m)))
    best = exhaustive_optimum(sigma, z[0], theta, scope)
    naive = {"information": [], "A": [], "B": [], "theta": []}
    weight = theta * np.eye(m) + (1 - theta) * z[0].T @ z[0] if scope == "full" else None
    for size in range(1, m + 1):
        left = {j: oracles.residual(sigma, j) for j in combinations(range(m), size)}
        a = {j: np.linalg.norm(e, 2) for j, e in left.items()}
        b = {j: np.linalg.norm(z[0] @ e @ z[0].T, 2) for j, e in left.items()}
        naive["information"].append(
            max(oracles.information_ratio(sigma, j, weight, scope) for j in left)
        )
        naive["A"].append(min(a.values()))
        naive["B"].append(min(b.values()))
        naive["theta"].append(min(theta * a[j] + (1 - theta) * b[j] for j in left))
    assert_allclose(best["information"], naive["information"], atol=1e-9)
    scale = np.trace(sigma) or 1.0
    for name in ("A", "B", "theta"):
        assert best[name].shape == (m,)
        assert_allclose(best[name], naive[name], atol=1e-9 * scale * m)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("theta", [0.0, 0.5, 1.0])
def test_exhaustive_search_of_a_relu_layer(scope, theta):
    sigma, next_weight = layer(6, 1, m=7)
    z, _ = scaled_output_matrix(next_weight)
    best = exhaustive_optimum(sigma[0], z[0], theta, scope)
    naive = oracles.exhaustive_optimum(sigma[0], z[0], theta, scope)
    for name, expected in naive.items():
        assert_allclose(best[name], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scope", SCOPES)
def test_many_blocks_are_searched(scope):
    """C(12, 6) = 924 sets of one size are several blocks."""
    sigma, next_weight = layer(7, 1, m=12, n=8)
    z, _ = scaled_output_matrix(next_weight)
    best = exhaustive_optimum(sigma[0], z[0], 0.5, scope)
    sets = list(combinations(range(12), 6))
    losses = [np.linalg.norm(oracles.residual(sigma[0], j), 2) for j in sets]
    assert best["A"][5] == pytest.approx(min(losses), rel=1e-8)


@property_test(60)
@given(problem=problems(7), seed=st.integers(0, 10**6))
def test_greedy_never_beats_exhaustive(problem, seed):
    sigma, _, scope = problem
    m = len(sigma)
    z, scale = scaled_output_matrix(np.random.default_rng(seed).standard_normal((1, 3, m)))
    weight = output_aware_weight(z, 0.5) if scope == "full" else None
    path, ratio = greedy_path(sigma[None], weight, scope)
    losses = index_set_losses(sigma[None], z, scale, path, 0.5)
    best = exhaustive_optimum(sigma, z[0], 0.5, scope)
    assert (ratio[0] <= best["information"] + 1e-9).all()
    size = np.trace(sigma) * m
    for name in ("A", "B", "theta"):
        assert (losses[name][0] >= best[name] - 1e-9 * size).all()


def test_greedy_is_not_always_optimal():
    phi = np.array([[0.0, 0.0, 1.0, 2.0], [-2.0, 2.0, 0.0, -1.0], [1.0, 0.0, -1.0, -1.0]])
    sigma = phi.T @ phi
    _, ratio = greedy_path(sigma[None])
    best = exhaustive_optimum(sigma, np.eye(4), 1.0, "full")
    assert_allclose(ratio[0, :2], [9 / 17, 16 / 17], rtol=1e-12)
    assert best["information"][1] > ratio[0, 1] + 0.02


def test_exhaustive_search_of_one_unit():
    best = exhaustive_optimum(np.array([[2.0]]), np.array([[3.0]]), 0.5, "full")
    assert_array_equal(best["information"], [1.0])
    for name in ("A", "B", "theta"):
        assert_allclose(best[name], [0.0], atol=1e-14)


def test_too_wide_to_enumerate():
    m = MAX_ENUMERATED_WIDTH + 1
    with pytest.raises(DomainError, match="expected m ≤ 16, got 17"):
        exhaustive_optimum(np.eye(m), np.eye(m), 0.5, "full")
