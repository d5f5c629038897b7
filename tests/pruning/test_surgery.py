import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.testing import assert_close

from mini_exp.errors import NetworkError
from mini_exp.pruning.blocks import blocks_of, weight_of
from mini_exp.pruning.folding import fold, shift
from mini_exp.pruning.graph import Group
from mini_exp.pruning.selection import GroupPath, GroupSelection, Selection
from mini_exp.pruning.surgery import mask, smaller_network
from tests.pruning.examples import graph_of, outputs, randomised, written


class ChannelsLast(nn.Module):
    """(n, c, h, w) as (n, h · w · c): the entries of a channel are not side by side."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


READERS = {
    "linear": lambda: nn.Sequential(nn.Conv2d(2, 4, (1, 3)), nn.Flatten(), nn.Linear(4, 3)),
    "flattened": lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.Flatten(), nn.Linear(12, 3)),
    "channels last": lambda: nn.Sequential(nn.Conv2d(2, 4, 1), ChannelsLast(), nn.Linear(12, 3)),
    "convolution": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.Identity(), nn.Conv2d(4, 3, (1, 2))
    ),
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.Identity(), nn.ConvTranspose2d(4, 3, (2, 2))
    ),
}
GROUPED = {
    "groups": lambda: nn.Sequential(
        nn.Conv2d(2, 6, 1), nn.Identity(), nn.Conv2d(6, 4, (1, 2), groups=2)
    ),
    "transposed groups": lambda: nn.Sequential(
        nn.Conv2d(2, 6, 1), nn.Identity(), nn.ConvTranspose2d(6, 4, (1, 2), groups=2)
    ),
}
SHAPE = (2, 1, 3)
EVERY = READERS | GROUPED
KEPT = np.array([0, 2, 3])


def with_reader(make):
    """A network of one group, its only reader, and images for it."""
    torch.manual_seed(0)
    network = make().double()
    x = torch.randn(5, *SHAPE).double()
    ((reader,),) = (group.readers for group in graph_of(network, x).groups)
    return network, reader, x


def kept(group, index_path, rescale_dropout=False):
    """A selection of these channels of one group."""
    rest = [i for i in range(group.width) if i not in index_path]
    path = GroupPath(group, np.array([*index_path, *rest]), np.ones(group.width))
    return Selection((GroupSelection(path, len(index_path)),), rescale_dropout)


def read_with(network, images):
    """What the rest of the network makes of images of channels."""
    with torch.no_grad():
        return network[2](network[1](images))


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_fold_lets_the_reader_see_the_estimate(make):
    network, reader, x = with_reader(make)
    matrix = torch.randn(4, 3).double()
    with torch.no_grad():
        phi = network[0](x)
    estimate = torch.einsum("cj,njhw->nchw", matrix, phi[:, KEPT])
    expected = read_with(network, estimate)
    fold(network, reader, matrix.numpy(), KEPT, by_weight=False)
    assert_close(read_with(network, phi), expected)


@pytest.mark.parametrize("make", GROUPED.values(), ids=GROUPED)
def test_fold_lets_a_reader_of_groups_see_the_estimate_of_each(make):
    network, reader, x = with_reader(make)
    matrix = torch.randn(2, 3, 2).double()
    units = np.array([[0, 2], [1, 2]])
    with torch.no_grad():
        phi = network[0](x)
    estimate = torch.zeros_like(phi)
    for group in range(2):
        own = phi[:, 3 * group + units[group]]
        estimate[:, 3 * group : 3 * group + 3] = torch.einsum("cj,njhw->nchw", matrix[group], own)
    expected = read_with(network, estimate)
    fold(network, reader, matrix.numpy(), units, by_weight=False)
    assert_close(read_with(network, phi), expected)


@pytest.mark.parametrize("name", ["linear", "flattened", "convolution"])
def test_fold_by_weight_multiplies_all_weights_of_an_output(name):
    network, reader, _ = with_reader(READERS[name])
    weight = network[2].weight.detach().clone().flatten(1)
    each = weight.shape[1] // 4
    units = np.array([each * c + q for c in KEPT for q in range(each)])
    matrix = torch.randn(weight.shape[1], len(units)).double()
    fold(network, reader, matrix.numpy(), units, by_weight=True)
    expected = torch.zeros_like(weight)
    expected[:, units] = weight @ matrix
    assert_close(network[2].weight.detach().flatten(1), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", [name for name in EVERY if "transposed" not in name])
def test_shift_adds_what_a_constant_gives(name, bias):
    network, reader, x = with_reader(EVERY[name])
    if not bias:
        network[2].bias = None
    with torch.no_grad():
        phi = network[0](x)
    offset = torch.arange(1.0, phi.shape[1] + 1).double()
    expected = read_with(network, phi + offset[:, None, None])
    by_group = offset.reshape(reader.groups, -1) if reader.groups > 1 else offset
    shift(network, reader, by_group.numpy(), by_weight=False)
    assert_close(read_with(network, phi), expected)


@pytest.mark.parametrize("name", ["transposed", "transposed groups"])
def test_shift_names_a_reader_to_whose_bias_no_constant_can_go(name):
    network, reader, _ = with_reader(EVERY[name])
    with pytest.raises(NetworkError, match=r"intercept: 2: .*conv_transpose2d"):
        shift(network, reader, np.ones((reader.groups, 3)), by_weight=False)


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_blocks_there_and_back(make):
    network, reader, _ = with_reader(make)
    weight = network[2].weight.detach()
    assert torch.equal(weight_of(blocks_of(weight, reader), reader, weight), weight)


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_a_mask_does_to_the_readers_what_zeros_in_the_channels_do(make):
    network, _, x = with_reader(make)
    (group,) = graph_of(network, x).groups
    with torch.no_grad():
        phi = network[0](x)
    removed = [place for places in np.array(group.readings[0].places)[[1]] for place in places]
    expected = phi.clone()
    expected[:, removed] = 0
    expected = read_with(network, expected)
    mask(network, kept(group, [i for i in range(group.width) if i != 1]))
    assert_close(read_with(network, phi), expected)


def test_shrink_and_its_sizes():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    x = torch.ones(2, 2, 4, 4)
    (group,) = graph_of(network, x).groups
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
    assert smaller(x).shape == (2, 3)


def test_shrink_without_affine_or_statistics():
    network = nn.Sequential(
        nn.Linear(2, 4, bias=False),
        nn.BatchNorm1d(4, affine=False, track_running_stats=False),
        nn.Linear(4, 3),
    )
    (group,) = graph_of(network.eval(), torch.randn(5, 2)).groups
    smaller = smaller_network(network, kept(group, KEPT))
    assert smaller(torch.randn(5, 2)).shape == (5, 3)


def test_shrink_keeps_attributes_of_parameters_and_memory_format():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
    network = nn.Sequential(*network, nn.Linear(16, 3)).to(memory_format=torch.channels_last)
    network[2].weight.no_decay = True
    (first, _) = graph_of(network, torch.ones(1, 2, 6, 6)).groups
    smaller = smaller_network(network, kept(first, KEPT))
    assert smaller[2].weight.no_decay
    assert smaller[2].weight.is_contiguous(memory_format=torch.channels_last)
    assert not smaller[2].weight.is_contiguous()


def test_a_shared_module_stays_shared():
    shared = nn.Linear(6, 6)
    network = randomised(nn.Sequential(nn.Linear(5, 6), shared, nn.ReLU(), shared, nn.Linear(6, 2)))
    x = torch.randn(4, 5).double()
    (group,) = graph_of(network, x).groups
    smaller = smaller_network(network, kept(group, [1, 4, 5]))
    assert smaller[1] is smaller[3]
    assert smaller[1].weight.shape == (3, 3)
    assert outputs(smaller, [x]).shape == (4, 2)


@pytest.mark.parametrize(("rescale", "p"), [(True, 0.1), (False, 0.4)])
def test_rescale_dropout(rescale, p):
    network = written(lambda net, x: x, drop=nn.Dropout(0.4), other=nn.Dropout2d(0.4))
    selection = kept(Group("a", 8, (), (), (), ("drop",)), np.array([2, 7]), rescale)
    smaller = smaller_network(network, selection)
    assert_allclose([smaller.drop.p, smaller.other.p], [p, 0.4])
