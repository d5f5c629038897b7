"""W₁ against sorted samples, a linear program and POT."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from mini_exp.diagnostics.instruments.transport import (
    ring_of_gaussians,
    sampling_floor,
    wasserstein,
)
from mini_exp.errors import ShapeError


def samples(n=6, d=2, seed=0):
    return np.random.default_rng(seed).normal(size=(2, n, d))


def test_it_is_the_best_of_all_permutations():
    x, y = samples()
    expected = min(
        np.linalg.norm(x - y[list(order)], axis=1).mean() for order in permutations(range(6))
    )
    assert wasserstein(x, y) == pytest.approx(expected, abs=1e-12)


def test_it_is_the_optimum_over_all_plans():
    x, y = samples(seed=1)
    cost = np.linalg.norm(x[:, None] - y, axis=2)
    marginals = np.vstack([np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))])
    plan = linprog(cost.ravel(), A_eq=marginals, b_eq=np.full(12, 1 / 6))
    assert wasserstein(x, y) == pytest.approx(plan.fun, abs=1e-9)


def test_on_the_line_it_is_scipy_s():
    x, y = samples(200, 1, 2)
    assert wasserstein(x, y) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), abs=1e-12)


def test_in_the_plane_it_is_that_of_pot():
    ot = pytest.importorskip("ot", reason="POT is an oracle, no dependency")
    x, y = samples(100, 2, 3)
    expected = ot.emd2([], [], ot.dist(x, y, metric="euclidean"))
    assert wasserstein(x, y) == pytest.approx(expected, abs=1e-10)


def test_a_moved_sample_is_as_far_as_it_was_moved():
    x, _ = samples(50)
    assert wasserstein(x, x[::-1] + np.array([3.0, 4.0])) == pytest.approx(5, abs=1e-12)


def test_the_floor_falls_with_the_size_of_the_samples():
    floors = [
        sampling_floor(lambda rng, n=n: ring_of_gaussians(rng, n), np.random.default_rng(0), 5)
        for n in (50, 400)
    ]
    assert 0 < floors[1].mean() < 0.7 * floors[0].mean()


def test_a_ring_has_its_modes():
    points = ring_of_gaussians(np.random.default_rng(0), 4000, modes=5)
    angle = np.arctan2(points[:, 1], points[:, 0]) * 5 / (2 * np.pi)
    assert np.abs(angle - angle.round()).max() < 0.5
    share = np.unique(angle.round() % 5, return_counts=True)[1] / 4000
    np.testing.assert_allclose(share, 0.2, atol=0.03)  # four standard errors


def test_samples_have_equal_size():
    with pytest.raises(ShapeError, match=r"equal shape \(n, d\)"):
        wasserstein(np.ones((3, 2)), np.ones((4, 2)))
