"""A function is a rule and a line: two that PyTorch does not know are pruned like any other."""

import pytest
import torch
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function
from torch.testing import assert_close

from mini_exp import prune
from mini_exp.errors import DomainError
from mini_exp.pruning.operations import RULES
from mini_exp.pruning.operations.elementwise import join
from mini_exp.pruning.operations.product import contract
from tests.pruning.examples import graph_of, outputs, randomised, written
from tests.pruning.pruned import vectors


def cubed(x):
    """Element by element, unseen by PyTorch."""
    if has_torch_function((x,)):
        return handle_torch_function(cubed, (x,), x)
    return torch.from_numpy(x.detach().numpy() ** 3)


def transposed_linear(x, weight):
    """A linear layer whose weight is (in, out)."""
    if has_torch_function((x, weight)):
        return handle_torch_function(transposed_linear, (x, weight), x, weight)
    return torch.from_numpy(x.detach().numpy() @ weight.detach().numpy())


def read_transposed(run, call):
    run.label(call.result, contract(run, call, call.args, ["na", "ab"], "nb"))


class Transposed(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return transposed_linear(x, self.weight)


def mlp(activation):
    return randomised(
        written(
            lambda net, x: net.out(activation(net.b(activation(net.a(x))))),
            a=nn.Linear(6, 8),
            b=nn.Linear(8, 7, bias=False),
            out=nn.Linear(7, 2),
        )
    )


def test_a_function_without_a_rule_lets_its_channels_stay():
    graph = graph_of(mlp(cubed), vectors().double())
    assert not graph.groups
    assert [frozen.reason for frozen in graph.frozen] == ["the network: cubed is not covered"] * 2


def test_a_network_of_which_nothing_is_covered_is_refused():
    with pytest.raises(DomainError, match="expected a layer between input and output to prune"):
        prune(mlp(cubed), [vectors().double()], keep=0.5)


@pytest.mark.parametrize("options", [{}, {"weights": "slice"}, {"intercept": True}], ids=str)
def test_an_elementwise_function_is_pruned_through_its_rule(options, monkeypatch):
    monkeypatch.setitem(RULES, "cubed", join)
    x = [vectors().double()]
    smaller, selection = prune(mlp(cubed), x, keep=0.5, **options)
    expected, other = prune(mlp(lambda x: x**3), x, keep=0.5, **options)
    assert selection.index_sets == other.index_sets
    assert_close(outputs(smaller, x), outputs(expected, x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"weights": "slice"}, {"sequential": True}, {"refit": True}], ids=str
)
def test_a_function_with_a_weight_is_pruned_through_its_rule(options, monkeypatch):
    monkeypatch.setitem(RULES, "transposed_linear", read_transposed)
    usual, network = mlp(torch.tanh), mlp(torch.tanh)
    network.b = Transposed(usual.b.weight.detach().T.clone())
    x = [vectors().double()]
    smaller, selection = prune(network, x, keep=0.5, **options)
    expected, other = prune(usual, x, keep=0.5, **options)
    assert smaller.b.weight.shape == (4, 4)
    assert selection.index_sets == other.index_sets
    assert_close(outputs(smaller, x), outputs(expected, x), rtol=1e-10, atol=1e-12)
