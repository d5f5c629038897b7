"""The contract: files, columns, tensor names, shapes, dtypes of a run."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from mini_exp.settings.reading import load_config
from tests.experiment.running import MAKERS, PAGES, VARIANTS, index_sets, tensors


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_file_of_a_variant_is_there(tiny, variant):
    names = ["widths", "dataset", "loss", "second_moment_1", "second_moment_2", "second_moment_3"]
    figures = [f"figures/{name}.{suffix}" for name in names for suffix in ("png", "pdf")]
    folder = tiny.directory / variant
    assert [name for name in [*MAKERS, *figures] if not (folder / name).is_file()] == []


def test_every_file_of_the_report_is_there(tiny):
    figures = [f"figures/figure{n}.{suffix}" for n in range(1, 8) for suffix in ("png", "pdf")]
    names = ["manifest.json", *PAGES, *figures]
    assert [name for name in names if not (tiny.directory / name).is_file()] == []


def test_no_temporary_file_is_left(tiny):
    hidden = [path.name for path in tiny.results.rglob(".*")]
    assert hidden == [".lock"]


@pytest.mark.parametrize(("variant", "n_test"), [("published", 99), ("corrected_bias", 100)])
def test_dataset(tiny, variant, n_test):
    with np.load(tiny.directory / variant / "dataset.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert {name: array.shape for name, array in arrays.items()} == {
        "X_train": (100, 30),
        "y_train": (100,),
        "X_test": (n_test, 30),
        "y_test": (n_test,),
    }
    assert {array.dtype for array in arrays.values()} == {np.dtype("float64")}
    for split in ("train", "test"):
        above = arrays[f"X_{split}"].mean(axis=1) >= -0.6
        label = arrays[f"y_{split}"] == 1
        assert (label == (above if variant == "corrected_bias" else ~above)).all()


@pytest.mark.parametrize("stage", ["original", "compressed", "finetuned"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_networks(tiny, variant, stage):
    sizes = (30, 16, 12, 10, 1) if stage == "original" else (30, 8, 3, 3, 1)
    expected = {
        f"layers.{layer}.weight": (n_out, n_in)
        for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
    }
    if variant == "corrected_bias":
        expected |= {f"layers.{layer}.bias": (n_out,) for layer, n_out in enumerate(sizes[1:])}
    found = tensors(tiny, variant, stage)
    assert {name: tensor.shape for name, tensor in found.items()} == expected
    assert {tensor.dtype for tensor in found.values()} == {np.dtype("float64")}


@pytest.mark.parametrize("name", ["history.csv", "finetune_history.csv"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_histories(tiny, variant, name):
    frame = pd.read_csv(tiny.directory / variant / name)
    columns = ["epoch", "loss", "accuracy", "test_loss", "test_accuracy"]
    assert list(frame.columns[:5]) == columns
    assert list(frame["epoch"]) == [1, 2, 3]
    assert np.isfinite(frame[columns]).all(axis=None)


@pytest.mark.parametrize("variant", VARIANTS)
def test_covariance(tiny, variant):
    with np.load(tiny.directory / variant / "covariance.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    shapes = {"n_samples": ()}
    for layer, m in enumerate((16, 12, 10), start=1):
        shapes |= {f"sigma_{layer}": (m, m), f"eigenvectors_{layer}": (m, m)}
        shapes[f"eigenvalues_{layer}"] = (m,)
        values, vectors = arrays[f"eigenvalues_{layer}"], arrays[f"eigenvectors_{layer}"]
        assert (np.diff(values) <= 0).all()
        sigma = arrays[f"sigma_{layer}"]
        np.testing.assert_allclose(vectors * values @ vectors.T, sigma, atol=1e-9 * values[0])
    assert {name: arrays[name].shape for name in shapes} == shapes
    assert arrays["n_samples"] == 100


@pytest.mark.parametrize("variant", VARIANTS)
def test_covariance_is_that_of_the_saved_network_and_data(tiny, variant):
    folder = tiny.directory / variant
    network = tensors(tiny, variant, "original")
    with np.load(folder / "dataset.npz") as data, np.load(folder / "covariance.npz") as moments:
        x = data["X_train"]
        for layer in range(3):
            x = x @ network[f"layers.{layer}.weight"].T
            x = np.maximum(x + network.get(f"layers.{layer}.bias", 0.0), 0.0)
            sigma = x.T @ x / (1 if variant == "published" else len(x))
            np.testing.assert_allclose(moments[f"sigma_{layer + 1}"], sigma, rtol=1e-10)


@pytest.mark.parametrize(
    ("variant", "ends"), [("published", (0.01, 0.1)), ("corrected_bias", (1, 10))]
)
def test_widths(tiny, variant, ends):
    frame = pd.read_csv(tiny.directory / variant / "widths.csv")
    per_layer = [f"{name}_{layer}" for name in ("lambda", "dof", "width") for layer in (1, 2, 3)]
    assert {"rho", *per_layer, "objective", "converged"} <= set(frame.columns)
    np.testing.assert_allclose(frame["rho"], np.linspace(*ends, 3))
    assert frame["converged"].dtype == bool
    for layer in (1, 2, 3):
        assert (frame[f"width_{layer}"] == np.ceil(frame[f"dof_{layer}"])).all()
        assert (frame[f"lambda_{layer}"] >= 0).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_selection(tiny, variant):
    text = (tiny.directory / variant / "selection.json").read_text(encoding="utf-8")
    layers = json.loads(text)["layers"]
    assert [layer["layer"] for layer in layers] == [1, 2, 3]
    assert [len(layer["indices"]) for layer in layers] == [8, 3, 3]
    for layer, m in zip(layers, (16, 12, 10), strict=True):
        assert len(layer["information"]) == len(set(layer["indices"]))
        assert set(layer["indices"]) <= set(range(m))
        assert all(0 <= ratio <= 1 for ratio in layer["information"])


def test_selection_json_has_no_nan(tiny):
    def refuse(name: str) -> None:
        raise ValueError(name)

    for path in tiny.results.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_sliced_network_is_the_original_in_ascending_order(tiny):
    original, compressed = (tensors(tiny, "published", name) for name in ("original", "compressed"))
    rows = [*index_sets(tiny, "published"), [0]]
    columns = [list(range(30)), *index_sets(tiny, "published")]
    for layer in range(4):
        name = f"layers.{layer}.weight"
        assert (compressed[name] == original[name][np.ix_(rows[layer], columns[layer])]).all()


def test_reconstructed_network_reads_the_least_squares_estimate(tiny):
    original, compressed = (
        tensors(tiny, "corrected_bias", name) for name in ("original", "compressed")
    )
    sets = index_sets(tiny, "corrected_bias")
    rows = [*sets, [0]]
    for layer in range(4):
        weight = original[f"layers.{layer}.weight"][rows[layer]]
        if layer:
            with np.load(tiny.directory / "corrected_bias" / "covariance.npz") as moments:
                sigma, kept = moments[f"sigma_{layer}"], sets[layer - 1]
            weight = weight @ sigma[:, kept] @ np.linalg.pinv(sigma[np.ix_(kept, kept)], rtol=1e-12)
        np.testing.assert_allclose(compressed[f"layers.{layer}.weight"], weight, atol=1e-9)
        bias = f"layers.{layer}.bias"
        assert (compressed[bias] == original[bias][rows[layer]]).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_evaluation_scores_the_saved_networks(tiny, variant):
    frame = pd.read_csv(tiny.directory / variant / "evaluation.csv")
    columns = ["stage", "split", "loss", "accuracy", "parameters", "n"]
    assert set(columns) <= set(frame.columns)
    stages, splits = ("original", "compressed", "finetuned"), ("train", "test", "population")
    pairs = list(zip(frame["stage"], frame["split"], strict=True))
    assert pairs == list(itertools.product(stages, splits))
    with np.load(tiny.directory / variant / "dataset.npz") as data:
        sample = {split: (data[f"X_{split}"], data[f"y_{split}"]) for split in ("train", "test")}
    for row in frame.itertuples():
        network = tensors(tiny, variant, row.stage)
        assert row.parameters == sum(tensor.size for tensor in network.values())
        if row.split == "population":
            assert row.n == 500
            continue
        x, y = sample[row.split]
        for layer in range(4):
            x = x if layer == 0 else np.maximum(x, 0.0)
            x = x @ network[f"layers.{layer}.weight"].T + network.get(f"layers.{layer}.bias", 0.0)
        logit = x[:, 0]
        loss = np.logaddexp(0.0, logit) - y * logit
        np.testing.assert_allclose(row.loss, loss.mean(), rtol=1e-10)
        assert row.accuracy == pytest.approx(((logit > 0) == (y == 1)).mean(), abs=1e-12)
        assert row.n == len(y)


@pytest.mark.parametrize("stage", ["original", "finetuned"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_last_epoch_agrees_with_the_evaluation(tiny, variant, stage):
    folder = tiny.directory / variant
    name = "history.csv" if stage == "original" else "finetune_history.csv"
    last = pd.read_csv(folder / name).iloc[-1]
    scores = pd.read_csv(folder / "evaluation.csv").set_index(["stage", "split"]).loc[stage]
    np.testing.assert_allclose(last["loss"], scores.loc["train", "loss"], rtol=1e-10)
    np.testing.assert_allclose(last["test_loss"], scores.loc["test", "loss"], rtol=1e-10)


def test_saved_config_reads_back_as_the_one_that_ran(tiny):
    assert load_config(tiny.directory / "config.yaml") == load_config(tiny.config)
