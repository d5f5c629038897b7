"""Inputs, measures and checks that tests of `prune` share."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp import prune
from tests.pruning.examples import IMAGE, outputs, randomised
from tests.pruning.naive import naively_pruned


def vectors(n=40, width=6, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def images(n=12, shape=IMAGE):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


def batches_for(network, batch):
    """The batch in the network's type."""
    return [batch.to(next(network.parameters()).dtype)]


def n_parameters(network, _):
    return sum(parameter.numel() for parameter in network.parameters())


def n_multiplications(network, x):
    """Of one image: every weight times the positions at which it is used."""
    total = []
    handles = [
        module.register_forward_hook(
            lambda m, _, y: total.append(m.weight.numel() * y[0, 0].numel())
        )
        for module in network.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    outputs(network, [x[:1]])
    for handle in handles:
        handle.remove()
    return sum(total)


def assert_as_naive(network, batch):
    network = randomised(network).eval()
    batches = [batch.double()]
    smaller, selection = prune(network, batches, keep=0.5)
    naive = naively_pruned(network, selection, batches)
    assert_close(outputs(smaller, batches), outputs(naive, batches), rtol=1e-6, atol=1e-8)
    return selection


def assert_refused(function, error, match, capfd):
    with pytest.raises(error, match=match) as caught:
        function()
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    out, err = capfd.readouterr()
    assert not out
    assert not err
