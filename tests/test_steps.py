import dataclasses

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.config import Settings
from mini_exp.datasets.mini import mini_dataset, mini_sample
from mini_exp.errors import ConfigError, TrainingError
from mini_exp.networks import initial_networks, layer_outputs
from mini_exp.seeds import generator
from mini_exp.spectral.selection import greedy_path
from mini_exp.steps import covariance, estimate_width, finetune, gen_mini, select, train
from mini_exp.training import scores
from mini_exp.types import LayerSelection, Networks, Selection, WidthPath
from tests import oracles

WIDTHS = (7, 6, 5)


def settings(**sections):
    sections.setdefault("model", {"widths": WIDTHS})
    sections.setdefault("width", {"choose": [3, 2, 2]})
    return Settings.model_validate({"seed": 3, **sections})


def networks(bias, n=2, seed=0):
    made = initial_networks(
        (30, *WIDTHS, 1), bias, [np.random.default_rng([seed, r]) for r in range(n)]
    )
    rng = np.random.default_rng(seed)
    return Networks(
        made.weights, tuple(torch.from_numpy(rng.normal(0, 0.3, b.shape)) for b in made.biases)
    )


def dataset(n=2, n_train=40):
    return mini_dataset([np.random.default_rng([9, r]) for r in range(n)], n_train, 10)


def activations(nets, data):
    return [h.numpy() for h in layer_outputs(nets, torch.from_numpy(data.x_train))[:-1]]


def selection_of(widths, index_sets):
    """A selection of the given units, with the rest of each path behind them."""
    layers = []
    for m, kept in zip(WIDTHS, index_sets, strict=True):
        path = np.array([[*one, *(j for j in range(m) if j not in one)] for one in kept])
        layers.append(LayerSelection(path, np.ones(path.shape), np.ones(len(path)), {}, {}))
    return Selection(tuple(widths), tuple(layers))


INDEX_SETS = [[[5, 0, 3], [6, 2, 1]], [[4, 1], [0, 5]], [[2, 0], [1, 3]]]  # (layer, replicate)


# gen-mini


def test_gen_mini_draws_what_the_settings_say():
    data = {"n_train": 12, "n_test": 5, "epsilon": 0.4, "labels": "swapped"}
    (drawn,) = gen_mini.run(settings(data=data))
    x, y = mini_sample(generator(3, "data"), 17, 0.4, "swapped")
    assert_array_equal(drawn.x_train, x[None, :12])
    assert_array_equal(drawn.y_test, y[None, 12:])


# train


@pytest.mark.parametrize("bias", [True, False])
def test_train_fits_the_model_of_the_settings(bias):
    config = settings(
        model={"widths": WIDTHS, "bias": bias},
        train={"epochs": 3, "batch_size": 16, "learning_rate": 0.01},
    )
    data = dataset(n=1)
    trained, history = train.run(config, data)
    assert trained.widths == (30, *WIDTHS, 1)
    assert bool(trained.biases) == bias
    start = initial_networks((30, *WIDTHS, 1), bias, [generator(3, "weights")])
    order = generator(3, "train order").permuted(np.tile(np.arange(40), (3, 1)), axis=1)
    weights, _, logits = oracles.trained(
        [w[0].numpy() for w in start.weights],
        [b[0].numpy() for b in start.biases],
        data.x_train[0],
        data.y_train[0],
        order,
        16,
        0.01,
    )
    for ours, theirs in zip(trained.weights, weights, strict=True):
        assert_allclose(ours[0], theirs, rtol=1e-9, atol=1e-12)
    for epoch in range(3):
        loss, _ = oracles.scores(logits[epoch], data.y_train[0])
        assert history.loss[0, epoch] == pytest.approx(loss, rel=1e-10)


def test_train_refuses_to_diverge():
    with pytest.raises(TrainingError, match="in epoch 1; expected a finite one"):
        train.run(settings(train={"epochs": 1, "learning_rate": 1e300}), dataset(n=1))


def test_train_in_single_precision():
    trained, _ = train.run(settings(dtype="float32", train={"epochs": 1}), dataset(n=1))
    assert all(weight.dtype == torch.float32 for weight in trained.weights)


# covariance


@pytest.mark.parametrize("scale", ["mean", "sum"])
@pytest.mark.parametrize("bias", [True, False])
def test_covariance_of_every_hidden_layer(scale, bias):
    nets, data = networks(bias), dataset()
    (moments,) = covariance.run(settings(covariance={"scale": scale}), nets, data)
    assert moments.n_samples == 40
    assert [s.shape for s in moments.sigma] == [(2, m, m) for m in WIDTHS]
    for layer, phi in enumerate(activations(nets, data)):
        for r in range(2):
            expected = oracles.second_moment(phi[r]) * (40 if scale == "sum" else 1)
            assert_allclose(moments.sigma[layer][r], expected, rtol=1e-12, atol=1e-14)
            assert_allclose(
                moments.eigenvalues[layer][r], np.linalg.eigvalsh(expected)[::-1], atol=1e-10
            )


def test_covariance_needs_no_more_than_a_part_at_once(monkeypatch):
    nets, data = networks(bias=True), dataset()
    (whole,) = covariance.run(settings(), nets, data)
    monkeypatch.setattr(covariance, "SCORED_AT_ONCE", 7)
    (parts,) = covariance.run(settings(), nets, data)
    assert parts.n_samples == 40
    for one, other in zip(whole.sigma, parts.sigma, strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_covariance_of_a_single_precision_network_is_summed_in_double():
    double, data = networks(bias=False), dataset()
    single = Networks(tuple(w.float() for w in double.weights), ())
    (moments,) = covariance.run(settings(), single, data)
    (expected,) = covariance.run(settings(), double, data)
    for one, other in zip(moments.sigma, expected.sigma, strict=True):
        assert one.dtype == np.float64
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)


# estimate-width


def moments_of(nets, data):
    return covariance.run(settings(), nets, data)[0]


@pytest.mark.parametrize("regularizer", ["square", "abs"])
@pytest.mark.parametrize("boundary", ["hidden", "parameters"])
def test_exact_width_path(regularizer, boundary):
    moments = moments_of(networks(bias=True), dataset())
    width = {
        "regularizer": regularizer,
        "boundary": boundary,
        "rho": {"start": 0.5, "stop": 2.5, "num": 3},
        "choose": [3, 2, 2],
    }
    (path,) = estimate_width.run(settings(width=width), moments)
    assert_allclose(path.rho, [0.5, 1.5, 2.5])
    assert path.converged.all()
    ends = (30.0, 1.0) if boundary == "parameters" else (0.0, 0.0)
    for r in range(2):
        spectra = [np.maximum(values[r], 0) for values in moments.eigenvalues]
        spectra = [np.where(mu > 1e-12 * mu.max(), mu, 0) for mu in spectra]
        for k, rho in enumerate(path.rho):
            lambdas = list(path.lambda_[r, k])
            expected = oracles.width_objective(spectra, lambdas, rho, regularizer, ends)
            assert path.objective[r, k] == pytest.approx(expected, rel=1e-10)
            best = oracles.smallest_width_objective(spectra, rho, regularizer, ends)
            assert path.objective[r, k] == pytest.approx(best, rel=1e-6)
            for layer in range(3):
                dof = oracles.degrees_of_freedom_of(spectra[layer], lambdas[layer])
                assert path.degrees_of_freedom[r, k, layer] == pytest.approx(dof, rel=1e-10)
                assert path.width[r, k, layer] == np.ceil(path.degrees_of_freedom[r, k, layer])


def test_published_width_path():
    moments = moments_of(networks(bias=True), dataset())
    rho = {"start": 0.1, "stop": 0.3, "num": 2}
    width = {"solver": "published", "boundary": "hidden", "rho": rho, "choose": [3, 2, 2]}
    (path,) = estimate_width.run(settings(width=width), moments)
    for r in range(2):
        spectra = [np.abs(values[r]) for values in moments.eigenvalues]
        for k in range(2):
            expected = oracles.width_objective(
                spectra, list(path.lambda_[r, k]), path.rho[k], "square", (0, 0)
            )
            assert path.objective[r, k] == pytest.approx(expected, rel=1e-10)
    assert path.converged.dtype == bool


def test_a_chosen_rho_joins_the_grid():
    moments = moments_of(networks(bias=False), dataset())
    width = {"rho": {"start": 1, "stop": 3, "num": 3}, "choose": {"rho": 1.7}}
    (path,) = estimate_width.run(settings(width=width), moments)
    assert path.rho.tolist() == [1.0, 1.7, 2.0, 3.0]
    (same,) = estimate_width.run(
        settings(width={"rho": {"start": 1, "stop": 3, "num": 3}, "choose": {"rho": 2.0}}), moments
    )
    assert same.rho.tolist() == [1.0, 2.0, 3.0]


def test_a_dead_layer_gets_width_0_and_keeps_one_unit():
    moments = moments_of(networks(bias=False), dataset())
    dead = dataclasses.replace(
        moments,
        sigma=(moments.sigma[0], 0 * moments.sigma[1], moments.sigma[2]),
        eigenvalues=(moments.eigenvalues[0], 0 * moments.eigenvalues[1], moments.eigenvalues[2]),
    )
    config = settings(width={"rho": {"start": 1, "stop": 2, "num": 2}, "choose": {"rho": 1.0}})
    (path,) = estimate_width.run(config, dead)
    assert (path.width[:, :, 1] == 0).all()
    assert select.chosen_widths(config, path, ())[1] == 1


# select: the widths


def path_of(widths, rho=None):
    width = np.array([widths])
    k = width.shape[1]
    rho = np.arange(1.0, k + 1) if rho is None else np.array(rho)
    empty = np.zeros(width.shape)
    return WidthPath(rho, empty, empty, width, np.zeros((1, k)), np.ones((1, k), dtype=bool))


def layers_of(*ratios):
    return tuple(
        LayerSelection(np.arange(len(r))[None], np.array([r]), np.ones(1), {}, {}) for r in ratios
    )


def test_explicit_widths_are_taken_as_they_are():
    path = path_of([[7, 6, 5]])
    assert select.chosen_widths(settings(width={"choose": [4, 1, 5]}), path, ()) == (4, 1, 5)


@pytest.mark.parametrize(("rho", "expected"), [(0.25, (3, 3, 3)), (0.1, (7, 6, 5)), (9, (1, 1, 2))])
def test_widths_of_a_rho(rho, expected):
    path = path_of([[7, 6, 5], [3, 3, 3], [0, 1, 2]], [0.1, 0.25, 9.0])
    config = settings(width={"choose": {"rho": rho}})
    assert select.chosen_widths(config, path, ()) == expected


@pytest.mark.parametrize("bias", [True, False])
def test_widths_within_a_number_of_parameters(bias):
    widths = [[7, 6, 5], [4, 2, 2], [3, 3, 3], [2, 2, 2], [0, 0, 1]]
    counts = [oracles.n_parameters((30, *(max(w, 1) for w in three), 1), bias) for three in widths]
    path = path_of(widths)
    for limit in range(min(counts), max(counts) + 10):
        config = settings(
            model={"widths": WIDTHS, "bias": bias}, width={"choose": {"parameters": limit}}
        )
        chosen = select.chosen_widths(config, path, ())
        most = max(count for count in counts if count <= limit)
        assert oracles.n_parameters((30, *chosen, 1), bias) == most


def test_no_rho_within_the_number_of_parameters():
    config = settings(width={"choose": {"parameters": 10}})
    with pytest.raises(
        ConfigError, match=r"width.choose.parameters: expected at least 33, .* got 10; extend"
    ):
        select.chosen_widths(config, path_of([[7, 6, 5], [1, 1, 1]]), ())


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [(0.1, (1, 1, 1)), (0.5, (1, 1, 2)), (0.6, (2, 1, 2)), (0.95, (3, 1, 3)), (1.0, (4, 3, 3))],
)
def test_fewest_units_with_the_information(alpha, expected):
    layers = layers_of([0.5, 0.9, 0.99, 1.0], [0.96, 0.97, 1.0], [0.2, 0.9, 1 - 1e-15])
    config = settings(width={"choose": {"information": alpha}})
    assert select.chosen_widths(config, path_of([[1, 1, 1]]), layers) == expected


def test_information_1_up_to_rounding_is_enough():
    config = settings(width={"choose": {"information": 1.0}})
    layers = layers_of([0.5, 1 - 1e-15, 1.0, 1.0], [1 - 1e-15, 1.0], [0.5, 0.9, 1 - 1e-10])
    assert select.chosen_widths(config, path_of([[1, 1, 1]]), layers) == (2, 1, 3)


def test_all_the_information_of_near_duplicates():
    """Two units that differ by a part in 10³: no rounding may leave the layer one unit."""
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((100, 4)) * [1.0, 1.0, 1.0, 1e-4]
    phi[:, 1] = phi[:, 0] + 1e-3 * phi[:, 1]
    index_path, ratio = greedy_path((phi.T @ phi / 100)[None])
    layer = LayerSelection(index_path, ratio, np.ones(1), {}, {})
    config = settings(width={"choose": {"information": 1.0}})
    (width,) = select.chosen_widths(config, path_of([[1]]), (layer,))
    assert width == 4


# select: the selection


@pytest.mark.parametrize("scope", ["full", "complement"])
def test_selection_matches_the_naive_rule(scope):
    nets, data = networks(bias=True, n=1), dataset(n=1)
    moments = moments_of(nets, data)
    config = settings(select={"scope": scope, "theta": 0.3})
    selection, _ = select.run(config, nets, moments, path_of([[1, 1, 1]]))
    assert selection.widths == (3, 2, 2)
    for layer, found in enumerate(selection.layers):
        sigma = moments.sigma[layer][0]
        z = oracles.scaled_output(nets.weights[layer + 1][0].numpy())
        weight = 0.3 * np.eye(len(sigma)) + 0.7 * z.T @ z if scope == "full" else None
        path, ratio, clear = oracles.greedy_path(sigma, weight, scope)
        assert clear
        assert found.index_path[0].tolist() == path
        assert_allclose(found.information_ratio[0], ratio, atol=1e-9)
        for k in range(len(sigma)):
            a, b, both = oracles.index_set_losses(sigma, z, path[: k + 1], 0.3, all_units=True)
            losses = [found.losses[name][0, k] for name in ("A", "B", "theta")]
            assert_allclose(losses, [a, b, both], rtol=1e-7, atol=1e-9 * np.trace(sigma))
        naive = oracles.exhaustive_optimum(sigma, z, 0.3, scope)
        for name, expected in naive.items():
            assert_allclose(
                found.exhaustive[name][0], expected, rtol=1e-7, atol=1e-9 * np.trace(sigma)
            )
        assert_array_equal(selection.index_set(layer)[0], sorted(path[: (3, 2, 2)[layer]]))


def test_wide_layers_are_not_enumerated():
    nets = initial_networks((30, 17, 3, 1), False, [np.random.default_rng(0)])
    data = dataset(n=1)
    (moments,) = covariance.run(settings(), nets, data)
    config = settings(model={"widths": [17, 3]}, width={"choose": [2, 2]})
    selection, _ = select.run(config, nets, moments, path_of([[1, 1]]))
    assert selection.layers[0].exhaustive == {}
    assert set(selection.layers[1].exhaustive) == {"information", "A", "B", "theta"}


# select: the smaller networks


@pytest.mark.parametrize("bias", [True, False])
def test_slice_copies_rows_and_columns(bias):
    nets, data = networks(bias), dataset()
    selection = selection_of((3, 2, 2), INDEX_SETS)
    config = settings(compress={"weights": "slice"})
    small = select.compressed_networks(config, nets, moments_of(nets, data), selection)
    assert small.widths == (30, 3, 2, 2, 1)
    for r in range(2):
        kept = [list(range(30)), *(sorted(sets[r]) for sets in INDEX_SETS), [0]]
        for layer, weight in enumerate(small.weights):
            for i, unit in enumerate(kept[layer + 1]):
                for j, read in enumerate(kept[layer]):
                    assert weight[r, i, j] == nets.weights[layer][r, unit, read]
                if bias:
                    assert small.biases[layer][r, i] == nets.biases[layer][r, unit]
    assert bool(small.biases) == bias


@pytest.mark.parametrize("ridge", [0.0, 0.05])
@pytest.mark.parametrize("bias", [True, False])
def test_reconstruct_reads_the_least_squares_estimate(bias, ridge):
    """Beside the original network in which every hidden layer is replaced by A_J φ_J."""
    nets, data = networks(bias), dataset()
    moments = moments_of(nets, data)
    selection = selection_of((3, 2, 2), INDEX_SETS)
    config = settings(compress={"weights": "reconstruct", "ridge": ridge})
    small = select.compressed_networks(config, nets, moments, selection)
    assert small.widths == (30, 3, 2, 2, 1)
    outputs = layer_outputs(small, torch.from_numpy(data.x_test))
    for r in range(2):
        value = data.x_test[r]
        for layer, phi in enumerate(activations(nets, data)):
            kept = sorted(INDEX_SETS[layer][r])
            value = value @ nets.weights[layer][r].numpy().T
            if bias:
                value = value + nets.biases[layer][r].numpy()
            value = np.maximum(value, 0)[:, kept]
            assert_allclose(outputs[layer][r], value, atol=1e-9)
            w = ridge * np.trace(moments.sigma[layer][r]) / WIDTHS[layer]
            value = value @ oracles.reconstruction(phi[r], kept, w).T
        value = value @ nets.weights[3][r].numpy().T
        if bias:
            value = value + nets.biases[3][r].numpy()
        assert_allclose(outputs[3][r], value, atol=1e-9)


@pytest.mark.parametrize("weights", ["slice", "reconstruct"])
def test_all_units_leave_the_network_as_it_was(weights):
    nets, data = networks(bias=True), dataset()
    everything = [[list(range(m))[::-1]] * 2 for m in WIDTHS]
    config = settings(compress={"weights": weights})
    same = select.compressed_networks(
        config, nets, moments_of(nets, data), selection_of(WIDTHS, everything)
    )
    x = torch.from_numpy(data.x_test)
    assert_allclose(layer_outputs(same, x)[-1], layer_outputs(nets, x)[-1], atol=1e-9)


@pytest.mark.parametrize("bias", [True, False])
def test_reconstruct_loses_nothing_where_units_are_dead_or_double(bias):
    """Seven units of rank three: one dead, duplicates and a multiple; Σ is singular."""
    nets, data = networks(bias), dataset()
    first = nets.weights[0].clone()
    first[:, 3] = 0.0
    first[:, 4] = first[:, 0]
    first[:, 5] = first[:, 1]
    first[:, 6] = 2.0 * first[:, 2]
    biases = nets.biases
    if bias:
        shift = biases[0].clone()
        shift[:, 3], shift[:, 4], shift[:, 5] = -1.0, shift[:, 0], shift[:, 1]
        shift[:, 6] = 2.0 * shift[:, 2]
        biases = (shift, *biases[1:])
    nets = Networks((first, *nets.weights[1:]), biases)
    (moments,) = covariance.run(settings(), nets, data)
    config = settings(
        width={"choose": [3, 6, 5]}, select={"theta": 1.0}, compress={"weights": "reconstruct"}
    )
    layers = tuple(
        select.layer_selection(config, sigma, weight.numpy())
        for sigma, weight in zip(moments.sigma, nets.weights[1:], strict=True)
    )
    assert_allclose(layers[0].information_ratio[:, 2], 1, atol=1e-12)
    small = select.compressed_networks(config, nets, moments, Selection((3, 6, 5), layers))
    assert all(torch.isfinite(weight).all() for weight in small.weights)
    x = torch.from_numpy(data.x_train)
    assert_allclose(layer_outputs(small, x)[-1], layer_outputs(nets, x)[-1], atol=1e-8)


def test_a_dead_layer_is_compressed_without_a_warning():
    nets, data = networks(bias=True), dataset()
    biases = (nets.biases[0], torch.full_like(nets.biases[1], -1e6), *nets.biases[2:])
    nets = Networks(nets.weights, biases)
    (moments,) = covariance.run(settings(), nets, data)
    assert_array_equal(moments.sigma[1], np.zeros((2, 6, 6)))
    selection, small = select.run(settings(), nets, moments, path_of([[1, 1, 1]]))
    assert_array_equal(selection.layers[1].index_path, [[0, 1, 2, 3, 4, 5]] * 2)
    assert_array_equal(selection.layers[1].information_ratio, np.ones((2, 6)))
    assert_array_equal(small.weights[2], np.zeros((2, 2, 2)))
    x = torch.from_numpy(data.x_test)
    # Dead in both, so only the biases behind it speak, and those of layer 3 that are kept.
    assert torch.isfinite(layer_outputs(small, x)[-1]).all()


def test_compression_keeps_precision_and_original():
    nets, data = networks(bias=True), dataset()
    before = [w.clone() for w in (*nets.weights, *nets.biases)]
    moments = moments_of(nets, data)
    single = Networks(tuple(w.float() for w in nets.weights), tuple(b.float() for b in nets.biases))
    for weights in ("slice", "reconstruct"):
        config = settings(compress={"weights": weights})
        small = select.compressed_networks(
            config, single, moments, selection_of((3, 2, 2), INDEX_SETS)
        )
        assert all(t.dtype == torch.float32 for t in (*small.weights, *small.biases))
        select.compressed_networks(config, nets, moments, selection_of((3, 2, 2), INDEX_SETS))
    for tensor, copy in zip((*nets.weights, *nets.biases), before, strict=True):
        assert torch.equal(tensor, copy)


# finetune


def test_finetune_trains_on_and_scores_every_stage():
    config = settings(
        data={"n_population": 500, "epsilon": 0.2},
        finetune={"epochs": 4, "batch_size": 8, "learning_rate": 0.01},
    )
    data, original = dataset(n=1), networks(bias=True, n=1)
    small = initial_networks((30, 3, 2, 1), True, [np.random.default_rng(5)])
    tuned, history, evaluations = finetune.run(config, data, original, small)

    order = generator(3, "finetune order").permuted(np.tile(np.arange(40), (4, 1)), axis=1)
    weights, _, _ = oracles.trained(
        [w[0].numpy() for w in small.weights],
        [b[0].numpy() for b in small.biases],
        data.x_train[0],
        data.y_train[0],
        order,
        8,
        0.01,
    )
    for ours, theirs in zip(tuned.weights, weights, strict=True):
        assert_allclose(ours[0], theirs, rtol=1e-9, atol=1e-12)
    assert history.loss.shape == (1, 4)

    x, y = mini_sample(generator(3, "population"), 500, 0.2)
    splits = {
        "train": (data.x_train, data.y_train),
        "test": (data.x_test, data.y_test),
        "population": (x[None], y[None]),
    }
    stages = {"original": original, "compressed": small, "finetuned": tuned}
    assert [(row.stage, row.split) for row in evaluations] == [
        (stage, split) for stage in stages for split in splits
    ]
    for row in evaluations:
        loss, accuracy = scores(stages[row.stage], *splits[row.split])
        assert (row.loss, row.accuracy) == (loss[0], accuracy[0])
        assert row.parameters == stages[row.stage].n_parameters
        assert row.n == splits[row.split][1].shape[1]
    by_key = {(row.stage, row.split): row for row in evaluations}
    assert by_key["finetuned", "train"].loss == history.loss[0, -1]
    assert by_key["finetuned", "test"].accuracy == history.test_accuracy[0, -1]


def test_finetune_refuses_to_diverge():
    config = settings(data={"n_population": 5}, finetune={"epochs": 1, "learning_rate": 1e300})
    nets = networks(bias=False, n=1)
    with pytest.raises(TrainingError, match="in epoch 1; expected a finite one"):
        finetune.run(config, dataset(n=1), nets, nets)
