"""The convex program's optimum: bounds that no network beats, and what certifies it."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mini_exp.diagnostics.instruments.global_optimality import (
    largest_response,
    optimum_bound,
    penalised_loss,
    trained_two_layers,
)
from mini_exp.errors import DomainError, ShapeError

X = np.stack([np.linspace(-1, 1, 8), np.ones(8)], axis=1)
Y = np.array([0.0, 1.0, 0.3, -0.5, -0.2, 0.8, 1.0, 0.1])
PENALTY = 0.05


def trained(width, count=6, steps=20_000):
    rngs = [np.random.default_rng(r) for r in range(count)]
    return trained_two_layers(X, Y, width, PENALTY, steps, rngs)


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_response_is_that_of_a_fine_grid(seed):
    rng = np.random.default_rng(seed)
    x, weights = rng.normal(size=(9, 2)), rng.normal(size=9)
    angle = np.linspace(0, 2 * np.pi, 200_001)
    grid = np.abs(np.maximum(np.c_[np.cos(angle), np.sin(angle)] @ x.T, 0) @ weights).max()
    assert largest_response(x, weights) == pytest.approx(grid, rel=5e-5)  # the grid
    assert largest_response(x, weights) >= grid - 1e-12


def test_the_bound_lies_below_every_network_seen():
    losses, bounds = [], []
    for width in (1, 2, 8, 40):
        hidden, output = trained(width, steps=2000)
        losses += list(penalised_loss(X, Y, hidden, output, PENALTY))
        bounds += [optimum_bound(X, Y, w, a, PENALTY) for w, a in zip(hidden, output, strict=True)]
    assert max(bounds) <= min(losses) + 1e-9


def test_a_wide_network_reaches_the_optimum_of_the_convex_program():
    """Non-negative least squares with a penalty, over 2000 directions and both signs."""
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    units = np.maximum(X @ np.array([np.cos(angle), np.sin(angle)]), 0)
    columns = np.hstack([units, -units])

    def program(c):
        residual = columns @ c - Y
        return 0.5 * residual @ residual + PENALTY * c.sum(), columns.T @ residual + PENALTY

    solved = minimize(
        program,
        np.zeros(4000),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * 4000,
        options={"maxiter": 5000, "maxfun": 10**6, "ftol": 1e-14, "gtol": 1e-10},
    )
    hidden, output = trained(40, steps=40_000)
    losses = penalised_loss(X, Y, hidden, output, PENALTY)
    best = losses.argmin()
    bound = optimum_bound(X, Y, hidden[best], output[best], PENALTY)
    assert bound <= solved.fun + 1e-9
    assert losses[best] == pytest.approx(solved.fun, rel=2e-3)  # of the grid and of descent
    assert bound == pytest.approx(solved.fun, rel=2e-2)


def test_the_gradient_of_the_training_is_that_of_the_loss():
    """One step with two rates: the change of the loss is −rate ‖∇‖² to first order."""
    rng = np.random.default_rng(3)
    hidden, output = trained_two_layers(X, Y, 3, PENALTY, 1, [rng])
    start = np.random.default_rng(3).standard_normal((3, 3)) / np.sqrt(3)
    step = 0.5 / np.linalg.norm(X, 2) ** 2
    numeric = np.empty((3, 3))
    for i in np.ndindex(3, 3):
        moved = [start.copy(), start.copy()]
        moved[0][i] += 1e-6
        moved[1][i] -= 1e-6
        up, down = (penalised_loss(X, Y, m[:, :2], m[:, 2], PENALTY) for m in moved)
        numeric[i] = (up - down) / 2e-6
    expected = start - step * numeric
    np.testing.assert_allclose(np.c_[hidden[0], output[0]], expected, atol=1e-9)


def test_a_zero_unit_certifies_nothing_away_from_a_local_minimum():
    """The zero network is stationary and all its units are zero, yet far from the optimum."""
    zero, none = np.zeros((5, 2)), np.zeros(5)
    loss = float(penalised_loss(X, Y, zero, none, PENALTY))
    hidden, output = trained(40, count=1)
    assert loss > 1.5 * float(penalised_loss(X, Y, hidden, output, PENALTY)[0])
    assert optimum_bound(X, Y, zero, none, PENALTY) < 0.5 * loss


def test_the_certificate_needs_the_plane():
    with pytest.raises(ShapeError, match=r"points \(n, 2\)"):
        optimum_bound(np.ones((3, 3)), np.ones(3), np.ones((1, 3)), np.ones(1), 0.1)


def test_the_certificate_needs_a_penalty():
    with pytest.raises(DomainError, match="λ > 0, got 0"):
        optimum_bound(X, Y, np.ones((1, 2)), np.ones(1), 0.0)
