"""Curvature against the Hessian that PyTorch builds."""

import numpy as np
import pytest
import torch
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits

from mini_exp.diagnostics.instruments.loss_curvature import hessian_ends, hessian_trace
from mini_exp.errors import DomainError
from tests.diagnostics.instruments.networks import gaussian_samples, random_stack


def full_hessian(network, x, y):
    names = [name for name, _ in network.named_parameters()]
    shapes = [p.shape for p in network.parameters()]
    flat = torch.cat([p.detach().flatten() for p in network.parameters()])

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes])
        weights = {
            name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)
        }
        logits = functional_call(network, weights, (torch.from_numpy(x),))[..., 0]
        return binary_cross_entropy_with_logits(logits, torch.from_numpy(y))

    return hessian(loss, flat).numpy()


@pytest.mark.parametrize("bias", [False, True])
def test_ends_and_trace_are_those_of_the_full_hessian(bias):
    stack = random_stack(bias=bias)
    x, y = gaussian_samples(40, 5, count=3)
    smallest, largest = hessian_ends(stack, x, y)
    trace = hessian_trace(stack, x)
    for r in range(3):
        full = full_hessian(stack.replicate(r), x[r], y[r])
        values = np.linalg.eigvalsh(full)
        assert smallest[r] == pytest.approx(values[0], abs=1e-9)
        assert largest[r] == pytest.approx(values[-1], abs=1e-9)
        assert trace[r] == pytest.approx(np.trace(full), abs=1e-11)


def test_few_steps_stay_inside_the_spectrum():
    stack = random_stack()
    x, y = gaussian_samples(40, 5, count=3)
    few, many = (hessian_ends(stack, x, y, steps) for steps in (3, 60))
    assert (few[0] >= many[0]).all()
    assert (few[1] <= many[1]).all()


def test_one_sample_for_all_networks_is_allowed():
    stack = random_stack()
    x, y = gaussian_samples(10, 5, count=1)
    repeated = hessian_ends(stack, np.repeat(x, 3, 0), np.repeat(y, 3, 0))
    np.testing.assert_allclose(hessian_ends(stack, x, y), repeated, rtol=1e-9)


def test_a_saturated_network_is_flat():
    """Where every unit is off, every derivative is zero."""
    stack = random_stack((2, 3, 1))
    for layer in stack.stacked_layers:
        layer.weight.data.copy_(-layer.weight.abs())
    x = np.ones((3, 4, 2))
    np.testing.assert_array_equal(hessian_ends(stack, x, np.ones((3, 4)))[1], 0)


def test_lanczos_takes_a_step():
    with pytest.raises(DomainError, match="steps ≥ 1, got 0"):
        hessian_ends(random_stack(), *gaussian_samples(4, 5, count=3), steps=0)
