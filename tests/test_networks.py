import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.errors import ShapeError
from mini_exp.networks import initial_networks, layer_outputs, to
from mini_exp.types import Networks
from tests import oracles

MINI = (30, 16, 12, 10, 1)


def generators(n, first=0):
    return [np.random.default_rng(first + r) for r in range(n)]


def networks(bias=True, widths=(5, 4, 3, 2), n=3):
    made = initial_networks(widths, bias, generators(n))
    rng = np.random.default_rng(9)
    return Networks(
        made.weights, tuple(torch.from_numpy(rng.normal(size=b.shape)) for b in made.biases)
    )


@pytest.mark.parametrize(("bias", "expected"), [(False, 802), (True, 841)])
def test_parameters_of_mini_model(bias, expected):
    mini = initial_networks(MINI, bias, generators(2))
    assert mini.n_parameters == expected == oracles.n_parameters(MINI, bias)
    assert mini.widths == MINI


def test_shapes_and_type():
    made = initial_networks((5, 4, 3), True, generators(7))
    assert [tuple(w.shape) for w in made.weights] == [(7, 4, 5), (7, 3, 4)]
    assert [tuple(b.shape) for b in made.biases] == [(7, 4), (7, 3)]
    assert all(tensor.dtype == torch.float64 for tensor in (*made.weights, *made.biases))


def test_other_precision():
    double = initial_networks((5, 4), True, generators(2))
    single = initial_networks((5, 4), True, generators(2), torch.float32)
    assert single.weights[0].dtype == single.biases[0].dtype == torch.float32
    assert torch.equal(single.weights[0], double.weights[0].float())


def test_glorot_limits_and_variance():
    made = initial_networks(MINI, False, generators(300))
    for weight, n_in, n_out in zip(made.weights, MINI, MINI[1:], strict=False):
        limit = np.sqrt(6 / (n_in + n_out))
        values = weight.numpy()
        assert np.abs(values).max() <= limit
        assert np.abs(values).max() > 0.99 * limit
        assert values.var() == pytest.approx(2 / (n_in + n_out), rel=0.06)
        assert abs(values.mean()) < 4 * limit / np.sqrt(3 * values.size)


def test_biases_start_at_zero_and_change_no_weight():
    without = initial_networks(MINI, False, generators(2))
    with_bias = initial_networks(MINI, True, generators(2))
    assert without.biases == ()
    for bias in with_bias.biases:
        assert_array_equal(bias, np.zeros(bias.shape))
    for one, other in zip(without.weights, with_bias.weights, strict=True):
        assert_array_equal(one, other)


def test_a_replicate_depends_on_its_generator_alone():
    stack = initial_networks(MINI, False, generators(5))
    alone = initial_networks(MINI, False, generators(1, first=3))
    for one, other in zip(stack.weights, alone.weights, strict=True):
        assert_array_equal(one[3], other[0])
        assert not torch.equal(one[2], one[3])


@pytest.mark.parametrize("bias", [True, False])
def test_outputs_match_the_explicit_loops(bias):
    stack = networks(bias)
    x = np.random.default_rng(1).standard_normal((3, 6, 5))
    outputs = layer_outputs(stack, torch.from_numpy(x))
    assert [tuple(out.shape) for out in outputs] == [(3, 6, 4), (3, 6, 3), (3, 6, 2)]
    for r in range(3):
        weights = [w[r].numpy() for w in stack.weights]
        biases = [b[r].numpy() for b in stack.biases]
        for ours, theirs in zip(outputs, oracles.forward(weights, biases, x[r]), strict=True):
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


@pytest.mark.parametrize("shape", [(6, 5), (3, 6, 4), (3, 2, 6, 5)])
def test_inputs_of_another_shape(shape):
    with pytest.raises(ShapeError, match=r"expected inputs \(R, n, 5\), got \("):
        layer_outputs(networks(), torch.zeros(shape, dtype=torch.float64))


def test_to_changes_the_precision_of_a_copy():
    double = networks()
    single = to(double, "cpu", torch.float32)
    for one, other in zip(
        (*single.weights, *single.biases), (*double.weights, *double.biases), strict=True
    ):
        assert one.dtype == torch.float32
        assert other.dtype == torch.float64
        assert torch.equal(one, other.float())
