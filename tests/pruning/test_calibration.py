import contextlib

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mini_exp.errors import DomainError, NetworkError, ShapeError
from mini_exp.pruning.calibration import (
    Example,
    eval_mode,
    example_of,
    first_example,
    reestimate_batch_norm,
    small_example,
)
from tests.pruning.examples import assert_same, example, outputs, snapshot, written
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
def test_batches_without_a_tensor_are_refused(batch):
    with pytest.raises(ShapeError, match="expected batches"):
        example_of(nn.Linear(2, 2), batch)


@pytest.mark.parametrize("wrapped", [lambda x: x, lambda x: (x, 5), lambda x: [x]])
def test_what_follows_the_first_tensor_of_a_batch_are_labels(wrapped):
    x = torch.ones(3, 2)
    example = example_of(nn.Linear(2, 2), wrapped(x))
    assert example.arguments == (x,)
    assert not example.named


def test_a_mapping_gives_arguments_by_name():
    ids = torch.ones(3, 2)
    example = example_of(nn.Linear(2, 2), {"input_ids": ids, "use_cache": False})
    assert example.arguments == ()
    assert example.named == {"input_ids": ids, "use_cache": False}


def test_a_function_shows_what_it_calls_the_network_with():
    network, x, calls = nn.Linear(2, 2), torch.ones(3, 2), []

    def run(net):
        calls.append(1)
        net(input=x)
        calls.append(2)

    example = first_example(network, run)
    assert torch.equal(example.named["input"], x)
    assert calls == [1]  # left as soon as it was seen


def test_an_example_is_a_few_samples_of_all_that_is_given():
    network = written(lambda net, x, y: net.a(x) + y, a=nn.Linear(2, 2))
    small = small_example(network, [{"x": torch.ones(9, 2), "y": torch.ones(9, 2)}])
    assert small.n_samples == 4
    assert [len(x) for x in small.tensors] == [4, 4]


def test_an_example_is_the_whole_batch_where_the_network_takes_no_fewer():
    network = nn.Sequential(nn.Flatten(0), nn.Linear(18, 2))
    assert small_example(network, [torch.ones(9, 2)]).n_samples == 9


def test_an_example_keeps_its_values_whatever_the_network_does_to_them():
    network = nn.ReLU(inplace=True)
    example = Example((-torch.ones(2, 2),), {})
    example.output(network)
    assert torch.equal(example.arguments[0], -torch.ones(2, 2))


def pooled(rows):
    """Mean and unbiased variance of all rows together, as NumPy has them."""
    return rows.mean(axis=0), rows.var(axis=0, ddof=1)


@pytest.mark.parametrize("sizes", [[16] * 5, [80], [39, 39, 2], [1] * 80, [78, 2]], ids=str)
def test_a_batch_norm_gets_mean_and_variance_of_all_samples_whatever_the_batches(sizes):
    network, batches = example("mlp, batch norm")
    x = torch.cat(batches)
    with torch.no_grad():
        mean, variance = pooled(network[0](x).numpy())
    reestimate_batch_norm(network, x.split(sizes))
    assert_allclose(network[1].running_mean, mean, rtol=1e-10)
    assert_allclose(network[1].running_var, variance, rtol=1e-10)


def test_a_batch_norm_of_one_value_per_channel_is_named():
    network, (x, *_) = example("mlp, batch norm")
    with pytest.raises(DomainError, match=r"^1: a batch norm needs .* at least 2 samples"):
        reestimate_batch_norm(network, [x[:1]])


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
        if "running" in name:
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


def test_a_batch_that_the_network_does_not_take_is_named():
    network, (x, *_) = example("mlp, batch norm")
    with pytest.raises(NetworkError, match=r"does not take a batch \(16, 2\)"):
        reestimate_batch_norm(network, [x, x[:, :2]])
    assert network[1].momentum == 0.1
