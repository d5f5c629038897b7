"""The loss between two networks."""

import numpy as np
import pytest
import torch

from mini_exp.diagnostics.instruments.segments import barrier, segment_losses
from mini_exp.errors import DomainError, ShapeError
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from mini_exp.tasks.mini.training import scores
from tests.diagnostics.instruments.networks import gaussian_samples, random_network, random_stack


def test_the_ends_are_the_networks():
    one, other = random_stack(bias=True), random_stack(bias=True, seed=1)
    x, y = gaussian_samples(30, 5, count=3)
    losses = segment_losses(one, other, x, y, 5)
    assert losses.shape == (5, 3)
    np.testing.assert_allclose(losses[0], scores(one, x, y)[0], rtol=1e-12)
    np.testing.assert_allclose(losses[-1], scores(other, x, y)[0], rtol=1e-12)


def test_logistic_regression_has_no_barrier():
    """Its loss is convex."""
    one, other = random_network((5, 1)), random_network((5, 1), seed=1)
    losses = segment_losses(one, other, *gaussian_samples(30, 5), 21)
    assert float(barrier(losses)) == pytest.approx(0, abs=1e-12)


def permuted(network, order):
    first, second = network.stacked_layers
    return MiniModel(
        [
            StackedLinear(first.weight.detach()[order].clone()),
            StackedLinear(second.weight.detach()[:, order].clone()),
        ]
    )


def test_a_network_and_its_permutation_are_one_function_with_a_barrier_between():
    network = MiniModel(
        [
            StackedLinear(torch.tensor([[4.0], [-4.0]]).double()),
            StackedLinear(torch.tensor([[2.0, -2.0]]).double()),
        ]
    )
    x = np.linspace(-1, 1, 20)[:, None]
    y = (x[:, 0] > 0).astype(float)
    losses = segment_losses(network, permuted(network, [1, 0]), x, y, 3)
    assert losses[0] == pytest.approx(losses[2], abs=1e-12)
    assert losses[1] == pytest.approx(np.log(2), abs=1e-12)  # half way all weights are 0
    assert float(barrier(losses)) == pytest.approx(np.log(2) - losses[0], abs=1e-12)


def test_other_widths_have_no_segment():
    with pytest.raises(ShapeError, match="expected equal widths"):
        segment_losses(random_network(), random_network((5, 1)), *gaussian_samples(3, 5), 3)


def test_a_segment_has_two_ends():
    with pytest.raises(DomainError, match="at least 2 points, got 1"):
        segment_losses(random_network(), random_network(), *gaussian_samples(3, 5), 1)
