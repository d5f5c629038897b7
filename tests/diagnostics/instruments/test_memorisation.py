"""Networks that fit anything."""

import numpy as np
import pytest

from mini_exp.diagnostics.instruments.memorisation import (
    epochs_to_fit,
    interpolating_network,
    randomised_labels,
)
from mini_exp.errors import DomainError, ShapeError
from mini_exp.tasks.mini.network import initial_stack
from mini_exp.tasks.mini.training import sample_orders, scores, training_epochs
from tests.diagnostics.instruments.networks import gaussian_samples


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "d"), [(1, 3), (10, 1), (100, 30)])
def test_two_n_plus_d_weights_fit_any_labels(n, d, seed):
    x, y = gaussian_samples(n, d, seed)
    network = interpolating_network(x, y, np.random.default_rng(seed))
    assert network.n_weights == 2 * n + d
    np.testing.assert_allclose(network(x), y, atol=1e-7)  # gaps of 1e-5 amplify rounding


def test_equal_points_cannot_be_told_apart():
    with pytest.raises(DomainError, match="two that are equal"):
        interpolating_network(np.ones((2, 3)), np.array([0.0, 1.0]), np.random.default_rng(0))


def test_labels_belong_to_points():
    with pytest.raises(ShapeError, match=r"x \(n, d\) and y \(n,\)"):
        interpolating_network(np.ones((2, 3)), np.ones(3), np.random.default_rng(0))


def test_half_of_the_randomised_labels_change():
    y = np.zeros(10_000)
    changed = randomised_labels(y, 0.6, np.random.default_rng(0)).mean()
    assert changed == pytest.approx(0.3, abs=4 * np.sqrt(0.6 / 4 / 10_000))  # standard errors


def test_a_share_is_at_most_one():
    with pytest.raises(DomainError, match=r"a share in \[0, 1\], got 1.1"):
        randomised_labels(np.zeros(3), 1.1, np.random.default_rng(0))


def setting(epochs):
    generators = [np.random.default_rng(r) for r in range(3)]
    stack = initial_stack((4, 12, 1), False, generators)
    x = gaussian_samples(15, 4, count=3)[0]
    return stack, x, sample_orders(generators, epochs, 15)


def test_the_epoch_of_the_fit_is_the_first_with_all_labels_right():
    stack, x, orders = setting(400)
    y = (x[..., 0] > 0).astype(float)
    fitted = epochs_to_fit(stack, x, y, orders, 5, 0.01)
    assert np.isfinite(fitted).all()
    accuracy = np.array(
        [scores(current, x, y)[1] for current in training_epochs(stack, x, y, orders, 5, 0.01)]
    )
    np.testing.assert_array_equal(fitted, 1 + (accuracy == 1).argmax(axis=0))


def test_a_network_that_never_fits_needs_infinitely_many_epochs():
    """Equal points with different labels."""
    stack, x, orders = setting(3)
    y = np.tile(np.arange(15) % 2, (3, 1)).astype(float)
    assert (epochs_to_fit(stack, np.ones_like(x), y, orders, 5, 0.01) == np.inf).all()
