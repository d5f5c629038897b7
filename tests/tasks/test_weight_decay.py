"""Weight decay beside PyTorch's AdamW."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from mini_exp.tasks.mini.network import initial_stack
from mini_exp.tasks.mini.training import ADAM_BETAS, ADAM_EPSILON, sample_orders, training_epochs


@pytest.mark.parametrize("weight_decay", [0.0, 0.5, 20.0])
def test_weight_decay_is_that_of_adamw(weight_decay):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((1, 12, 30)), rng.integers(0, 2, (1, 12)).astype(float)
    start = initial_stack([30, 4, 1], True, [np.random.default_rng(1)])
    orders = sample_orders([np.random.default_rng(2)], 3, 12)
    *_, own = training_epochs(start, x, y, orders, 5, 0.01, weight_decay)
    peer = copy.deepcopy(start)
    optimizer = torch.optim.AdamW(
        peer.parameters(), 0.01, ADAM_BETAS, ADAM_EPSILON, weight_decay=weight_decay
    )
    for epoch in range(3):
        for batch in torch.from_numpy(orders[0, epoch]).split(5):
            logits = peer(torch.from_numpy(x[0, batch])[None])[0, :, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, torch.from_numpy(y[0, batch])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for one, other in zip(own.parameters(), peer.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), rtol=1e-9, atol=1e-12)
