import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp.errors import DomainError
from mini_exp.tasks.images.models import DigitsCNN, ResNetModel, ThesisCNN
from mini_exp.tasks.images.networks import ResNet, digits_cnn, thesis_cnn
from tests.pruning.examples import graph_of


def n_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_thesis_network_layer_by_layer():
    network = thesis_cnn()
    convolutions = [m for m in network if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size, m.padding) for m in convolutions] == [
        (3, 32, (3, 3), (1, 1)),
        (32, 32, (3, 3), (0, 0)),
        (32, 64, (3, 3), (1, 1)),
        (64, 64, (3, 3), (0, 0)),
    ]
    linear = [m for m in network if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(2304, 512), (512, 10)]
    by_hand = sum(9 * a * b + b for a, b in [(3, 32), (32, 32), (32, 64), (64, 64)])
    assert n_parameters(network) == by_hand + 2304 * 512 + 512 + 512 * 10 + 10 == 1250858
    assert [m.p for m in network if isinstance(m, nn.Dropout)] == [0.25, 0.25, 0.5]


def test_dropout_may_be_chosen():
    assert [m.p for m in thesis_cnn((0, 0.1, 0.2)) if isinstance(m, nn.Dropout)] == [0, 0.1, 0.2]
    assert [m.p for m in digits_cnn((0.3, 0, 0)) if isinstance(m, nn.Dropout)] == [0.3, 0, 0]


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_the_depth_of_a_resnet_counts_its_weighted_layers(depth):
    network = ResNet(depth)
    weighted = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in name
    ]
    assert len(weighted) == depth


def test_resnet_20_has_the_published_size():
    # 0.27 million in the paper; projections of the shortcuts add 2560 weights and batch norms
    assert n_parameters(ResNet(20)) == 272474


def test_a_stage_halves_the_image():
    network, x = ResNet(8), torch.zeros(1, 3, 16, 16)
    shapes = []
    for block in network.blocks:
        block.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    network.eval()(x)
    assert shapes == [(16, 16, 16), (32, 8, 8), (64, 4, 4)]


def test_a_block_by_hand():
    torch.manual_seed(0)
    block, x = ResNet(8).eval().blocks[1], torch.randn(2, 16, 6, 6)
    with torch.no_grad():
        inside = torch.relu(block.norm1(block.conv1(x)))
        convolution, norm = block.shortcut
        expected = torch.relu(block.norm2(block.conv2(inside)) + norm(convolution(x)))
        assert_close(block(x), expected)
    assert convolution.kernel_size == (1, 1)
    assert convolution.stride == block.conv1.stride == (2, 2)


@pytest.mark.parametrize("depth", [2, 7, 9, 19, -4, 0])
def test_a_depth_that_is_none(depth):
    with pytest.raises(DomainError, match=f"a depth of 6n \\+ 2 ≥ 8, got {depth}"):
        ResNet(depth)


@pytest.mark.parametrize(
    ("model", "shape", "n_groups"),
    [
        (DigitsCNN(), (1, 8, 8), 5),
        (ThesisCNN(), (3, 32, 32), 5),
        (ResNetModel(depth=8), (3, 16, 16), 6),
    ],
)
def test_by_name_reproducible_and_prunable(model, shape, n_groups):
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        network = model.network()
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    x = torch.zeros(1, *shape)
    assert network.eval()(x).shape == (1, 10)
    assert len(graph_of(network, x).groups) == n_groups
