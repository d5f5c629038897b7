"""What `load_results` gives is what the files hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mini_exp
from mini_exp.settings.reading import load_config
from tests.conftest import Project
from tests.results.conftest import ATTRIBUTES

FRAMES = {name: ATTRIBUTES[name] for name in ATTRIBUTES if name.endswith(".csv")}


def test_settings_are_those_of_the_experiment(project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    expected = load_config(project.config)
    assert results.config == expected
    assert (results.name, results.directory) == (expected.name, project.directory)
    assert results.variants == tuple(results) == tuple(expected.variants)
    assert len(results) == 2
    for name, settings in expected.variants.items():
        assert results[name].settings == settings
    with pytest.raises(KeyError, match="no variant 'publish'; expected one of"):
        results["publish"]


def test_tables_are_the_files(project: Project) -> None:
    results = mini_exp.load_results(str(project.directory))
    expected = pd.read_csv(project.directory / "table1.csv")
    pd.testing.assert_frame_equal(results.table1, expected, check_exact=True)
    for name, variant in results.items():
        for file, attribute in FRAMES.items():
            expected = pd.read_csv(project.directory / name / file)
            pd.testing.assert_frame_equal(getattr(variant, attribute), expected, check_exact=True)


def test_samples_of_mini_are_the_file(tiny: Project) -> None:
    for name, variant in mini_exp.load_results(tiny.directory).items():
        assert list(variant.dataset) == ["train", "test"]
        with np.load(tiny.directory / name / "dataset.npz") as arrays:
            for split, (x, y) in variant.dataset.items():
                np.testing.assert_array_equal(x, arrays[f"X_{split}"], strict=True)
                np.testing.assert_array_equal(y, arrays[f"y_{split}"], strict=True)
                assert [t.dtype for t in variant.tensors[split]] == [torch.float64] * 2
                assert (variant.tensors[split][0].numpy() == x).all()
                assert (variant.tensors[split][1].numpy() == y).all()


def test_samples_of_images_are_the_file_standardised(digits: Project) -> None:
    for name, variant in mini_exp.load_results(digits.directory).items():
        assert list(variant.dataset) == ["train", "validation", "test"]
        with np.load(digits.directory / name / "dataset.npz") as arrays:
            pixels = arrays["X_train"].astype(np.float64)
            for split, (x, y) in variant.dataset.items():
                np.testing.assert_array_equal(x, arrays[f"X_{split}"], strict=True)
                np.testing.assert_array_equal(y, arrays[f"y_{split}"], strict=True)
                inputs, classes = variant.tensors[split]
                expected = (x - pixels.mean()) / pixels.std()
                assert inputs.dtype == torch.float32  # hence the tolerance
                np.testing.assert_allclose(inputs.numpy(), expected, rtol=1e-5, atol=1e-5)
                assert (classes.numpy() == y).all()


def test_moments_are_the_file(project: Project) -> None:
    for name, variant in mini_exp.load_results(project.directory).items():
        with np.load(project.directory / name / "covariance.npz") as arrays:
            for number, layer in enumerate(arrays["layers"].tolist(), start=1):
                sigma, mu = variant.second_moments[layer], variant.eigenvalues[layer]
                np.testing.assert_array_equal(sigma, arrays[f"sigma_{number}"], strict=True)
                np.testing.assert_array_equal(mu, arrays[f"eigenvalues_{number}"], strict=True)
                expected = np.linalg.eigvalsh(sigma)[::-1]
                np.testing.assert_allclose(mu, expected, rtol=1e-10, atol=1e-12 * mu[0])
                spectrum = arrays.get(f"flattened_{number}", arrays[f"eigenvalues_{number}"])
                np.testing.assert_array_equal(variant.width_spectra[layer], spectrum, strict=True)


def test_digits_have_the_spectra_of_whole_layers(digits: Project) -> None:
    for variant in mini_exp.load_results(digits.directory).values():
        for layer, spectrum in variant.width_spectra.items():
            assert len(spectrum) == variant.settings.covariance.n_samples
            assert len(spectrum) != len(variant.eigenvalues[layer])


def test_selections_are_the_file(project: Project) -> None:
    for name, variant in mini_exp.load_results(project.directory).items():
        layers = json.loads((project.directory / name / "selection.json").read_text())["layers"]
        assert list(variant.selection) == [entry["name"] for entry in layers]
        for entry in layers:
            kept = variant.selection[entry["name"]]
            assert kept.index_set.tolist() == sorted(entry["indices"])
            assert kept.index_path.tolist() == entry["indices"]
            assert kept.information_ratio.tolist() == entry["information"]
            assert kept.path.index_path.tolist() == entry["path"]


def test_layers_have_numbers_and_names(project: Project) -> None:
    variant = next(iter(mini_exp.load_results(project.directory).values()))
    names = list(variant.selection)
    for layers in (
        variant.selection,
        variant.second_moments,
        variant.eigenvalues,
        variant.width_spectra,
    ):
        assert list(layers) == names
        assert len(layers) == len(names)
        for number, name in enumerate(names, start=1):
            assert layers[number] is layers[name]


@pytest.mark.parametrize("layer", [0, 4, -1, "layers.9", ""])
def test_a_layer_that_is_not_there_is_named(tiny: Project, layer: int | str) -> None:
    variant = mini_exp.load_results(tiny.directory)["published"]
    with pytest.raises(KeyError, match=rf"no layer {layer!r}; expected 1 to 3 or one of layers.0"):
        variant.eigenvalues[layer]
    assert layer not in variant.eigenvalues


def test_nothing_is_read_before_it_is_asked_for_and_then_once(copied: Path) -> None:
    kept = ("config.yaml", "manifest.json", "table1.csv")
    contents = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    for path in contents:
        if path.name not in kept:
            path.write_bytes(b"not what it was")
    results = mini_exp.load_results(copied)
    assert "all 10 files" in repr(results) + results._repr_html_()
    for path, content in contents.items():
        path.write_bytes(content)
    variant = results[results.variants[0]]
    values = {name: getattr(variant, name) for name in ATTRIBUTES.values()}
    values["second_moments"] = variant.second_moments
    table1 = results.table1
    shutil.rmtree(copied)
    for name, value in values.items():
        assert getattr(variant, name) is value
    assert results.table1 is table1


def test_importing_and_opening_need_neither_torch_nor_pandas(
    tiny: Project, environment: dict[str, str]
) -> None:
    code = (
        "import sys, mini_exp; assert not {'torch', 'pandas', 'numpy'} & set(sys.modules); "
        "results = mini_exp.load_results(sys.argv[1]); print(*results.variants); "
        "assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny.directory)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("published corrected_bias\n", "")
