import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import MiniExpError
from tests.pruning.examples import (
    NETWORKS,
    assert_same,
    batch_norms,
    example,
    mlp,
    module_of,
    outputs,
    randomised,
    snapshot,
)
from tests.pruning.naive import naively_pruned
from tests.pruning.pruned import images, vectors

OPTIONS = {
    "reconstruct": {},
    "slice": {"weights": "slice"},
    "intercept": {"intercept": True},
}
MORE_OPTIONS = {
    **OPTIONS,
    "sequential": {"sequential": True},
    "sequential, intercept": {"sequential": True, "intercept": True},
    "not tied": {"tied": False},
}


# Against the original with zeros


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_original_with_removed_channels_at_zero(name, options):
    network, batches = example(name)
    smaller, selection = prune(network, batches, keep=0.5, **options)
    naive = naively_pruned(network, selection, batches, **options)
    assert_close(outputs(smaller, batches), outputs(naive, batches), rtol=1e-6, atol=1e-8)
    others = [3 * batches[0]]
    assert_close(outputs(smaller, others), outputs(naive, others), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_are_those_of_the_selection(name):
    network, batches = example(name)
    smaller, selection = prune(network, batches, keep=0.5)
    for path in selection.groups:
        kept = len(path.index_path)
        assert kept == max(int(0.5 * path.group.width + 0.5), 1)
        for writer in path.group.writers:
            module = smaller.get_submodule(module_of(writer))
            assert len(module.weight) == kept
            assert getattr(module, "out_channels", getattr(module, "out_features", 0)) == kept
        for norm in batch_norms(network, path.group):
            assert smaller.get_submodule(norm).num_features == kept
            assert len(smaller.get_submodule(norm).running_var) == kept
        for reader in path.group.readers:
            module = smaller.get_submodule(reader.module)
            size = getattr(module, "in_channels", getattr(module, "in_features", 0))
            assert size == module.weight.shape[1] == kept * reader.positions


@pytest.mark.parametrize("name", NETWORKS)
def test_everything_kept_changes_no_bit(name):
    network, batches = example(name)
    smaller, selection = prune(network, batches, keep=1.0)
    assert torch.equal(outputs(network, batches), outputs(smaller, batches))
    assert_same({"state": network.state_dict()}, {"state": smaller.state_dict()})
    assert all(len(path.index_path) == path.group.width for path in selection.groups)


@pytest.mark.parametrize("options", MORE_OPTIONS.values(), ids=MORE_OPTIONS)
@pytest.mark.parametrize("name", ["mlp, batch norm", "cnn, batch norm", "post-activation"])
def test_the_original_is_not_changed(name, options):
    network, batches = example(name)
    next(network.parameters()).requires_grad_(False)
    next(module for module in network.modules() if module is not network).train()
    before = snapshot(network)
    smaller, _ = prune(network, batches, keep=0.5, **options)
    assert_same(before, snapshot(network))
    theirs = {id(p) for p in network.parameters()} | {id(b) for b in network.buffers()}
    assert not theirs & ({id(p) for p in smaller.parameters()} | {id(b) for b in smaller.buffers()})
    now = {name: p.requires_grad for name, p in smaller.named_parameters()}
    assert {name: now[name] for name in before["grads"]} == before["grads"]
    assert snapshot(smaller)["modes"] == before["modes"]
    assert snapshot(smaller)["hooks"] == 0


@pytest.mark.parametrize("name", ["mlp, batch norm", "cnn, batch norm", "digits", "scaled"])
def test_train_mode_gives_the_same_and_comes_back(name):
    network, batches = example(name)
    expected, _ = prune(network, batches, keep=0.5, sequential=True)
    smaller, _ = prune(network.train(), batches, keep=0.5, sequential=True)
    assert network.training
    assert all(module.training for module in smaller.modules())
    assert torch.equal(outputs(smaller, batches), outputs(expected, batches))


@pytest.mark.parametrize("bad", [torch.randn(3, 7), torch.full((3, 6), torch.nan)])
def test_a_failure_leaves_the_network_as_it_was(bad):
    network = mlp().train()
    before = snapshot(network)
    with pytest.raises(MiniExpError):
        prune(network, [vectors(), bad], keep=0.5)
    assert_same(before, snapshot(network))


@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "residual in place"])
def test_runs_backward(name):
    network, batches = example(name)
    smaller, _ = prune(network, batches, keep=0.5)
    smaller(batches[0]).sum().backward()
    assert all(parameter.grad is not None for parameter in smaller.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


# Properties


def low_rank(network, name, factor):
    """Make a layer write channels of the rank of the factor (m, r), all of them positive."""
    module = network.get_submodule(name)
    r = factor.shape[1]
    module.weight.data = (factor @ module.weight.data[:r].flatten(1).abs()).reshape_as(
        module.weight
    )
    module.bias.data = factor @ module.bias.data[:r].abs()


@pytest.mark.parametrize(
    "options", [{}, {"intercept": True}, {"sequential": True}, {"refit": True}], ids=str
)
def test_the_rank_of_the_channels_is_enough_for_a_linear_layer(options):
    network, _ = example("mlp")
    low_rank(network, "0", torch.rand(8, 3, generator=torch.Generator().manual_seed(1)).double())
    x = [vectors().double().abs()]
    smaller, _ = prune(network, x, widths={"0": 3}, ridge=0.0, **options)
    assert_close(outputs(smaller, x), outputs(network, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("refit", [False, True])
def test_the_rank_of_the_channels_is_enough_for_a_convolution(refit):
    network = nn.Sequential(
        *(nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, stride=2, padding=1)),
        *(nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)),
    )
    network = randomised(network)
    low_rank(network, "0", torch.rand(6, 2, generator=torch.Generator().manual_seed(1)).double())
    x = [images().double().abs()]
    smaller, _ = prune(network, x, widths={"0": 2}, ridge=0.0, refit=refit)
    assert_close(outputs(smaller, x), outputs(network, x), rtol=1e-8, atol=1e-8)


def test_an_affine_dependence_needs_the_intercept():
    """One channel is 1 minus another: only a constant restores it."""
    network = nn.Sequential(nn.Linear(6, 2), nn.Linear(2, 3, bias=False)).double()
    network[0].weight.data[1] = -network[0].weight.data[0]
    network[0].bias.data[1] = 1 - network[0].bias.data[0]
    x = [vectors().double()]
    with_constant, _ = prune(network, x, keep=0.5, ridge=0.0, intercept=True)
    without, _ = prune(network, x, keep=0.5, ridge=0.0)
    assert_close(outputs(with_constant, x), outputs(network, x), rtol=1e-9, atol=1e-10)
    assert (outputs(without, x) - outputs(network, x)).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["mlp", "cnn", "residual mlp"])
def test_permuted_channels_give_the_permuted_selection(name):
    network, batches = example(name)
    smaller, selection = prune(network, batches, keep=0.5)
    group = selection.groups[0].group
    order = torch.randperm(group.width, generator=torch.Generator().manual_seed(3))
    permuted = copy.deepcopy(network)
    for writer in group.writers:
        module = permuted.get_submodule(module_of(writer))
        module.weight.data = module.weight.data[order]
        module.bias.data = module.bias.data[order]
    for reader in group.readers:
        module = permuted.get_submodule(reader.module)
        by_channel = module.weight.data.unflatten(1, (group.width, -1))
        module.weight.data = by_channel[:, order].reshape(module.weight.shape)
    assert_close(outputs(permuted, batches), outputs(network, batches))
    other, found = prune(permuted, batches, keep=0.5)
    assert order[found.groups[0].index_path].tolist() == selection.groups[0].index_path.tolist()
    assert found.groups[-1].index_path.tolist() == selection.groups[-1].index_path.tolist() or (
        len(selection.groups) == 1
    )
    assert_close(outputs(other, batches), outputs(smaller, batches), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("options", MORE_OPTIONS.values(), ids=MORE_OPTIONS)
@pytest.mark.parametrize("name", ["mlp", "cnn", "nested", "residual mlp"])
def test_batching_does_not_matter(name, options):
    network, batches = example(name)
    x = torch.cat(batches)
    expected, selection = prune(network, [x], keep=0.5, **options)
    for split in (x.split(9), x.split(1)):
        smaller, found = prune(network, list(split), keep=0.5, **options)
        assert found.index_sets == selection.index_sets
        assert_close(outputs(smaller, [x]), outputs(expected, [x]), rtol=1e-7, atol=1e-9)


def test_two_runs_give_the_same_bits():
    network, batches = example("pre-activation")
    first, second = (prune(network, batches, keep=0.5)[0] for _ in range(2))
    assert torch.equal(outputs(first, batches), outputs(second, batches))


def test_torch_s_generator_is_left_alone():
    network, batches = example("digits")
    state = torch.get_rng_state()
    prune(network.train(), batches, keep=0.5)
    assert torch.equal(torch.get_rng_state(), state)


def test_dead_channels_come_last_and_the_width_is_filled():
    network, batches = example("mlp")
    network[0].weight.data[[1, 4]] = 0
    network[0].bias.data[[1, 4]] = -1.0
    _, selection = prune(network, batches, widths={"0": 6})
    assert selection.index_sets["0"] == [0, 2, 3, 5, 6, 7]
    smaller, selection = prune(network, batches, widths={"0": 7})
    assert selection.groups[0].index_path[-1] == 1
    assert_close(outputs(smaller, batches), outputs(network, batches), rtol=1e-4, atol=1e-4)


def test_a_dead_layer():
    network, batches = example("mlp")
    network[0].weight.data.zero_()
    network[0].bias.data.fill_(-1.0)
    smaller, selection = prune(network, batches, widths={"0": 1})
    assert selection.widths == {"0": 1, "2": 7}
    assert torch.equal(outputs(smaller, batches), outputs(network, batches))


def test_tied_groups_keep_the_same_channels():
    network, batches = example("nested")
    smaller, selection = prune(network, batches, keep=0.5, weights="slice")
    assert {p.group.name: p.group.writers for p in selection.groups} == {
        "a": ("a.weight", "e.weight"),
        "b": ("b.weight", "d.weight"),
        "c": ("c.weight",),
    }
    for path in selection.groups:
        for writer in path.group.writers:
            original, kept = (net.get_submodule(module_of(writer)) for net in (network, smaller))
            assert torch.equal(kept.bias, original.bias[path.index_set])


def test_slices_keep_the_weights():
    network, batches = example("cnn")
    smaller, selection = prune(network, batches, keep=0.5, weights="slice")
    first, second, third = (path.index_set for path in selection.groups)
    assert torch.equal(smaller[0].weight, network[0].weight[first])
    assert torch.equal(smaller[2].weight, network[2].weight[second][:, first])
    by_channel = network[7].weight.unflatten(1, (5, 4))[third][:, second]
    assert torch.equal(smaller[7].weight, by_channel.flatten(1))
    assert torch.equal(smaller[9].bias, network[9].bias)


@pytest.mark.parametrize("name", ["pre-activation", "post-activation", "nested", "residual mlp"])
def test_untied_leaves_the_stream_whole(name):
    network, batches = example(name)
    _, selection = prune(network, batches, keep=0.5, tied=False)
    assert selection.groups
    assert all(len(path.group.writers) == 1 for path in selection.groups)
