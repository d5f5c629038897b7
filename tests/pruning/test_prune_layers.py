"""Layers and functions of many kinds between two that are pruned."""

import pytest
import torch
from torch import nn

from tests.pruning.examples import randomised
from tests.pruning.pruned import images, vectors
from tests.pruning.zeroed import assert_pruned_right


def around(*modules, width=8):
    return nn.Sequential(nn.Linear(6, 8), *modules, nn.Linear(width, 3))


def around_image(*modules, features):
    return nn.Sequential(nn.Conv2d(2, 4, 3), *modules, nn.Flatten(), nn.Linear(features, 3))


VECTORS = {
    "prelu": (lambda: around(nn.PReLU(8)), {"0": 8}),
    "prelu of one slope": (lambda: around(nn.PReLU()), {"0": 8}),
    "batch norm": (lambda: around(nn.BatchNorm1d(8), nn.ELU()), {"0": 8}),
    "alpha dropout": (lambda: around(nn.SELU(), nn.AlphaDropout(0.1)), {"0": 8}),
    "unflatten": (lambda: around(nn.Unflatten(1, (-1, 1)), nn.Flatten()), {"0": 8}),
}


@pytest.mark.parametrize(("make", "widths"), VECTORS.values(), ids=VECTORS)
def test_layers_between_linear_layers(make, widths, tmp_path):
    network = randomised(make())
    _, selection = assert_pruned_right(network, [vectors().double()], tmp_path)
    assert {kept.group.name: kept.group.width for kept in selection.groups} == widths


IMAGES = {
    "two groups": (
        lambda: around_image(nn.Conv2d(4, 4, 3, groups=2), features=64),
        {"0": 2, "1": 2},
    ),
    "depthwise": (lambda: around_image(nn.Conv2d(4, 4, 3, groups=4), features=64), {"0": 4}),
    "depthwise, two of each": (
        lambda: around_image(nn.Conv2d(4, 8, 3, groups=4), features=128),
        {"0": 4},
    ),
    "groups of one output": (
        lambda: around_image(nn.Conv2d(4, 2, 3, groups=2), features=32),
        {"0": 2},
    ),
    "as many groups as outputs": (
        lambda: around_image(
            nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 2, 3, groups=2), features=8
        ),
        {"0": 2, "1": 2},
    ),
    "transposed": (
        lambda: around_image(nn.ConvTranspose2d(4, 6, 3), features=384),
        {"0": 4, "1": 6},
    ),
    "transposed, two groups": (
        lambda: around_image(nn.ConvTranspose2d(4, 6, 3, groups=2), features=384),
        {"0": 2, "1": 3},
    ),
    "transposed, depthwise": (
        lambda: around_image(nn.ConvTranspose2d(4, 4, 3, groups=4), features=256),
        {"0": 4},
    ),
    "transposed, two of each": (
        lambda: around_image(nn.ConvTranspose2d(4, 8, 3, groups=4), features=512),
        {"0": 4},
    ),
    "instance norm": (lambda: around_image(nn.InstanceNorm2d(4), features=144), {"0": 4}),
    "instance norm with weights": (
        lambda: around_image(nn.InstanceNorm2d(4, affine=True), features=144),
        {"0": 4},
    ),
    "instance norm with statistics": (
        lambda: around_image(nn.InstanceNorm2d(4, track_running_stats=True), features=144),
        {"0": 4},
    ),
    "prelu": (lambda: around_image(nn.PReLU(4), features=144), {"0": 4}),
    "pixels shuffled": (
        lambda: around_image(nn.Conv2d(4, 12, 1), nn.PixelShuffle(2), features=432),
        {"0": 4, "1": 3},
    ),
    "pixels unshuffled": (lambda: around_image(nn.PixelUnshuffle(2), features=144), {"0": 4}),
    "batch norm of pixels": (
        lambda: nn.Sequential(
            *(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.BatchNorm1d(144), nn.Linear(144, 3))
        ),
        {"0": 4},
    ),
    "upsampling": (lambda: around_image(nn.Upsample(scale_factor=2), features=576), {"0": 4}),
    "reflected edges": (lambda: around_image(nn.ReflectionPad2d(1), features=256), {"0": 4}),
    "circular edges": (lambda: around_image(nn.CircularPad2d(1), features=256), {"0": 4}),
    "zeros at the edges": (lambda: around_image(nn.ZeroPad2d(1), features=256), {"0": 4}),
    "ones at the edges": (lambda: around_image(nn.ConstantPad2d(1, 1.0), features=256), {"0": 4}),
    "pooling": (
        lambda: around_image(nn.LPPool2d(2, 2), nn.FractionalMaxPool2d(2, 2), features=16),
        {"0": 4},
    ),
    "dropout of channels": (lambda: around_image(nn.Dropout2d(0.1), features=144), {"0": 4}),
}


@pytest.mark.parametrize(("make", "widths"), IMAGES.values(), ids=IMAGES)
def test_layers_between_convolutions(make, widths, tmp_path):
    network = randomised(make())
    _, selection = assert_pruned_right(network, [images().double()], tmp_path)
    assert {kept.group.name: kept.group.width for kept in selection.groups} == widths


OTHER_INPUTS = {
    "conv1d": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.Conv1d(4, 6, 1), nn.Flatten(), nn.Linear(36, 3)
        ),
        torch.randn(3, 2, 8).double(),
        {"0": 4, "1": 6},
    ),
    "conv3d": (
        lambda: nn.Sequential(
            *(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), nn.MaxPool3d(2)),
            *(nn.Conv3d(4, 6, 1), nn.Flatten(), nn.Linear(6, 3)),
        ),
        torch.randn(3, 2, 4, 4, 4).double(),
        {"0": 4, "3": 6},
    ),
    "conv transposed in time": (
        lambda: nn.Sequential(nn.ConvTranspose1d(2, 4, 3, 2), nn.Conv1d(4, 3, 1)),
        torch.randn(3, 2, 4).double(),
        {"0": 4},
    ),
    "conv transposed in space": (
        lambda: nn.Sequential(nn.ConvTranspose3d(2, 4, 2, 2), nn.Conv3d(4, 3, 1)),
        torch.randn(3, 2, 2, 2, 2).double(),
        {"0": 4},
    ),
    "embedding": (
        lambda: nn.Sequential(
            nn.Embedding(9, 4, 0), nn.Flatten(), nn.Linear(12, 5), nn.Linear(5, 2)
        ),
        torch.arange(12).reshape(4, 3) % 9,
        {"0": 4, "2": 5},
    ),
    "embedding of one": (
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 5), nn.Linear(5, 2)),
        torch.arange(9),
        {"0": 4, "1": 5},
    ),
    "bag of embeddings": (
        lambda: nn.Sequential(nn.EmbeddingBag(9, 4), nn.Linear(4, 5), nn.Linear(5, 2)),
        torch.arange(12).reshape(4, 3) % 9,
        {"1": 5},
    ),
    "sequences": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)),
        torch.randn(5, 4, 6).double(),
        {"0": 8},
    ),
}


@pytest.mark.parametrize(("make", "x", "widths"), OTHER_INPUTS.values(), ids=OTHER_INPUTS)
def test_inputs_of_other_kinds(make, x, widths, tmp_path):
    network = randomised(make())
    _, selection = assert_pruned_right(network, [x], tmp_path)
    assert {kept.group.name: kept.group.width for kept in selection.groups} == widths
