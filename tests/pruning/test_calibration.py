import contextlib

import pytest
import torch
from torch import nn

from mini_exp.errors import ShapeError
from mini_exp.pruning.calibration import (
    Example,
    eval_mode,
    example_of,
    first_example,
    small_example,
)
from tests.pruning.examples import written


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
