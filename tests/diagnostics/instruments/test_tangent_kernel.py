"""The tangent kernel against PyTorch's Jacobian and scikit-learn's kernel ridge regression."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from mini_exp.diagnostics.instruments.tangent_kernel import (
    kernel_drift,
    kernel_regression,
    tangent_kernel,
)
from mini_exp.errors import DomainError
from tests.diagnostics.instruments.networks import gaussian_samples, random_stack


def jacobian(network, x):
    rows = []
    for sample in torch.from_numpy(x):
        network.zero_grad()
        network(sample[None]).sum().backward()
        rows.append(torch.cat([p.grad.flatten() for p in network.parameters()]).numpy().copy())
    return np.array(rows)


@pytest.mark.parametrize("bias", [False, True])
def test_the_kernel_is_the_product_of_autograd_s_jacobians(bias):
    stack = random_stack(bias=bias)
    x, z = gaussian_samples(6, 5, 1)[0], gaussian_samples(4, 5, 2)[0]
    kernels = tangent_kernel(stack, x, z)
    for r in range(3):
        expected = jacobian(stack.replicate(r), x) @ jacobian(stack.replicate(r), z).T
        np.testing.assert_allclose(kernels[r], expected, rtol=1e-11, atol=1e-11)


def test_a_kernel_that_only_grows_does_not_drift():
    kernel = tangent_kernel(random_stack(), *[gaussian_samples(8, 5)[0]] * 2)
    np.testing.assert_allclose(kernel_drift(kernel, 7 * kernel), 0, atol=1e-12)


def test_orthogonal_kernels_have_drifted_by_one():
    assert float(kernel_drift(np.diag([1.0, 0.0]), np.diag([0.0, 1.0]))) == 1


def test_kernel_regression_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 12))
    kernel, across = a @ a.T, rng.normal(size=(5, 12))
    y = rng.integers(0, 2, 12).astype(float)
    level = 0.3 * np.trace(kernel) / 12
    model = KernelRidge(alpha=level, kernel="precomputed").fit(kernel, 2 * y - 1)
    ours = kernel_regression(kernel, across, y, 0.3)
    np.testing.assert_allclose(ours, model.predict(across), rtol=1e-10)


def test_a_ridge_is_positive():
    with pytest.raises(DomainError, match="a ridge > 0, got 0"):
        kernel_regression(np.eye(2), np.eye(2), np.ones(2), 0.0)
