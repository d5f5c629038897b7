"""Step select: which units stay, and the weights of the smaller network."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.steps import select
from tests import oracles
from tests.steps.examples import (
    WIDTHS,
    biases_of,
    layer_outputs,
    moments_of,
    path_of,
    samples,
    settings,
    sigma_of,
    state,
    weights_of,
)

ANY_PATH = path_of([[1, 1, 1]])


def selected(parameters, data, **sections):
    """The step's outputs, and the second moments that it was given."""
    bias = "layers.0.bias" in parameters
    config = settings(**{"model": {"widths": WIDTHS, "bias": bias}, **sections})
    moments = moments_of(config, parameters, data)
    return *select.run(config, data, parameters, moments, ANY_PATH), moments


@pytest.mark.parametrize("scope", ["full", "complement"])
def test_selection_matches_the_naive_rule(scope):
    parameters = state(bias=True)
    selection, _, moments = selected(parameters, samples(), select={"scope": scope, "theta": 0.3})
    assert list(selection.widths.values()) == [3, 2, 2]
    for layer, (kept, sigma) in enumerate(zip(selection.groups, sigma_of(moments), strict=True)):
        z = oracles.scaled_output(weights_of(parameters)[layer + 1])
        weight = 0.3 * np.eye(len(sigma)) + 0.7 * z.T @ z if scope == "full" else None
        path, ratio, clear = oracles.greedy_path(sigma, weight, scope)
        assert clear
        assert kept.path.index_path.tolist() == path
        assert_allclose(kept.path.information_ratio, ratio, atol=1e-9)
        for k in range(len(sigma)):
            expected = oracles.index_set_losses(sigma, z, path[: k + 1], 0.3, all_units=True)
            losses = [kept.path.losses[name][k] for name in ("A", "B", "theta")]
            assert_allclose(losses, expected, rtol=1e-7, atol=1e-9 * np.trace(sigma))
        naive = oracles.exhaustive_optimum(sigma, z, 0.3, scope)
        for name, expected in naive.items():
            assert_allclose(
                kept.path.exhaustive[name], expected, rtol=1e-7, atol=1e-9 * np.trace(sigma)
            )
        assert_array_equal(kept.index_set, sorted(path[: (3, 2, 2)[layer]]))


def test_wide_layers_are_not_enumerated():
    parameters, data = state(bias=False, widths=(17, 3)), samples()
    selection, _, _ = selected(
        parameters, data, model={"widths": [17, 3]}, width={"choose": [2, 2]}
    )
    assert selection.groups[0].path.exhaustive == {}
    assert set(selection.groups[1].path.exhaustive) == {"information", "A", "B", "theta"}


@pytest.mark.parametrize("bias", [True, False])
def test_slice_copies_rows_and_columns(bias):
    parameters = state(bias)
    selection, small, _ = selected(parameters, samples(), compress={"weights": "slice"})
    kept = [list(range(30)), *selection.index_sets.values(), [0]]
    for layer, weight in enumerate(weights_of(small)):
        original = weights_of(parameters)[layer]
        assert_array_equal(weight, original[np.ix_(kept[layer + 1], kept[layer])])
    for layer, vector in enumerate(biases_of(small)):
        assert_array_equal(vector, biases_of(parameters)[layer][kept[layer + 1]])
    assert list(small) == list(parameters)


@pytest.mark.parametrize("ridge", [0.0, 0.05])
@pytest.mark.parametrize("bias", [True, False])
def test_reconstruct_reads_the_least_squares_estimate(bias, ridge):
    """Beside the original network in which every hidden layer is replaced by A_J φ_J."""
    parameters, data = state(bias), samples()
    selection, small, moments = selected(
        parameters, data, compress={"weights": "reconstruct", "ridge": ridge}
    )
    x = data["test"][0]
    outputs = layer_outputs(small, x)
    hidden = layer_outputs(parameters, data["train"][0])[:-1]
    value = x
    for layer, (phi, sigma) in enumerate(zip(hidden, sigma_of(moments), strict=True)):
        kept = selection.index_sets[f"layers.{layer}"]
        value = _linear(parameters, layer, value).clip(min=0)[:, kept]
        assert_allclose(outputs[layer], value, atol=1e-9)
        w = ridge * np.trace(sigma) / WIDTHS[layer]
        value = value @ oracles.reconstruction(phi, kept, w).T
    assert_allclose(outputs[3], _linear(parameters, 3, value), atol=1e-9)


def _linear(parameters, layer, value):
    value = value @ weights_of(parameters)[layer].T
    return value + (biases_of(parameters)[layer] if biases_of(parameters) else 0.0)


@pytest.mark.parametrize("weights", ["slice", "reconstruct"])
def test_all_units_leave_the_network_as_it_was(weights):
    parameters, data = state(bias=True), samples()
    _, same, _ = selected(
        parameters, data, width={"choose": list(WIDTHS)}, compress={"weights": weights}
    )
    x = data["test"][0]
    assert_allclose(layer_outputs(same, x)[-1], layer_outputs(parameters, x)[-1], atol=1e-9)


@pytest.mark.parametrize("bias", [True, False])
def test_reconstruct_loses_nothing_where_units_are_dead_or_double(bias):
    """Seven units of rank three: one dead, duplicates and a multiple; Σ is singular."""
    parameters, data = state(bias), samples()
    names = ["layers.0.weight", *(["layers.0.bias"] if bias else [])]
    for name in names:
        first = parameters[name] = parameters[name].clone()
        first[3] = -1.0 if name.endswith("bias") else 0.0
        first[4], first[5], first[6] = first[0], first[1], 2.0 * first[2]
    selection, small, _ = selected(
        parameters,
        data,
        width={"choose": [3, 6, 5]},
        select={"theta": 1.0},
        compress={"weights": "reconstruct"},
    )
    assert_allclose(selection.groups[0].information_ratio[2], 1, atol=1e-12)
    assert all(torch.isfinite(tensor).all() for tensor in small.values())
    x = data["train"][0]
    assert_allclose(layer_outputs(small, x)[-1], layer_outputs(parameters, x)[-1], atol=1e-8)


def test_a_dead_layer_is_compressed_without_a_warning():
    parameters, data = state(bias=True), samples()
    parameters["layers.1.bias"] = torch.full_like(parameters["layers.1.bias"], -1e6)
    selection, small, moments = selected(parameters, data)
    assert_array_equal(sigma_of(moments)[1], np.zeros((6, 6)))
    assert_array_equal(selection.groups[1].path.index_path, range(6))
    assert_array_equal(selection.groups[1].path.information_ratio, np.ones(6))
    assert_array_equal(small["layers.2.weight"], np.zeros((2, 2)))
    # Dead in both, so only the biases behind it speak, and those of layer 3 that are kept.
    assert np.isfinite(layer_outputs(small, data["test"][0])[-1]).all()


@pytest.mark.parametrize("weights", ["slice", "reconstruct"])
def test_compression_keeps_the_precision(weights):
    single = {name: tensor.float() for name, tensor in state(bias=True).items()}
    _, small, _ = selected(single, samples(), compress={"weights": weights})
    assert all(tensor.dtype == torch.float32 for tensor in small.values())


@pytest.mark.parametrize("weights", ["slice", "reconstruct"])
def test_compression_leaves_the_original_as_it_was(weights):
    parameters = state(bias=True)
    before = {name: tensor.clone() for name, tensor in parameters.items()}
    selected(parameters, samples(), compress={"weights": weights})
    for name, tensor in parameters.items():
        assert torch.equal(tensor, before[name])
