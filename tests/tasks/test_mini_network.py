import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import ShapeError
from mini_exp.tasks.mini.network import initial_stack
from tests import oracles

MINI = (30, 16, 12, 10, 1)


def generators(n, first=0):
    return [np.random.default_rng(first + r) for r in range(n)]


def networks(bias=True, widths=(5, 4, 3, 2), n=3):
    made = initial_stack(widths, bias, generators(n)).requires_grad_(False)
    rng = np.random.default_rng(9)
    for layer in made.stacked_layers if bias else ():
        layer.bias.copy_(torch.from_numpy(rng.normal(size=layer.bias.shape)))
    return made


def layer_outputs(stack, x):
    """Of every layer, by hooks on the layers; after ReLU where it is hidden."""
    outputs = []
    handles = [
        layer.register_forward_hook(lambda _, arguments, y: outputs.append(y))
        for layer in stack.stacked_layers
    ]
    stack(x)
    for handle in handles:
        handle.remove()
    return [*map(torch.relu, outputs[:-1]), outputs[-1]]


def weights(stack):
    return [layer.weight.detach() for layer in stack.stacked_layers]


def biases(stack):
    return [layer.bias.detach() for layer in stack.stacked_layers if layer.bias is not None]


@pytest.mark.parametrize(("bias", "expected"), [(False, 802), (True, 841)])
def test_parameters_of_mini_model(bias, expected):
    mini = initial_stack(MINI, bias, generators(2))
    assert mini.n_parameters == expected == oracles.n_parameters(MINI, bias)
    assert mini.widths == MINI


def test_shapes_and_type():
    made = initial_stack((5, 4, 3), True, generators(7))
    assert [tuple(w.shape) for w in weights(made)] == [(7, 4, 5), (7, 3, 4)]
    assert [tuple(b.shape) for b in biases(made)] == [(7, 4), (7, 3)]
    assert all(tensor.dtype == torch.float64 for tensor in (*weights(made), *biases(made)))


def test_glorot_limits_and_variance():
    made = initial_stack(MINI, False, generators(300))
    for weight, n_in, n_out in zip(weights(made), MINI, MINI[1:], strict=False):
        limit = np.sqrt(6 / (n_in + n_out))
        values = weight.numpy()
        assert np.abs(values).max() <= limit
        assert np.abs(values).max() > 0.99 * limit
        assert values.var() == pytest.approx(2 / (n_in + n_out), rel=0.06)
        assert abs(values.mean()) < 4 * limit / np.sqrt(3 * values.size)


def test_biases_start_at_zero_and_change_no_weight():
    without = initial_stack(MINI, False, generators(2))
    with_bias = initial_stack(MINI, True, generators(2))
    assert biases(without) == []
    for bias in biases(with_bias):
        assert_array_equal(bias, np.zeros(bias.shape))
    for one, other in zip(weights(without), weights(with_bias), strict=True):
        assert_array_equal(one, other)


def test_a_replicate_depends_on_its_generator_alone():
    stack = initial_stack(MINI, False, generators(5))
    alone = initial_stack(MINI, False, generators(1, first=3))
    for one, other in zip(weights(stack), weights(alone), strict=True):
        assert_array_equal(one[3], other[0])
        assert not torch.equal(one[2], one[3])


@pytest.mark.parametrize("bias", [True, False])
def test_outputs_match_the_explicit_loops(bias):
    stack = networks(bias)
    x = np.random.default_rng(1).standard_normal((3, 6, 5))
    outputs = layer_outputs(stack, torch.from_numpy(x))
    assert [tuple(out.shape) for out in outputs] == [(3, 6, 4), (3, 6, 3), (3, 6, 2)]
    for r in range(3):
        one = [w[r].numpy() for w in weights(stack)], [b[r].numpy() for b in biases(stack)]
        for ours, theirs in zip(outputs, oracles.forward(*one, x[r]), strict=True):
            assert_allclose(ours[r], theirs, rtol=1e-12, atol=1e-14)


def test_hidden_layers_are_rectified_and_logits_are_not():
    outputs = layer_outputs(networks(), torch.randn(3, 50, 5, dtype=torch.float64))
    assert all((hidden >= 0).all() for hidden in outputs[:-1])
    assert (outputs[-1] < 0).any()


def test_one_sample_for_all_networks():
    stack = networks()
    x = torch.from_numpy(np.random.default_rng(2).standard_normal((1, 6, 5)))
    for one, other in zip(
        layer_outputs(stack, x), layer_outputs(stack, x.expand(3, -1, -1)), strict=True
    ):
        assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize("shape", [(5,), (6, 4), (3, 6, 4)])
def test_inputs_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected inputs \(\.\.\., n, 5\), got \("):
        networks()(torch.zeros(shape, dtype=torch.float64))


def test_one_network_of_a_stack_and_back():
    stack = networks()
    x = torch.from_numpy(np.random.default_rng(3).standard_normal((6, 5)))
    one = stack.replicate(1).requires_grad_(False)
    assert one.widths == stack.widths
    assert_allclose(one(x), stack(x)[1], rtol=1e-14)
    again = one.as_stack().replicate(0).requires_grad_(False)
    assert_array_equal(again(x), one(x))


def test_parameters_are_named_by_their_layer():
    assert list(networks().state_dict())[:3] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
    ]
