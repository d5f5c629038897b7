import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from mini_exp.pruning import flattened
from mini_exp.pruning.flattened import flattened_spectra
from tests.pruning.examples import assert_same, example, graph_of, padded, snapshot


def explicit(network, group, x):
    """Eigenvalues of the m × m second moment of all units, descending."""
    seen = []
    module = network.get_submodule(group.readers[0].module)
    handle = module.register_forward_pre_hook(
        lambda module, args: seen.append(padded(module, args[0]).flatten(1))
    )
    with torch.no_grad():
        network(x)
    handle.remove()
    phi = seen[0].double().numpy()
    return np.linalg.eigvalsh(phi.T @ phi / len(phi))[::-1], phi.shape[1]


@pytest.mark.parametrize("block", [1, 40_000, 64e6])
@pytest.mark.parametrize("name", ["mlp", "cnn", "nested", "read twice"])
def test_equals_the_explicit_second_moment(name, block, monkeypatch):
    monkeypatch.setattr(flattened, "BLOCK_BYTES", block)
    network, batches = example(name, n=20)
    x = torch.cat(batches)
    graph = graph_of(network, x[:1])
    eigenvalues, n_units = flattened_spectra(network, graph, x.split(7))
    assert list(eigenvalues) == list(n_units) == [group.name for group in graph.groups]
    for group in graph.groups:
        expected, m = explicit(network, group, x)
        assert n_units[group.name] == m
        found = eigenvalues[group.name]
        assert found.shape == (20,)
        assert (np.diff(found) <= 0).all()
        k = min(20, m)
        assert_allclose(found[:k], expected[:k], rtol=1e-8, atol=1e-10 * expected[0])
        assert_allclose(found[k:], 0, atol=1e-10 * expected[0])


def test_the_network_stays_as_it_was():
    network, batches = example("digits", n=4)
    network.train()
    before = snapshot(network)
    flattened_spectra(network, graph_of(network, batches[0][:1]), batches[0].split(2))
    assert_same(before, snapshot(network))


def test_the_network_is_left_as_soon_as_the_layer_is_there():
    network, (x, *_) = example("mlp", n=10)
    graph = graph_of(network, x[:1])
    calls = []
    network[4].register_forward_hook(lambda *_: calls.append(1))
    flattened_spectra(network, graph, x.split(5))
    assert not calls


def test_train_mode_gives_the_same():
    network, (x, *_) = example("mlp, batch norm", n=12)
    graph = graph_of(network, x[:1])
    expected, _ = flattened_spectra(network, graph, x.split(4))
    found, _ = flattened_spectra(network.train(), graph, [x])
    for name in expected:
        assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)


def test_float32_activations_are_summed_in_float64():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1))
    network[0].weight.data = torch.tensor([[1.0, 0.0], [0.0, 1e-5]])
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    found, _ = flattened_spectra(network, graph_of(network, x[:1]), [x])
    assert_allclose(found["0"], [1.0, float(np.float32(1e-5)) ** 2], rtol=1e-5)
