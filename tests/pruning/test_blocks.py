"""A weight as blocks and back, and what it reads as rows of channels."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp.pruning.blocks import blocks_of, rows_of, weight_of
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from tests.pruning.examples import graph_of, randomised


def reader_of(*modules, shape):
    """The only reader of a network's first group."""
    network = randomised(nn.Sequential(*modules)).eval()
    group = graph_of(network, torch.randn(shape).double()).groups[0]
    (reader,) = group.readers
    return network.get_parameter(reader.weight).detach(), reader


CASES = {
    "linear": ([nn.Linear(2, 4), nn.Linear(4, 5)], (7, 2), (5, 4, 1)),
    "flattened": (
        [nn.Conv2d(2, 4, 1), nn.Flatten(), nn.Linear(12, 5)],
        (7, 2, 1, 3),
        (5, 4, 3),
    ),
    "convolution": ([nn.Conv2d(2, 4, 1), nn.Conv2d(4, 5, (2, 3))], (7, 2, 5, 5), (5, 4, 6)),
    "transposed": ([nn.Conv2d(2, 4, 1), nn.ConvTranspose2d(4, 5, 2)], (7, 2, 5, 5), (5, 4, 4)),
    "groups": (
        [nn.Conv2d(2, 4, 1), nn.Conv2d(4, 6, 2, groups=2)],
        (7, 2, 5, 5),
        (2, 3, 2, 4),
    ),
    "transposed groups": (
        [nn.Conv2d(2, 4, 1), nn.ConvTranspose2d(4, 6, 2, groups=2)],
        (7, 2, 5, 5),
        (2, 3, 2, 4),
    ),
    "in time": ([nn.Conv1d(2, 4, 1), nn.Conv1d(4, 5, 3)], (7, 2, 5), (5, 4, 3)),
    "in space": ([nn.Conv3d(2, 4, 1), nn.Conv3d(4, 5, 2)], (7, 2, 3, 3, 3), (5, 4, 8)),
    "of two networks": (
        [StackedLinear(torch.randn(2, 4, 3)), StackedLinear(torch.randn(2, 5, 4))],
        (2, 7, 3),
        (2, 5, 4, 1),
    ),
}


@pytest.mark.parametrize(("modules", "shape", "blocks"), CASES.values(), ids=CASES)
def test_blocks_there_and_back(modules, shape, blocks):
    weight, reader = reader_of(*modules, shape=shape)
    assert blocks_of(weight, reader).shape == blocks
    assert torch.equal(weight_of(blocks_of(weight, reader), reader, weight), weight)


def test_the_block_of_an_output_and_a_channel_holds_the_places_of_its_kernel():
    weight, reader = reader_of(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 5, (2, 3)), shape=(1, 2, 5, 5))
    assert torch.equal(blocks_of(weight, reader)[3, 2], weight[3, 2].flatten())


def test_the_block_of_a_flattened_image_holds_the_pixels_of_a_channel():
    weight, reader = reader_of(*CASES["flattened"][0], shape=(1, 2, 1, 3))
    assert torch.equal(blocks_of(weight, reader)[3, 2], weight[3, 6:9])


def test_rows_of_images_are_samples_and_places():
    _, reader = reader_of(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 5, 1), shape=(1, 2, 3, 2))
    x = torch.randn(7, 4, 3, 2)
    expected = x.flatten(2).transpose(1, 2).reshape(-1, 4).double()
    assert torch.equal(torch.as_tensor(rows_of(x, reader)), expected)


def test_rows_of_a_flattened_image_are_samples_and_pixels():
    _, reader = reader_of(*CASES["flattened"][0], shape=(1, 2, 1, 3))
    x = torch.randn(7, 12)
    expected = x.reshape(7, 4, 3).transpose(1, 2).reshape(-1, 4).double()
    assert torch.equal(torch.as_tensor(rows_of(x, reader)), expected)


def test_rows_of_groups_are_those_of_their_channels():
    _, reader = reader_of(*CASES["groups"][0], shape=(1, 2, 5, 5))
    x = torch.randn(7, 4, 3, 2)
    rows = torch.as_tensor(rows_of(x, reader))
    assert rows.shape == (2, 42, 2)
    assert torch.equal(rows[1], x[:, 2:].flatten(2).transpose(1, 2).reshape(-1, 2).double())


def test_rows_of_several_networks_are_their_inputs():
    _, reader = reader_of(*CASES["of two networks"][0], shape=(2, 7, 3))
    x = torch.randn(2, 7, 4).double()
    np.testing.assert_array_equal(rows_of(x, reader), x.numpy())


def test_rows_are_what_the_blocks_multiply():
    weight, reader = reader_of(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 5, 1), shape=(1, 2, 3, 2))
    x = torch.randn(7, 4, 3, 2).double()
    y = torch.as_tensor(rows_of(x, reader)) @ blocks_of(weight, reader)[..., 0].T
    expected = nn.functional.conv2d(x, weight).flatten(2).transpose(1, 2).flatten(0, 1)
    assert_close(y, expected)
