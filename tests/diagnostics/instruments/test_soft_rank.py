"""The soft rank against the degrees of freedom of the spectrum, and its gradient."""

import numpy as np
import pytest
import torch

from mini_exp.diagnostics.instruments import soft_rank as instrument
from mini_exp.diagnostics.instruments.soft_rank import rank_of_layers, soft_rank
from mini_exp.errors import DomainError
from mini_exp.tasks.images.networks import digits_cnn

OUTPUTS = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 6)))


@pytest.mark.parametrize("level", [0.01, 0.5, 10.0])
def test_it_is_the_sum_over_eigenvalues(level):
    mu = np.linalg.eigvalsh(OUTPUTS.numpy().T @ OUTPUTS.numpy() / 20)
    assert float(soft_rank(OUTPUTS, level)) == pytest.approx((mu / (mu + level)).sum(), abs=1e-12)


def test_every_position_of_an_image_is_a_sample():
    images = OUTPUTS.view(5, 2, 2, 6).movedim(-1, 1)
    assert float(soft_rank(images, 0.1)) == pytest.approx(float(soft_rank(OUTPUTS, 0.1)), abs=1e-12)


def test_its_gradient_is_the_difference_quotient():
    outputs = OUTPUTS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: soft_rank(x, 0.3), outputs)


def test_raw_it_falls_with_the_scale_alone():
    """Nothing becomes redundant: therefore weight decay has to stand beside it."""
    assert float(soft_rank(1e-3 * OUTPUTS, 0.01)) < 1e-2 * float(soft_rank(OUTPUTS, 0.01))


def test_all_layers_of_a_network_count():
    network = digits_cnn((0.0, 0.0, 0.0)).eval()
    x = torch.rand(30, 1, 8, 8)
    total = float(rank_of_layers(network, x).detach())
    assert 0 < total < 16 + 16 + 32 + 32 + 64


def test_a_strong_penalty_collapses_a_convolutional_network(monkeypatch):
    monkeypatch.setattr(instrument, "EPOCHS", 4)
    free, held = (instrument._one(0, 0, gamma, 0.0) for gamma in (0.0, 0.1))
    assert free[0] > 0.8
    assert held[0] < 0.2
    assert held[1] < 0.1 * free[1]


def test_a_level_is_positive():
    with pytest.raises(DomainError, match="λ > 0, got 0"):
        soft_rank(OUTPUTS, 0)
