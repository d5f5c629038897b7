"""From nothing to the report: what is on disk, what is run again and what is left alone."""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from mini_exp import __version__, pipeline
from mini_exp.config import load_config
from mini_exp.report import figures
from tests.blank_figures import blank_file

VARIANTS = ("published", "corrected_bias")
STEPS = ("gen-mini", "train", "covariance", "estimate-width", "select", "finetune")
MAKERS = {
    "dataset.npz": "gen-mini",
    "original.safetensors": "train",
    "history.csv": "train",
    "covariance.npz": "covariance",
    "widths.csv": "estimate-width",
    "selection.json": "select",
    "compressed.safetensors": "select",
    "finetuned.safetensors": "finetune",
    "finetune_history.csv": "finetune",
    "evaluation.csv": "finetune",
}
READERS = {
    "dataset.npz": ("train", "covariance", "finetune", "report"),
    "original.safetensors": ("covariance", "select", "finetune", "report"),
    "history.csv": ("report",),
    "covariance.npz": ("estimate-width", "select", "report"),
    "widths.csv": ("select", "report"),
    "selection.json": ("report",),
    "compressed.safetensors": ("finetune", "report"),
    "finetuned.safetensors": ("report",),
    "finetune_history.csv": ("report",),
    "evaluation.csv": ("report",),
}
PAGES = ("config.yaml", "table1.csv", "table1.md", "table1.tex", "report.md", "report.html")


def succeeded(result):
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result


def failed(result, code: int = 1) -> str:
    """The only line on stderr."""
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def steps_run(stdout: str) -> set[tuple[str, str]]:
    """Which steps of which variants a command says it ran; the others it must call fresh."""
    lines = re.findall(r"^(\S*) +([a-z-]+) +(fresh, skipped|[\d.]+ s.*)$", stdout, re.MULTILINE)
    return {(variant, step) for variant, step, what in lines if what != "fresh, skipped"}


def damage(path: Path) -> None:
    """Flip one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def manifest(project) -> dict:
    return json.loads((project.directory / "manifest.json").read_text(encoding="utf-8"))


def tensors(project, variant: str, name: str) -> dict[str, np.ndarray]:
    return load_file(project.directory / variant / f"{name}.safetensors")


def kept_widths(project, variant: str) -> list[int]:
    network = tensors(project, variant, "compressed")
    return [len(network[f"layers.{layer}.weight"]) for layer in range(3)]


def index_sets(project, variant: str) -> list[list[int]]:
    text = (project.directory / variant / "selection.json").read_text(encoding="utf-8")
    return [sorted(layer["indices"]) for layer in json.loads(text)["layers"]]


# The contract: files, columns, tensor names, shapes, dtypes


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
    assert {name: array.shape for name, array in arrays.items()} == shapes
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


# The same bytes, however they are made


def test_each_command_alone_equals_run(small_finished, empty):
    for step in (*STEPS, "report"):
        expected = {("", step)} if step == "report" else {(name, step) for name in VARIANTS}
        assert steps_run(succeeded(empty(step)).stdout) == expected
    assert empty.digests() == small_finished.digests()


def test_two_runs_from_nothing_make_the_same_bytes(small_finished, empty):
    succeeded(empty("run"))
    assert empty.digests() == small_finished.digests()


EACH = """
import sys
from mini_exp.cli import main
for command in "gen-mini train covariance estimate-width select finetune report".split():
    main([command, *sys.argv[1:]], standalone_mode=False)
"""


def test_each_command_in_another_process_equals_run(tiny, another, environment):
    project = another(tiny)
    arguments = (str(project.config), "--results", str(project.results), "--quiet")
    subprocess.run(
        [sys.executable, "-c", EACH, *arguments],
        env={**environment, "PYTHONHASHSEED": "4711"},  # another order of sets
        check=True,
    )
    assert project.digests() == tiny.digests()


def test_second_run_skips_everything_and_rewrites_nothing(tiny):
    before = tiny.identities()
    result = succeeded(tiny("run"))
    assert result.stdout.count("fresh, skipped") == len(VARIANTS) * len(STEPS) + 1
    assert steps_run(result.stdout) == set()
    assert tiny.identities() == before


def test_status_of_a_finished_run_is_fresh_and_writes_nothing(tiny):
    before = tiny.identities()
    lines = succeeded(tiny("status")).stdout.splitlines()
    assert len(lines) == len(VARIANTS) * len(STEPS) + 1
    assert all(line.endswith("fresh") for line in lines)
    assert tiny.identities() == before


def test_status_before_the_first_run_is_missing_and_writes_nothing(empty):
    lines = succeeded(empty("status")).stdout.splitlines()
    assert len(lines) == len(VARIANTS) * len(STEPS) + 1
    assert all(line.endswith("missing") for line in lines)
    assert not empty.results.exists()


def test_validate_writes_nothing(empty, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    succeeded(empty("validate"))
    assert sorted(tmp_path.iterdir()) == before


def test_results_directory_can_be_moved(small, another):
    project = another(small)
    shutil.copytree(small.results, project.results)
    assert steps_run(succeeded(project("run")).stdout) == set()


# A changed setting runs again what depends on it, and nothing else

AFTER_TRAIN = {"train", "covariance", "estimate-width", "select", "finetune"}
CHANGES = {
    "seed=2": (set(STEPS), set(STEPS)),
    "data.epsilon=0.2": (set(STEPS), set(STEPS)),
    "data.n_train=90": (set(STEPS), set(STEPS)),
    "train.epochs=4": (AFTER_TRAIN, AFTER_TRAIN),
    "dtype=float32": (AFTER_TRAIN, AFTER_TRAIN),
    # The published Σ is a sum already, the published network is sliced already, …
    "covariance.scale=sum": (set(), {"covariance", "estimate-width", "select", "finetune"}),
    "compress.weights=slice": (set(), {"select", "finetune"}),
    # The sweep's file changes, so units are selected again: the same ones, so nothing follows.
    "width.rho.num=4": ({"estimate-width", "select"}, {"estimate-width", "select"}),
    "width.choose=[4,2,2]": ({"select", "finetune"}, {"select", "finetune"}),
    # θ enters the losses of the published selection, not its choice of units.
    "select.theta=0": ({"select"}, {"select", "finetune"}),
    "finetune.epochs=4": ({"finetune"}, {"finetune"}),
    "data.n_population=400": ({"finetune"}, {"finetune"}),
    "variants.published.seed=2": (set(STEPS), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_setting_runs_what_depends_on_it(small, another, change):
    result = succeeded(small("run", "--set", change))
    assert steps_run(result.stdout) == {
        ("", "report"),
        *(
            (name, step)
            for name, steps in zip(VARIANTS, CHANGES[change], strict=True)
            for step in steps
        ),
    }
    anew = another(small)
    succeeded(anew("run", "--set", change))
    assert small.digests() == anew.digests()


@pytest.mark.parametrize("change", ["select.theta=0", "train.epochs=4", "width.choose.rho=3.3"])
def test_changing_a_setting_and_back_restores_every_byte(small, small_finished, change):
    succeeded(small("run", "--set", change))
    assert small.digests() != small_finished.digests()
    succeeded(small("run"))
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize("change", ["device=cpu", "select.theta=0.5", "name=small"])
def test_setting_spelt_out_as_it_was_changes_nothing(small, change):
    assert steps_run(succeeded(small("run", "--set", change)).stdout) == set()


def test_another_name_is_another_directory(small):
    before = small.identities()
    succeeded(small("gen-mini", "--set", "name=other"))
    assert (small.results / "other" / "published" / "dataset.npz").is_file()
    assert {path: small.identities()[path] for path in before} == before


def test_status_says_which_setting_changed(small):
    before = small.identities()
    lines = succeeded(small("status", "--set", "select.theta=0.25")).stdout.splitlines()
    assert [line.split()[2] for line in lines[6:12]] == [*["fresh"] * 4, "stale", "stale"]
    assert "select.theta was 0.5, is 0.25" in lines[10]
    assert "select comes first" in lines[11]
    assert lines[12].split()[:2] == ["report", "stale"]
    assert small.identities() == before


def test_changed_code_makes_a_step_stale(small):
    path = small.directory / "manifest.json"
    content = manifest(small)
    content["steps"]["published/select"]["code"]["spectral.selection"] = "0" * 64
    path.write_text(json.dumps(content), encoding="utf-8")
    lines = succeeded(small("status")).stdout.splitlines()
    assert "the code in spectral.selection changed" in lines[4]
    assert steps_run(succeeded(small("run")).stdout) == {("published", "select")}


@pytest.mark.parametrize(
    ("step", "modules"),
    [
        ("gen-mini", {"datasets.mini", "seeds"}),
        ("train", {"networks", "training", "seeds"}),
        ("covariance", {"networks", "spectral.second_moment"}),
        (
            "estimate-width",
            {"spectral.width", "spectral.published", "spectral.degrees_of_freedom"},
        ),
        ("select", {"spectral.selection", "spectral.reconstruction"}),
        ("finetune", {"networks", "training", "datasets.mini", "seeds"}),
    ],
)
def test_fingerprint_covers_the_code_of_a_step(tiny, step, modules):
    code = manifest(tiny)["steps"][f"published/{step}"]["code"]
    assert modules | {f"steps.{step.replace('-', '_')}", "types"} <= set(code)


def test_fingerprint_of_the_report_covers_its_code_and_templates(tiny):
    code = manifest(tiny)["steps"]["report"]["code"]
    assert {"steps.report", "report.tables", "report.figures", "report.document"} <= set(code)
    assert {"report/report.md", "report/page.html"} <= set(code)


def test_force_runs_everything_to_the_same_bytes(small, small_finished):
    result = succeeded(small("run", "--force"))
    assert steps_run(result.stdout) == {("", "report"), *itertools.product(VARIANTS, STEPS)}
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize("step", STEPS)
def test_force_of_one_command_runs_that_step_only(small, small_finished, step):
    result = succeeded(small(step, "--force"))
    assert steps_run(result.stdout) == {(name, step) for name in VARIANTS}
    assert small.digests() == small_finished.digests()
    assert steps_run(succeeded(small("run")).stdout) == set()


# Missing and damaged files


@pytest.mark.parametrize("file", MAKERS)
def test_run_restores_a_removed_artifact(small, small_finished, file):
    (small.directory / "corrected_bias" / file).unlink()
    assert f"missing   ({file} is not there)" in succeeded(small("status")).stdout
    result = succeeded(small("run"))
    assert steps_run(result.stdout) == {("corrected_bias", MAKERS[file])}
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize("file", MAKERS)
def test_run_restores_a_damaged_artifact(small, small_finished, file):
    damage(small.directory / "published" / file)
    assert f"stale     ({file} is damaged or was replaced)" in succeeded(small("status")).stdout
    result = succeeded(small("run"))
    assert steps_run(result.stdout) == {("published", MAKERS[file])}
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize("file", [*PAGES, "figures/figure1.pdf", "published/figures/loss.png"])
@pytest.mark.parametrize("spoil", [damage, Path.unlink], ids=["damaged", "removed"])
def test_run_restores_a_page_of_the_report(small, small_finished, file, spoil):
    spoil(small.directory / file)
    assert file in succeeded(small("status")).stdout
    assert steps_run(succeeded(small("run")).stdout) == {("", "report")}
    assert small.digests() == small_finished.digests()


@pytest.mark.parametrize(
    ("file", "command"), [(file, command) for file, names in READERS.items() for command in names]
)
@pytest.mark.parametrize("spoil", [damage, Path.unlink], ids=["damaged", "removed"])
def test_command_refuses_a_spoilt_input_and_names_its_maker(small, file, command, spoil):
    spoil(small.directory / "corrected_bias" / file)
    before = small.identities()
    message = failed(small(command, "--force"))
    assert message.startswith(f"mini-exp: {command}: ")
    assert "corrected_bias" in message
    assert file in message
    assert f"`mini-exp {MAKERS[file]}`" in message
    assert small.identities() == before


def test_command_refuses_stale_inputs(small):
    before = small.identities()
    message = failed(small("covariance", "--set", "train.epochs=4"))
    assert "train.epochs was 3, is 4" in message
    assert "`mini-exp train`" in message
    assert small.identities() == before


def test_command_refuses_inputs_that_are_stale_further_back(small):
    message = failed(small("report", "--set", "seed=2"))
    assert "`mini-exp gen-mini`" in message


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("train", "gen-mini"),
        ("covariance", "gen-mini"),
        ("estimate-width", "covariance"),
        ("select", "train"),
        ("finetune", "gen-mini"),
        ("report", "gen-mini"),
    ],
)
def test_command_without_its_inputs_names_the_first_that_is_missing(empty, command, first):
    message = failed(empty(command))
    assert "published" in message
    assert "missing" in message
    assert f"`mini-exp {first}`" in message
    assert not empty.results.exists()


def test_directory_in_the_place_of_an_artifact(small):
    path = small.directory / "published" / "widths.csv"
    path.unlink()
    path.mkdir()
    assert str(path) in failed(small("run"))


# Training that fails


def test_diverged_training_names_variant_and_epoch_and_keeps_what_was_there(small):
    before = small.identities()
    message = failed(small("run", "--set", "variants.corrected_bias.train.learning_rate=1e300"))
    assert "corrected_bias: train:" in message
    assert "nan in epoch 1" in message
    assert small.identities() == before


def test_diverged_training_from_nothing_keeps_the_data_set(empty, small_finished):
    message = failed(empty("run", "--set", "train.learning_rate=1e300"))
    assert "published: train: the loss became nan in epoch 1" in message
    kept = {path.name for path in empty.paths()}
    assert kept == {"dataset.npz", "manifest.json"}
    assert set(empty.digests().items()) <= set(small_finished.digests().items())


def test_diverged_fine_tuning_keeps_the_earlier_artifacts(small):
    before = small.identities()
    message = failed(small("finetune", "--set", "finetune.learning_rate=1e300"))
    assert "published: finetune: the loss became nan in epoch 1" in message
    assert small.identities() == before


def test_activations_that_overflow_name_the_variant(small):
    before = small.identities()
    change = "variants.corrected_bias.train.learning_rate=1e70"
    message = failed(small("run", "--set", change))
    assert "corrected_bias" in message
    assert "internal error" not in message
    assert {path: small.identities()[path] for path in before if "published" in str(path)} == {
        path: identity for path, identity in before.items() if "published" in str(path)
    }


# The manifest


def test_manifest_has_the_provenance(tiny):
    content = manifest(tiny)
    assert content["name"] == "tiny"
    assert content["seeds"] == dict.fromkeys(VARIANTS, 1701)
    steps = {"report", *(f"{name}/{step}" for name in VARIANTS for step in STEPS)}
    assert set(content["steps"]) == steps
    for record in content["steps"].values():
        made = content["environments"][record["environment"]]
        assert made["python"] == platform.python_version()
        for package in ("numpy", "scipy", "torch", "pandas", "matplotlib"):
            assert made[package] == importlib.metadata.version(package)
        assert made["mini_exp"] == __version__
        assert made["cores"] == os.cpu_count()
        assert {"platform", "omp_num_threads", "git_revision", "git_dirty"} <= set(made)
        assert record["seconds"] >= 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["finished"])


@pytest.mark.parametrize("threads", ["3", None])
def test_the_environment_says_how_many_threads_were_asked_for(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads or "")
    if threads is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    assert pipeline._environment.__wrapped__()["omp_num_threads"] == threads


def test_manifest_has_the_sha256_of_every_file(tiny):
    hashes = {}
    for key, record in manifest(tiny)["steps"].items():
        folder = tiny.directory / key.rpartition("/")[0]
        hashes |= {folder / file: digest for file, digest in record["outputs"].items()}
    found = {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tiny.paths()
        if path.name != "manifest.json"
    }
    assert hashes == found


def test_manifest_has_the_hashes_of_the_inputs(tiny):
    steps = manifest(tiny)["steps"]
    for variant in VARIANTS:
        for step in STEPS:
            for file, digest in steps[f"{variant}/{step}"]["inputs"].items():
                assert steps[f"{variant}/{MAKERS[file]}"]["outputs"][file] == digest


@pytest.mark.parametrize(
    "content",
    [
        *("", "garbage", "[]", "null", '{"version": 99, "steps": {}}'),
        *('{"version": 1, "steps": []}', '{"version": 1, "steps": {"published/train": 5}}'),
        '{"version": 1, "steps": {"published/gen-mini": {}}}',
        '{"version": 1, "steps": {"published/gen-mini": {"outputs": {}}}}',
        "\x00\xff",
    ],
    ids=repr,
)
@pytest.mark.parametrize("command", ["status", "gen-mini", "run"])
def test_damaged_manifest_is_one_clear_line(small, command, content):
    path = small.directory / "manifest.json"
    path.write_bytes(content.encode("latin-1"))
    before = small.identities()
    message = failed(small(command, *(["--set", "seed=2"] if command != "status" else [])))
    assert str(path) in message
    assert "delete it" in message
    assert small.identities() == before


def test_run_after_the_manifest_is_deleted_makes_the_same_bytes(small, small_finished):
    (small.directory / "manifest.json").unlink()
    succeeded(small("run"))
    assert small.digests() == small_finished.digests()


# One process at a time, and places that cannot be written

HOLD = """
import sys
from pathlib import Path
from mini_exp.artifacts import locked
with locked(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["returns", "is killed"])
def test_results_are_held_by_one_process(small, environment, end):
    before = small.identities()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(small.directory)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "ready\n"
        message = failed(small("run", "--force"))
        assert f"process {holder.pid} " in message
        assert str(small.directory) in message
        assert succeeded(small("status")).stdout.count("fresh") == 13
        assert small.identities() == before
        if end == "is killed":
            holder.kill()
        holder.stdin.close()
        holder.wait()
    assert steps_run(succeeded(small("run")).stdout) == set()


@pytest.mark.parametrize("command", ["run", "gen-mini", "train", "report", "status"])
@pytest.mark.parametrize("below", ["", "inner"], ids=["a file", "below a file"])
def test_results_that_cannot_be_a_directory(empty, command, below):
    empty.results.write_text("occupied")
    message = failed(empty(command, "--results", str(empty.results / below)))
    assert str(empty.results) in message
    assert "internal error" not in message
    assert empty.results.read_text() == "occupied"


def test_experiment_directory_that_is_a_file(empty):
    empty.results.mkdir()
    empty.directory.write_text("occupied")
    assert str(empty.directory) in failed(empty("run"))


# Choosing the widths


def test_widths_that_a_rho_gives(small):
    succeeded(small("run", "--set", "width.choose.rho=3.3"))
    for variant in VARIANTS:
        frame = pd.read_csv(small.directory / variant / "widths.csv").set_index("rho")
        expected = frame.loc[3.3, ["width_1", "width_2", "width_3"]]
        assert kept_widths(small, variant) == [max(1, int(width)) for width in expected]


@pytest.mark.parametrize("limit", [60, 90, 150])
def test_widths_within_a_number_of_parameters(small, limit):
    options = ("--set", "width.rho.num=9", "--set", f"width.choose.parameters={limit}")
    succeeded(small("run", *options, "--set", "variants.published.width.choose=[3,2,2]"))
    frame = pd.read_csv(small.directory / "corrected_bias" / "widths.csv")
    widths = frame[["width_1", "width_2", "width_3"]].clip(lower=1).to_numpy()
    sizes = np.column_stack([np.full(len(widths), 30), widths, np.ones(len(widths))])
    counts = (sizes[:, :-1] * sizes[:, 1:] + sizes[:, 1:]).sum(axis=1)
    found = tensors(small, "corrected_bias", "compressed")
    assert sum(tensor.size for tensor in found.values()) == counts[counts <= limit].max()


@pytest.mark.parametrize("alpha", [1e-9, 0.5, 0.9, 1.0])
def test_fewest_units_with_enough_information(small, alpha):
    succeeded(small("run", "--set", f"width.choose.information={alpha}"))
    for variant in VARIANTS:
        path = small.directory / variant / "selection.json"
        layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
        ratios = [layer["information"] for layer in layers]
        assert kept_widths(small, variant) == [len(ratio) for ratio in ratios]
        assert all(ratio[-1] >= alpha - 1e-12 for ratio in ratios)
        assert all(before < alpha for ratio in ratios for before in ratio[:-1])


def test_too_few_parameters_exit_2(small):
    message = failed(small("run", "--set", "width.choose.parameters=3"), code=2)
    assert "published: width.choose.parameters: expected at least" in message
    assert "got 3" in message


# Other settings


def test_float32_is_stored_as_float64(small):
    succeeded(small("run", "--set", "dtype=float32"))
    for variant in VARIANTS:
        for stage in ("original", "finetuned"):
            for tensor in tensors(small, variant, stage).values():
                assert tensor.dtype == np.float64
                assert (tensor == tensor.astype(np.float32)).all()


def test_cuda_without_a_gpu_exits_2(empty, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = failed(empty("run", "--device", "cuda"), code=2)
    assert "device: expected cpu" in message
    assert "got 'cuda'" in message
    assert not empty.results.exists()


@pytest.mark.parametrize(
    "changes",
    [
        ("model.widths=[5]", "width.choose=[2]"),
        ("model.widths=[5,4,3,2]", "width.choose=[2,2,2,2]"),
        ("model.widths=[1,1,1]", "width.choose=[1,1,1]"),
        ("width.choose=[6,5,4]",),
        ("data.n_train=1",),
        ("data.n_test=1",),
        ("data.n_population=1",),
        ("data.epsilon=0",),
        ("train.batch_size=1000",),
        ("train.epochs=1", "finetune.epochs=1"),
        ("seed=9223372036854775807",),
        ("width.rho={start: 2, stop: 2, num: 1}",),
        ("width.regularizer=abs",),
        ("select.theta=1",),
        ("train.learning_rate=10", "train.epochs=30"),  # dead units
    ],
    ids=" ".join,
)
def test_odd_but_valid_settings_run_without_a_word(empty, monkeypatch, changes):
    monkeypatch.undo()  # these figures are drawn, though not to files
    monkeypatch.setattr(figures, "rendered", blank_file)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    options = [part for change in changes for part in ("--set", change)]
    succeeded(empty("run", *options))
    assert all(line.endswith("fresh") for line in empty("status", *options).stdout.splitlines())


def test_one_variant_without_biases_has_no_figure_2(empty, tmp_path):
    settings = yaml.safe_load(empty.config.read_text(encoding="utf-8"))
    del settings["variants"]["corrected_bias"]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    succeeded(type(empty)(path, empty.results)("run"))
    numbers = sorted(path.stem for path in (empty.directory / "figures").glob("*.png"))
    assert numbers == [f"figure{number}" for number in (1, 3, 4, 5, 6, 7)]
