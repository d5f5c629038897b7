import pytest
import torch
from torch import nn

from mini_exp.errors import NetworkError
from mini_exp.pruning.graph import Group, Layer, Reader
from mini_exp.pruning.trace import channel_graph
from tests.pruning.examples import NETWORKS, assert_same, example, snapshot, written


def graph_of(name):
    network, (x, *_) = example(name)
    return channel_graph(network, x[:1])


def readers(group):
    return {reader.module: reader.positions for reader in group.readers}


def test_mlp():
    first, second = graph_of("mlp").groups
    assert first == Group("0", 8, ("0",), (), (), (Reader("2", "_1", 8, 1),))
    assert (second.name, second.width, readers(second)) == ("2", 7, {"4": 1})


def test_layers_of_a_cnn():
    assert graph_of("cnn").layers == (
        Layer("0", None, "0", 16),
        Layer("2", "0", "2", 16),
        Layer("7", "2", "7", 1),
        Layer("9", "7", None, 1),
    )


def test_positions_of_flattened_images():
    assert [readers(group) for group in graph_of("digits").groups] == [
        {"conv2": 1},
        {"conv3": 1},
        {"conv4": 1},
        {"hidden": 4},
        {"output": 1},
    ]


def test_dropouts_and_batch_norms():
    first, second = graph_of("mlp, batch norm").groups
    assert (first.batch_norms, first.dropouts) == (("1",), ("3",))
    assert (second.batch_norms, second.dropouts) == (("5",), ())


def test_a_batch_norm_of_the_input_is_in_no_group():
    graph = graph_of("cnn, batch norm")
    assert [group.batch_norms for group in graph.groups] == [("2",), ()]


def test_readers_of_one_tensor_and_of_two():
    (first, second) = graph_of("two readers").groups
    assert readers(first) == {"b": 1, "c": 1}
    assert len({reader.tensor for reader in first.readers}) == 1
    assert second.writers == ("b", "c")
    group = graph_of("read twice").groups[0]
    assert readers(group) == {"b": 1, "c": 9}
    assert len({reader.tensor for reader in group.readers}) == 2


def test_pre_activation_stages_are_groups():
    groups = {group.name: group for group in graph_of("pre-activation").groups}
    assert set(groups) == {"0", "1.conv1", "2.conv1", "2.conv2", "3.conv1"}
    assert groups["0"].writers == ("0", "1.conv2")
    assert groups["0"].batch_norms == ("1.norm1", "2.norm1")
    assert readers(groups["0"]) == {"1.conv1": 1, "2.conv1": 1, "2.shortcut": 1}
    assert groups["2.conv2"].writers == ("2.conv2", "2.shortcut", "3.conv2")
    assert groups["2.conv2"].batch_norms == ("3.norm1", "4")
    assert readers(groups["2.conv2"]) == {"3.conv1": 1, "8": 1}


def test_post_activation_stages_are_groups():
    groups = {group.name: group for group in graph_of("post-activation").groups}
    assert groups["0"].writers == ("0", "3.conv2")
    assert groups["0"].batch_norms == ("1", "3.norm2")
    assert set(groups["4.conv2"].writers) == {"4.conv2", "4.shortcut.0", "5.conv2"}
    assert set(groups["4.conv2"].batch_norms) == {"4.norm2", "4.shortcut.1", "5.norm2"}


def test_every_weighted_layer_reads_and_writes_once():
    for name in NETWORKS:
        network, _ = example(name)
        graph = graph_of(name)
        weighted = [n for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        assert sorted(layer.module for layer in graph.layers) == sorted(weighted)
        for group in graph.groups:
            writes = {layer.module for layer in graph.layers if layer.writes == group.name}
            reads = {layer.module for layer in graph.layers if layer.reads == group.name}
            assert writes == set(group.writers)
            assert reads == set(readers(group))


def test_without_tied():
    graph = graph_of("nested")
    assert [group.name for group in graph.groups] == ["a", "b", "c"]
    untied = graph.without_tied()
    assert [group.name for group in untied.groups] == ["c"]
    assert [(layer.reads, layer.writes) for layer in untied.layers] == [
        (None, None),
        (None, None),
        (None, "c"),
        ("c", None),
        (None, None),
        (None, None),
    ]


def test_input_and_output_are_in_no_group():
    for name in NETWORKS:
        network, _ = example(name)
        last = [n for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
        assert all(last not in group.writers for group in graph_of(name).groups)


def test_several_samples_give_the_same():
    network, (x, *_) = example("nested")
    assert channel_graph(network, x) == channel_graph(network, x[:1])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_not_changed(name):
    network, (x, *_) = example(name)
    network.train()
    before = snapshot(network)
    channel_graph(network, x[:1])
    assert_same(before, snapshot(network))


def test_a_layer_that_nobody_reads_is_in_no_group():
    def forward(net, x):
        net.spare(x)
        return net.out(torch.relu(net.a(x)))

    network = written(forward, a=nn.Linear(6, 8), spare=nn.Linear(6, 5), out=nn.Linear(8, 3))
    graph = channel_graph(network, torch.ones(1, 6))
    assert [group.name for group in graph.groups] == ["a"]
    assert Layer("spare", None, None, 1) in graph.layers


def test_an_activation_may_be_used_again():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(6, 8), relu, nn.Linear(8, 7), relu, nn.Linear(7, 3))
    graph = channel_graph(network, torch.ones(1, 6))
    assert [group.name for group in graph.groups] == ["0", "2"]


def test_a_batch_norm_used_twice_is_refused():
    norm = nn.BatchNorm1d(6)
    network = nn.Sequential(nn.Linear(6, 6), norm, nn.Linear(6, 6), norm, nn.Linear(6, 3))
    with pytest.raises(NetworkError, match="1: is called more than once"):
        channel_graph(network, torch.ones(1, 6))
