"""Branches of training, subclasses, shared parts, masks of tokens, networks made for inference."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.pruning.moments import reader_moments
from tests.pruning.examples import graph_of, randomised, snapshot, written
from tests.pruning.pruned import images, vectors
from tests.pruning.zeroed import all_outputs, assert_pruned_right


class WithAuxiliaryHead(nn.Module):
    """A second head, in training only, as Inception and GoogLeNet have."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 6, 3), nn.Conv2d(6, 8, 3)
        self.auxiliary = nn.Sequential(
            nn.Conv2d(6, 5, 1), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3)
        )
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.a(x))
        y = self.out(torch.relu(self.b(x)).mean((2, 3)))
        return (y, self.auxiliary(x)) if self.training else y


def test_a_head_that_is_used_in_training_only_is_pruned_with_the_rest(tmp_path):
    network = randomised(WithAuxiliaryHead())
    smaller, selection = assert_pruned_right(network, [images().double()], tmp_path)
    assert selection.widths["a"] == 3
    assert smaller.auxiliary[0].weight.shape[1] == 3
    assert [tuple(y.shape) for y in smaller.train()(images().double())] == [(12, 3)] * 2


def test_the_head_of_training_sees_the_kept_channels():
    network = randomised(WithAuxiliaryHead())
    x = images().double()
    smaller, selection = prune(network, [x], widths={"a": 3}, weights="slice")
    full = copy.deepcopy(network).train()
    removed = sorted(set(range(6)) - set(selection.index_sets["a"]))
    full.auxiliary[0].weight.data[:, removed] = 0
    assert_close(smaller.train()(x)[1], full(x)[1], rtol=1e-9, atol=1e-9)


class Targets(nn.Module):
    """A network that trains on something else than it is used on."""

    def __init__(self):
        super().__init__()
        self.a, self.out = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x, target=None):
        y = self.out(torch.relu(self.a(x)))
        return functional.mse_loss(y, target) if self.training else y


def test_a_network_that_does_not_train_on_what_it_is_given_is_pruned_as_it_is_used():
    network = randomised(Targets())
    x = vectors().double()
    smaller, selection = prune(network, [x], keep=0.5)
    assert selection.widths == {"a": 4}
    assert smaller.train()(x, torch.zeros(40, 3)).ndim == 0


class Plus(nn.Linear):
    """Counts by what it does, not by its class."""

    def forward(self, x):
        return functional.relu(super().forward(x)) + self.bias


class Swapped(nn.Linear):
    """Reads with its rows."""

    def forward(self, x):
        return x @ self.weight


def test_a_subclass_of_linear_counts_by_what_it_does(tmp_path):
    network = randomised(nn.Sequential(nn.Linear(6, 8), Plus(8, 7), nn.Linear(7, 3)))
    _, selection = assert_pruned_right(network, [vectors().double()], tmp_path)
    assert selection.widths == {"0": 4, "1": 4}


def test_a_subclass_of_linear_may_read_with_its_rows(tmp_path):
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), Swapped(7, 8, bias=False), nn.Linear(7, 3))
    smaller, selection = assert_pruned_right(randomised(network), [vectors().double()], tmp_path)
    assert selection.widths == {"0": 4, "2": 4}
    assert smaller[2].weight.shape == (4, 4)


class Standardised(nn.Conv2d):
    """A weight that is standardised at every call."""

    def forward(self, x):
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / self.weight.std((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias)


def test_a_standardised_weight_keeps_what_it_reads_and_loses_what_it_writes(tmp_path):
    network = nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.ReLU(), Standardised(4, 6, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(96, 3)),
    )
    _, selection = assert_pruned_right(randomised(network), [images().double()], tmp_path)
    assert selection.widths == {"2": 3}
    assert [one.name for one in selection.frozen] == ["0"]


def siamese():
    """Layers that are called several times, in another order."""

    def forward(net, x):
        first, second = (torch.relu(net.a(one)) for one in (x, -x))
        return net.out(torch.tanh(net.b(first)) * torch.tanh(net.b(second)) + net.b(first * second))

    return written(forward, a=nn.Linear(6, 8), b=nn.Linear(8, 7), out=nn.Linear(7, 3))


def test_a_module_that_is_called_several_times_is_pruned_once(tmp_path):
    _, selection = assert_pruned_right(randomised(siamese()), [vectors().double()], tmp_path)
    assert selection.widths == {"a": 4, "b": 4}


@pytest.mark.parametrize("options", [{}, {"weights": "slice"}, {"intercept": True}], ids=str)
def test_shared_layers_stay_shared_and_finite(options):
    network, x = randomised(siamese()), [vectors().double()]
    smaller, _ = prune(network, x, keep=0.5, **options)
    assert all(torch.isfinite(y).all() for y in all_outputs(smaller, x))


def test_two_modules_with_one_weight_keep_sharing_it(tmp_path):
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
    network = nn.Sequential(*network, nn.Tanh(), nn.Linear(8, 3))
    network[4].weight = network[2].weight
    smaller, selection = assert_pruned_right(randomised(network), [vectors().double()], tmp_path)
    assert smaller[4].weight is smaller[2].weight
    assert smaller[4].weight.shape == (4, 4)
    assert list(selection.widths.values()) == [4]


@pytest.mark.parametrize("inside", [False, True])
def test_networks_made_for_inference_give_networks_that_can_be_trained(inside):
    with torch.inference_mode():
        network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
        network.eval()
        x = vectors()
    with torch.inference_mode(inside):
        smaller, _ = prune(network, [x], keep=0.5)
    smaller.train()(vectors()).sum().backward()
    assert all(parameter.grad is not None for parameter in smaller.parameters())


def test_frozen_parameters_and_batch_norms_stay_frozen():
    network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).train()
    network[0].weight.requires_grad_(False)
    network[1].eval()
    smaller, _ = prune(network, [vectors()], keep=0.5)
    assert not smaller[0].weight.requires_grad
    assert smaller[0].bias.requires_grad
    assert snapshot(smaller)["modes"] == snapshot(network)["modes"]


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.a, self.out = nn.Embedding(9, 6), nn.Linear(6, 8), nn.Linear(8, 2)

    def forward(self, input_ids, attention_mask=None):
        x = torch.relu(self.a(self.embedding(input_ids)))
        return {"last": self.out(x)}


def test_padded_positions_do_not_count():
    network = randomised(Tokens())
    ids = torch.randint(9, (10, 7), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(7) < torch.arange(10)[:, None] % 7 + 1).long()
    (group, *_) = (g for g in graph_of(network, ids).groups if g.name == "a")
    batches = [{"input_ids": ids, "attention_mask": mask}]
    moments = reader_moments(network, group.readers, batches)[group.readers[0].tensor]
    with torch.no_grad():
        rows = torch.relu(network.a(network.embedding(ids)))[mask.bool()].numpy()
    assert moments.n_rows == int(mask.sum())
    assert_close(moments.second_moment(), rows.T @ rows / len(rows), rtol=1e-12, atol=1e-12)


def test_what_padding_holds_changes_nothing():
    network = randomised(Tokens())
    ids = torch.randint(9, (10, 7), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(7) < 4).long().expand(10, 7)
    first, second = (
        prune(network, [{"input_ids": x, "attention_mask": mask}], keep=0.5)
        for x in (ids, torch.where(mask.bool(), ids, 8))
    )
    assert first[1].index_sets == second[1].index_sets
    assert_close(first[0].out.weight, second[0].out.weight, rtol=0, atol=0)
