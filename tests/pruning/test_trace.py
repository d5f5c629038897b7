import pytest
import torch
from torch import nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.calibration import Example
from mini_exp.pruning.graph import Frozen, Layer, Slot
from mini_exp.pruning.trace import channel_graph
from tests.pruning.examples import (
    NETWORKS,
    assert_same,
    batch_norms,
    example,
    graph_of,
    module_of,
    snapshot,
    written,
)


def graph_named(name):
    network, (x, *_) = example(name)
    return graph_of(network, x[:1])


def readers(group):
    return {reader.module: reader.positions for reader in group.readers}


def writers(group):
    return [module_of(name) for name in group.writers]


def alone(width):
    """Places where every channel has the entry of its own number."""
    return tuple((i,) for i in range(width))


def test_mlp():
    first, second = graph_named("mlp").groups
    assert (first.name, first.width, first.writers) == ("0", 8, ("0.weight",))
    assert first.slots == (
        Slot("0.weight", 0, 8, alone(8)),
        Slot("0.bias", 0, 8, alone(8)),
        Slot("2.weight", 1, 8, alone(8), reads=True, masked=True),
    )
    assert [reading.places for reading in first.readings] == [alone(8)]
    (reader,) = first.readers
    assert (reader.weight, reader.input_axis, reader.output_axis) == ("2.weight", 1, 0)
    assert (reader.operation, reader.axis, reader.channels) == ("linear", -1, 8)
    assert (second.name, second.width, readers(second)) == ("2", 7, {"4": 1})


def test_layers_of_a_cnn():
    assert graph_named("cnn").layers == (
        Layer("0", 9, 16, ((None, 2),), (("0", 6),)),
        Layer("2", 9, 16, (("0", 6),), (("2", 5),)),
        Layer("7", 1, 1, (("2", 20),), (("7", 6),)),
        Layer("9", 1, 1, (("7", 6),), ((None, 3),)),
    )


def test_positions_of_flattened_images():
    assert [readers(group) for group in graph_named("digits").groups] == [
        {"conv2": 1},
        {"conv3": 1},
        {"conv4": 1},
        {"hidden": 4},
        {"output": 1},
    ]


def test_entries_of_a_flattened_channel_go_with_it():
    last = graph_named("cnn").groups[1]
    (slot,) = (slot for slot in last.slots if slot.reads)
    assert (slot.tensor, slot.size) == ("7.weight", 20)
    assert slot.places == tuple(tuple(range(4 * c, 4 * c + 4)) for c in range(5))


def test_dropouts_and_batch_norms():
    network, (x, *_) = example("mlp, batch norm")
    first, second = graph_of(network, x).groups
    assert (batch_norms(network, first), first.dropouts) == (("1",), ("3",))
    assert (batch_norms(network, second), second.dropouts) == (("5",), ())


def test_a_batch_norm_of_the_input_is_in_no_group():
    network, (x, *_) = example("cnn, batch norm")
    assert [batch_norms(network, group) for group in graph_of(network, x).groups] == [("2",), ()]


def test_readers_of_one_tensor_and_of_two():
    (first, second) = graph_named("two readers").groups
    assert readers(first) == {"b": 1, "c": 1}
    assert len({reader.tensor for reader in first.readers}) == 1
    assert writers(second) == ["b", "c"]
    group = graph_named("read twice").groups[0]
    assert readers(group) == {"b": 1, "c": 9}
    assert len({reader.tensor for reader in group.readers}) == 2


def test_pre_activation_stages_are_groups():
    network, (x, *_) = example("pre-activation")
    groups = {group.name: group for group in graph_of(network, x).groups}
    assert set(groups) == {"0", "1.conv1", "2.conv1", "2.conv2", "3.conv1"}
    assert writers(groups["0"]) == ["0", "1.conv2"]
    assert batch_norms(network, groups["0"]) == ("1.norm1", "2.norm1")
    assert readers(groups["0"]) == {"1.conv1": 1, "2.conv1": 1, "2.shortcut": 1}
    assert set(writers(groups["2.conv2"])) == {"2.conv2", "2.shortcut", "3.conv2"}
    assert batch_norms(network, groups["2.conv2"]) == ("3.norm1", "4")
    assert readers(groups["2.conv2"]) == {"3.conv1": 1, "8": 1}


def test_post_activation_stages_are_groups():
    network, (x, *_) = example("post-activation")
    groups = {group.name: group for group in graph_of(network, x).groups}
    assert writers(groups["0"]) == ["0", "3.conv2"]
    assert batch_norms(network, groups["0"]) == ("1", "3.norm2")
    assert set(writers(groups["4.conv2"])) == {"4.conv2", "4.shortcut.0", "5.conv2"}
    assert set(batch_norms(network, groups["4.conv2"])) == {"4.norm2", "4.shortcut.1", "5.norm2"}


def groups_in(entries):
    return {name for name, _ in entries}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weighted_layer_reads_and_writes_once(name):
    network, (x, *_) = example(name)
    graph = graph_of(network, x[:1])
    weighted = [n for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert sorted(layer.module for layer in graph.layers) == sorted(weighted)
    for group in graph.groups:
        writes = {layer.module for layer in graph.layers if group.name in groups_in(layer.writes)}
        reads = {layer.module for layer in graph.layers if group.name in groups_in(layer.reads)}
        assert writes == set(writers(group))
        assert reads == set(readers(group))


def test_groups_that_stay_are_no_groups_of_the_layers_either():
    graph = graph_named("nested")
    assert [group.name for group in graph.groups] == ["a", "b", "c"]
    left = graph.without({"a": "not wanted", "b": "tied"})
    assert [group.name for group in left.groups] == ["c"]
    assert [(groups_in(layer.reads), groups_in(layer.writes)) for layer in left.layers] == [
        ({None}, {None}),
        ({None}, {None}),
        ({None}, {"c"}),
        ({"c"}, {None}),
        ({None}, {None}),
        ({None}, {None}),
    ]
    assert left.frozen == (Frozen("a", 6, "not wanted"), Frozen("b", 5, "tied"))


def test_input_and_output_are_in_no_group():
    for name in NETWORKS:
        network, _ = example(name)
        last = [n for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
        assert all(last not in writers(group) for group in graph_named(name).groups)


@pytest.mark.parametrize("name", ["nested", "digits", "post-activation"])
def test_several_samples_give_the_same(name):
    network, (x, *_) = example(name)
    assert graph_of(network, x) == graph_of(network, x[:1])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_not_changed(name):
    network, (x, *_) = example(name)
    network.train()
    before = snapshot(network)
    graph_of(network, x[:1])
    assert_same(before, snapshot(network))


def test_a_layer_that_nobody_reads_is_in_no_group():
    def forward(net, x):
        net.spare(x)
        return net.out(torch.relu(net.a(x)))

    network = written(forward, a=nn.Linear(6, 8), spare=nn.Linear(6, 5), out=nn.Linear(8, 3))
    graph = graph_of(network, torch.ones(1, 6))
    assert [group.name for group in graph.groups] == ["a"]
    assert Layer("spare", 1, 1, ((None, 6),), ((None, 5),)) in graph.layers
    assert graph.frozen == (Frozen("spare", 5, "nothing reads it"),)


def test_an_activation_may_be_used_again():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(6, 8), relu, nn.Linear(8, 7), relu, nn.Linear(7, 3))
    graph = graph_of(network, torch.ones(1, 6))
    assert [group.name for group in graph.groups] == ["0", "2"]


def test_a_batch_norm_used_twice_ties_what_it_normalises():
    norm = nn.BatchNorm1d(6)
    network = nn.Sequential(nn.Linear(5, 6), norm, nn.Linear(6, 6), norm, nn.Linear(6, 3))
    (group,) = graph_of(network, torch.ones(1, 5)).groups
    assert group.writers == ("0.weight", "2.weight")
    assert readers(group) == {"2": 1, "4": 1}


def test_what_stays_says_why_and_where():
    network = nn.Sequential(nn.Linear(6, 8), nn.Softmax(1), nn.Linear(8, 4), nn.Linear(4, 3))
    graph = graph_of(network, torch.ones(2, 6))
    assert [group.name for group in graph.groups] == ["2"]
    assert graph.frozen == (Frozen("0", 8, "1: softmax over channels"),)


def test_a_function_without_a_rule_lets_its_channels_stay():
    network = written(
        lambda net, x: net.out(torch.linalg.matrix_exp(net.a(x))),
        a=nn.Linear(6, 6),
        out=nn.Linear(6, 3),
    )
    graph = graph_of(network, torch.ones(6, 6))
    assert not graph.groups
    assert graph.frozen == (Frozen("a", 6, "the network: linalg_matrix_exp is not covered"),)


def test_a_network_that_does_not_run_is_named_with_its_batch():
    with pytest.raises(NetworkError, match=r"Sequential does not take a batch \(1, 5\).*mat1"):
        channel_graph(nn.Sequential(nn.Linear(6, 3)), Example((torch.ones(1, 5),), {}))
