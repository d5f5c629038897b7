import contextlib

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mini_exp.errors import NetworkError, ShapeError
from mini_exp.pruning.calibration import eval_mode, inputs, reestimate_batch_norm
from tests.pruning.examples import assert_same, example, outputs, snapshot
from tests.pruning.naive import average_batch_norms


def test_modes_come_back_after_an_error():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    network[1].train()

    modes = []
    with contextlib.suppress(KeyboardInterrupt), eval_mode(network):
        modes = [module.training for module in network.modules()]
        raise KeyboardInterrupt
    assert modes == [False, False, False]
    assert [module.training for module in network.modules()] == [False, False, True]


@pytest.mark.parametrize("batch", [[], (), "x", 3, None, {"x": 1}])
def test_inputs_that_are_no_tensor(batch):
    with pytest.raises(ShapeError, match="expected batches of tensors"):
        inputs(nn.Linear(2, 2), batch)


def test_inputs():
    x = torch.ones(3, 2)
    assert inputs(nn.Linear(2, 2), (x, 5)) is x
    assert inputs(nn.ReLU(), [x]) is x
    image = torch.randn(2, 3, 4, 4)
    assert torch.equal(inputs(nn.Conv2d(3, 1, 1), image), image)


def test_batch_norms_get_the_averages_over_the_batches():
    network, batches = example("mlp, batch norm")
    with torch.no_grad():
        first = [network[0](x) for x in batches]
    reestimate_batch_norm(network, batches)
    assert_allclose(
        network[1].running_mean, np.mean([x.mean(dim=0).numpy() for x in first], axis=0), rtol=1e-10
    )
    variances = [x.numpy().var(axis=0, ddof=1) for x in first]
    assert_allclose(network[1].running_var, np.mean(variances, axis=0), rtol=1e-10)


@pytest.mark.parametrize("name", ["mlp, batch norm", "pre-activation", "post-activation"])
def test_all_batch_norms_against_the_formula(name):
    network, batches = example(name)
    expected, _ = example(name)
    average_batch_norms(expected, batches)
    reestimate_batch_norm(network, batches)
    for ours, theirs in zip(network.buffers(), expected.buffers(), strict=True):
        if ours.ndim:
            assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_only_the_statistics_of_batch_norms_change():
    network, batches = example("mlp, batch norm")
    network.train()
    before = snapshot(network)
    reestimate_batch_norm(network, batches)
    after = snapshot(network)
    for name in list(before["state"]):
        if "running" in name or "num_batches" in name:
            assert not torch.equal(before["state"].pop(name), after["state"].pop(name))
    assert_same(before, after)


def test_dropout_stays_off():
    network, batches = example("mlp, batch norm")
    network.train()
    network[3].p = 1.0
    reestimate_batch_norm(network, batches)
    assert (network[5].running_var > 0).all()


def test_without_batch_norms_nothing_runs():
    network, batches = example("mlp")
    expected = outputs(network, batches)
    reestimate_batch_norm(network, [None])
    assert torch.equal(outputs(network, batches), expected)


def test_a_failure_leaves_the_momentum():
    network, batches = example("mlp, batch norm")
    with pytest.raises(NetworkError):
        reestimate_batch_norm(network, [batches[0], batches[0][:, :2]])
    assert network[1].momentum == 0.1
