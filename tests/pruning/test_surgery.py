import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.testing import assert_close

from mini_exp.pruning.graph import Group, Reader
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.pruning.surgery import fold, shift, smaller_network
from tests.pruning.examples import written

READERS = {
    "linear": (lambda: nn.Linear(4, 3), Reader("0", "x", 4, 1), (4,)),
    "flattened": (lambda: nn.Linear(12, 3), Reader("0", "x", 4, 3), (12,)),
    "convolution": (lambda: nn.Conv2d(4, 3, 2), Reader("0", "x", 4, 1), (4, 5, 5)),
}
KEPT = np.array([0, 2, 3])


def kept(group, index_path, rescale_dropout=False):
    """A selection of these channels of one group."""
    rest = [i for i in range(group.width) if i not in index_path]
    path = GroupPath(group, np.array([*index_path, *rest]), np.ones(group.width))
    return Selection((GroupSelection(path, len(index_path)),), rescale_dropout)


@pytest.mark.parametrize("by_weight", [False, True])
@pytest.mark.parametrize(("make", "reader", "shape"), READERS.values(), ids=READERS)
def test_fold_lets_the_reader_see_the_estimate(make, reader, shape, by_weight):
    torch.manual_seed(0)
    network = nn.Sequential(make()).double()
    per_channel = network[0].weight[0].numel() // 4 if by_weight else 1
    matrix = torch.randn(4 * per_channel, 3 * per_channel).double()
    weight = network[0].weight.detach().clone()
    fold(network, reader, matrix.numpy(), by_weight)
    folded = network[0].weight.detach()
    assert folded[0].numel() == weight[0].numel() * 3 // 4
    channels = folded.reshape(3, 3, -1)
    for output in range(3):
        if by_weight:
            assert_close(channels[output].reshape(-1), weight[output].reshape(-1) @ matrix)
        else:
            by_channel = weight[output].reshape(4, -1)
            for q in range(by_channel.shape[1]):
                assert_close(channels[output, :, q], by_channel[:, q] @ matrix)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("make", "reader", "shape"), READERS.values(), ids=READERS)
def test_shift_adds_what_a_constant_gives(make, reader, shape, bias):
    torch.manual_seed(0)
    network = nn.Sequential(make()).double()
    if not bias:
        network[0].bias = None
    x, offset = torch.randn(2, *shape).double(), np.array([1.0, -2.0, 0.5, 3.0])
    constant = torch.from_numpy(offset).repeat_interleave(reader.positions)
    constant = constant.reshape(1, -1, *(1,) * (len(shape) - 1))
    with torch.no_grad():
        expected = network(x + constant)
        shift(network, reader, offset, by_weight=False)
        assert_close(network(x), expected)


def test_shrink_and_its_sizes():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    group = Group("0", 4, ("0",), ("1",), (), (Reader("3", "x", 4, 4),))
    weight = network[3].weight.detach().clone()
    network[0].weight.requires_grad_(False)
    network[1].running_mean = torch.arange(4.0)
    smaller = smaller_network(network, kept(group, KEPT[::-1]))
    assert smaller[0].weight.shape == (3, 2, 3, 3)
    assert (smaller[0].out_channels, smaller[1].num_features, smaller[3].in_features) == (3, 3, 12)
    assert smaller[1].running_mean.tolist() == [0, 2, 3]
    assert torch.equal(smaller[3].weight, weight.reshape(3, 4, 4)[:, KEPT].flatten(1))
    assert not smaller[0].weight.requires_grad
    assert smaller[0].bias.requires_grad
    assert "running_mean" in dict(smaller[1].named_buffers())
    assert smaller(torch.ones(2, 2, 4, 4)).shape == (2, 3)


def test_shrink_without_affine_or_statistics():
    network = nn.Sequential(
        nn.Linear(2, 4, bias=False),
        nn.BatchNorm1d(4, affine=False, track_running_stats=False),
        nn.Linear(4, 3),
    )
    group = Group("0", 4, ("0",), ("1",), (), (Reader("2", "x", 4, 1),))
    smaller = smaller_network(network, kept(group, KEPT))
    assert smaller(torch.randn(5, 2)).shape == (5, 3)


@pytest.mark.parametrize(("rescale", "p"), [(True, 0.1), (False, 0.4)])
def test_rescale_dropout(rescale, p):
    network = written(lambda net, x: x, drop=nn.Dropout(0.4), other=nn.Dropout2d(0.4))
    selection = kept(Group("a", 8, (), (), ("drop",), ()), np.array([2, 7]), rescale)
    smaller = smaller_network(network, selection)
    assert_allclose([smaller.drop.p, smaller.other.p], [p, 0.4])
