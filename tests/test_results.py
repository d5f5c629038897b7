"""What `load_results` gives is what the files hold; damaged and missing files are named."""

from __future__ import annotations

import io
import json
import pickle
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rich.console
import torch
from torch.nn import functional

import mini_exp
from mini_exp import artifacts
from mini_exp.config import Config, ImageConfig, load_config
from mini_exp.errors import ArtifactError
from mini_exp.networks import layer_outputs
from mini_exp.results import COMPARISON, STUDY, Results, Variant
from tests.conftest import ROOT, Project, stub
from tests.images.conftest import digits_file

STAGES = ("original", "compressed", "finetuned")
SCRIPT = ROOT / "scripts" / "explore_results.py"
# From every file of a variant to an attribute that reads it.
ATTRIBUTES = {
    "dataset.npz": "tensors",
    "original.safetensors": "original",
    "history.csv": "history",
    "covariance.npz": "eigenvalues",
    "widths.csv": "widths",
    "selection.json": "selection",
    "compressed.safetensors": "compressed",
    "finetuned.safetensors": "finetuned",
    "finetune_history.csv": "finetune_history",
    "evaluation.csv": "evaluation",
}
FRAMES = {name: ATTRIBUTES[name] for name in ATTRIBUTES if name.endswith(".csv")}
MAKE_IT = "make it with `mini-exp run` and the experiment's file"


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small experiment on digits, not drawn. Only to be looked at: every test shares it."""
    folder = tmp_path_factory.mktemp("digits")
    project = Project(digits_file(folder / "digits.yaml"), folder / "results")
    with pytest.MonkeyPatch.context() as patch:
        stub(patch)
        result = project("run")
    assert result.exit_code == 0, result.output
    return project


@pytest.fixture(params=["tiny", "digits"])
def project(request: pytest.FixtureRequest) -> Project:
    """An experiment of either kind."""
    found: Project = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def copied(project: Project, tmp_path: Path) -> Path:
    """A copy of its results."""
    return shutil.copytree(project.directory, tmp_path / project.config.stem)


@pytest.fixture(params=["mini", "digits", "cifar10"])
def committed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Of a reference run, what the repository holds: neither artifacts nor manifest."""
    source, folder = ROOT / "results" / request.param, tmp_path / request.param
    extra = [f"study/{name}" for name in STUDY if name != "replicates.csv"]
    extra += [f"compare/{name}" for name in COMPARISON]
    for name in ("config.yaml", "table1.csv", *extra):
        if (source / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / name)
    return folder


def read(variant: Variant, project: Project, name: str) -> Any:
    """The artifact itself, by the reader that the steps use."""
    path = project.directory / variant.name / name
    kind = "mini" if project.config.stem == "tiny" else "images"
    return artifacts.read(path, artifacts.sha256(path), kind)


def reader(variant: Variant, file: str) -> Callable[[], Any]:
    """Asks for the attribute that reads a file."""
    return lambda: getattr(variant, ATTRIBUTES[file])


def refused(attribute: Callable[[], Any], *texts: str) -> None:
    """One line that names the file and what makes it."""
    with pytest.raises(ArtifactError) as caught:
        attribute()
    message = str(caught.value)
    assert "\n" not in message
    for text in texts:
        assert text in message
    assert message.count("make it with") == 1


# What the files hold


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


def test_arrays_of_mini_are_the_files_without_a_replicate_axis(tiny: Project) -> None:
    for name, variant in mini_exp.load_results(tiny.directory).items():
        folder = tiny.directory / name
        with np.load(folder / "dataset.npz") as arrays:
            for split, (x, y) in variant.dataset.items():
                np.testing.assert_array_equal(x, arrays[f"X_{split}"], strict=True)
                np.testing.assert_array_equal(y, arrays[f"y_{split}"], strict=True)
                assert [t.dtype for t in variant.tensors[split]] == [torch.float64] * 2
                assert (variant.tensors[split][0].numpy() == x).all()
        with np.load(folder / "covariance.npz") as arrays:
            for layer in (1, 2, 3):
                sigma, mu = variant.second_moments[layer], variant.eigenvalues[layer]
                np.testing.assert_array_equal(sigma, arrays[f"sigma_{layer}"], strict=True)
                np.testing.assert_array_equal(mu, arrays[f"eigenvalues_{layer}"], strict=True)
        assert variant.width_spectra is variant.eigenvalues
        for entry in json.loads((folder / "selection.json").read_text())["layers"]:
            kept = variant.selection[entry["layer"]]
            assert kept.index_set.tolist() == sorted(entry["indices"])
            assert kept.index_path.tolist() == entry["path"]
            assert kept.information_ratio.tolist() == entry["path_information"]


def test_arrays_of_images_are_the_files(digits: Project) -> None:
    for name, variant in mini_exp.load_results(digits.directory).items():
        folder = digits.directory / name
        with np.load(folder / "dataset.npz") as arrays:
            pixels = arrays["X_train"].astype(np.float64)
            for split, (x, y) in variant.dataset.items():
                np.testing.assert_array_equal(x, arrays[f"X_{split}"], strict=True)
                np.testing.assert_array_equal(y, arrays[f"y_{split}"], strict=True)
                inputs, classes = variant.tensors[split]
                expected = (x - pixels.mean()) / pixels.std()
                assert inputs.dtype == torch.float32  # hence the tolerance
                np.testing.assert_allclose(inputs.numpy(), expected, rtol=1e-5, atol=1e-5)
                assert (classes.numpy() == y).all()
        assert list(variant.dataset) == ["train", "validation", "test"]
        groups = json.loads((folder / "selection.json").read_text())["groups"]
        assert list(variant.selection) == [group["name"] for group in groups]
        with np.load(folder / "covariance.npz") as arrays:
            for group in groups:
                layer = group["name"]
                mu, kept = variant.eigenvalues[layer], variant.selection[layer]
                np.testing.assert_array_equal(mu, arrays[f"eigenvalues/{layer}"])
                expected = np.linalg.eigvalsh(variant.second_moments[layer])[::-1]
                np.testing.assert_allclose(mu, expected, rtol=1e-10, atol=1e-12)
                flattened = arrays[f"flattened/{layer}"]
                np.testing.assert_array_equal(variant.width_spectra[layer], flattened)
                assert kept.index_path.tolist() == group["indices"]
                assert kept.index_set.tolist() == sorted(group["indices"])
                assert kept.information_ratio.tolist() == group["information"]


# The networks


def test_networks_of_mini_answer_as_the_artifacts(tiny: Project) -> None:
    for variant in mini_exp.load_results(tiny.directory).values():
        x, _ = variant.tensors["test"]
        for stage in STAGES:
            network = getattr(variant, stage)
            expected = layer_outputs(read(variant, tiny, f"{stage}.safetensors"), x[None])[-1][0]
            with torch.no_grad():
                found = network(x)
            assert found.shape == (len(x), 1)
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
            hidden = [m.out_features for m in network if isinstance(m, torch.nn.Linear)][:-1]
            assert hidden == ([16, 12, 10] if stage == "original" else [8, 3, 3])
            assert not network.training


def test_networks_give_the_saved_scores(project: Project) -> None:
    for variant in mini_exp.load_results(project.directory).values():
        saved = variant.evaluation.set_index(["stage", "split"])
        for stage in STAGES:
            network = getattr(variant, stage)
            for split, (x, y) in variant.tensors.items():
                row = saved.loc[(stage, split)]
                with torch.no_grad():
                    logits = network(x).double()
                if logits.shape[1] == 1:
                    loss = functional.binary_cross_entropy_with_logits(logits[:, 0], y).item()
                    right = (logits[:, 0] > 0) == (y == 1)
                    assert loss == pytest.approx(row["loss"], rel=1e-12)
                else:  # in float32
                    loss = functional.cross_entropy(logits, y).item()
                    right = logits.argmax(dim=1) == y
                    assert loss == pytest.approx(row["loss"], rel=1e-5)
                assert right.sum().item() == round(row["accuracy"] * row["n"])
                assert len(y) == row["n"]
                parameters = sum(parameter.numel() for parameter in network.parameters())
                assert parameters == row["parameters"]


def test_channels_of_smaller_networks_are_the_kept_ones(digits: Project) -> None:
    for variant in mini_exp.load_results(digits.directory).values():
        for network in (variant.compressed, variant.finetuned):
            for layer, kept in variant.selection.items():
                weight = network.get_submodule(str(layer)).get_parameter("weight")
                assert len(weight) == len(kept.index_set)


def test_loading_draws_no_random_number(project: Project) -> None:
    before = torch.get_rng_state()
    for variant in mini_exp.load_results(project.directory).values():
        assert variant.original is variant.original
    assert torch.equal(torch.get_rng_state(), before)


# Laziness


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


# Damage


@pytest.mark.parametrize("file", ATTRIBUTES)
def test_a_file_that_the_manifest_does_not_know_is_refused(copied: Path, file: str) -> None:
    name, other = mini_exp.load_results(copied).variants
    path = copied / name / file
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[: len(content) // 2], bytes(flipped), content + b"\n", b""):
        path.write_bytes(damaged)
        results = mini_exp.load_results(copied)
        refused(reader(results[name], file), f"{path}: damaged or replaced", MAKE_IT)
        getattr(results[other], ATTRIBUTES[file])  # the other variant's is as it was
    path.unlink()
    results = mini_exp.load_results(copied)
    refused(reader(results[name], file), f"{path}: cannot be read", MAKE_IT)
    assert f"missing: {file}" in repr(results)


@pytest.mark.parametrize("file", ATTRIBUTES)
def test_hostile_files_are_refused_without_a_manifest_too(copied: Path, file: str) -> None:
    """Nothing is unpickled, no parser's own error comes out."""
    (copied / "manifest.json").unlink()
    name, other = mini_exp.load_results(copied).variants
    path = copied / name / file
    objects, mixed = io.BytesIO(), io.BytesIO()
    np.savez(objects, X_train=np.array([_Trap()]), sigma_1=np.array([_Trap()]), allow_pickle=True)
    np.savez(mixed, sigma_1=np.zeros(3), X_train=np.zeros(()))
    hostile = [
        b"",
        b"\xff\xfe\x00\x01" * 9,
        b'a,b\n1,2\n1,2,3\n"',
        pickle.dumps(_Trap()),
        objects.getvalue(),
        mixed.getvalue(),
        b'{"layers": [{"layer": 1}]}, {"groups": [',
        b"[" * 100_000,
        (copied / other / "selection.json").read_bytes()[:-20],
    ]
    for content in hostile:
        path.write_bytes(content)
        results = mini_exp.load_results(copied)
        if file.endswith(".csv") and content in hostile[-3:]:
            continue  # a table of one strange column, but a table
        refused(reader(results[name], file), f"{path}: cannot be parsed", MAKE_IT)


class _Trap:
    def __reduce__(self) -> Any:
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("file", ["original.safetensors", "finetuned.safetensors"])
def test_a_network_of_another_size_is_refused(copied: Path, file: str) -> None:
    (copied / "manifest.json").unlink()
    results = mini_exp.load_results(copied)
    name = results.variants[0]
    stage = "finetuned" if file.startswith("original") else "original"
    shutil.copy(copied / name / f"{stage}.safetensors", copied / name / file)
    refused(
        reader(results[name], file),
        f"{copied / name / file}: cannot be parsed: RuntimeError: Error(s) in loading state_dict",
        MAKE_IT,
    )


def test_arrays_that_do_not_belong_together_are_refused(copied: Path) -> None:
    (copied / "manifest.json").unlink()
    name = mini_exp.load_results(copied).variants[0]
    selection = copied / name / "selection.json"
    text = selection.read_text()
    selection.write_text(text.replace('"conv1"', '"conv9"').replace('"width": 8', '"width": "8"'))
    results = mini_exp.load_results(copied)
    refused(lambda: results[name].compressed, f"{selection}: cannot be parsed", MAKE_IT)
    selection.write_text(text)
    dataset = copied / name / "dataset.npz"
    with np.load(dataset) as arrays:
        objects = {key: value[..., None, None].astype("U3") for key, value in arrays.items()}
    np.savez(dataset, **objects)
    results = mini_exp.load_results(copied)
    refused(lambda: results[name].tensors, f"{dataset}: cannot be parsed", MAKE_IT)


def test_damage_outside_the_variants_is_named(copied: Path) -> None:
    for file in ("config.yaml", "table1.csv"):
        content = (copied / file).read_bytes()
        (copied / file).write_bytes(content[:-5])
        refused(
            lambda: mini_exp.load_results(copied).table1,
            f"{copied / file}: damaged or replaced",
            MAKE_IT,
        )
        (copied / file).write_bytes(content)
    (copied / "table1.csv").write_bytes(b"<script>")
    page = mini_exp.load_results(copied)._repr_html_()
    assert "table1.csv: damaged or replaced" in page
    assert "<script>" not in page
    (copied / "manifest.json").write_bytes(b"{")
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged"):
        mini_exp.load_results(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "empty; expected name and variants"),
        (b"\xff", "cannot be read"),
        (b"a: [1", "not valid YAML"),
        (b"name: x\nvariants: {a: {}}\nsed: 1\nsead: 2", "unknown key"),
        (b"name: !!python/object/apply:os.abort []", "not valid YAML"),
    ],
)
def test_without_settings_there_are_no_results(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    refused(lambda: mini_exp.load_results(tmp_path), str(path), message, MAKE_IT)


def test_a_file_or_nothing_is_not_a_directory(tiny: Project, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tiny.config):
        refused(lambda path=path: mini_exp.load_results(path), f"{path}: not a directory", MAKE_IT)


# The committed reference runs, as a fresh clone has them


def test_a_fresh_clone_shows_its_tables(committed: Path) -> None:
    results = mini_exp.load_results(committed)
    expected = pd.read_csv(committed / "table1.csv")
    pd.testing.assert_frame_equal(results.table1, expected, check_exact=True)
    for stage in STAGES:
        assert f"{expected[stage].iloc[0]:.2f}" in repr(results)
    assert repr(results).count("none; `mini-exp run` makes them") == len(results)
    path = committed / results.variants[0] / "dataset.npz"
    refused(lambda: results[results.variants[0]].dataset, f"{path}: cannot be read", MAKE_IT)


def test_a_fresh_clone_shows_study_or_comparison(committed: Path) -> None:
    results = mini_exp.load_results(committed)
    mini = isinstance(results.config, Config)
    assert mini != isinstance(results.config, ImageConfig)
    found, names, folder = (
        (results.study, STUDY[:-1], "study")
        if mini
        else (results.comparison, COMPARISON, "compare")
    )
    for name in names:
        frame = getattr(found, name.removesuffix(".csv"))
        expected = pd.read_csv(committed / folder / name)
        pd.testing.assert_frame_equal(frame, expected, check_exact=True)
    if mini:
        refused(
            lambda: results.study.replicates,
            f"{committed / 'study' / 'replicates.csv'}: cannot be read",
            "make it with `mini-exp study`",
        )
        refused(lambda: results.comparison, "make it with `mini-exp compare`")
    else:
        refused(lambda: results.study, "make it with `mini-exp study`")


def test_where_no_study_has_run(project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    path = project.directory / "study"
    refused(lambda: results.study, f"{path}: not a directory", "`mini-exp study`")
    path = project.directory / "compare"
    refused(lambda: results.comparison, f"{path}: not a directory", "`mini-exp compare`")
    command = "study" if project.config.stem == "tiny" else "compare"
    assert re.search(rf"^{command} +none; `mini-exp {command}` makes them$", repr(results), re.M)


# How results are shown


def shown(results: Results) -> list[str]:
    """In the prompt, by rich and in a notebook."""
    console = rich.console.Console(file=io.StringIO(), width=120, force_terminal=True)
    with console.capture() as capture:
        console.print(results)
    return [repr(results), capture.get(), results._repr_html_()]


def test_every_way_to_show_says_the_same(project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    words = ["Results of", results.name, *results.variants, "Table 1", "Fine tuned", "all 10 files"]
    words += [str(results[name].settings.seed) for name in results]
    words += [f"{value:.2f}" for value in results.table1["original"][:2]]
    for text in shown(results):
        for word in words:
            assert word in text
    assert repr(results).startswith(f"Results of {results.name} in {project.directory}\nVariant ")
    assert "\x1b" not in repr(results)
    assert repr(results[results.variants[0]]) == f"<variant {results.variants[0]}: all 10 files>"


def test_names_cannot_take_hold_of_a_page_or_a_terminal(copied: Path) -> None:
    odd = copied.with_name("<script>alert(1)<b>[red]")
    copied.rename(odd)
    (odd / "manifest.json").unlink()
    path = odd / "table1.csv"
    first = str(pd.read_csv(path)["protocol"].iloc[0])
    name = "<script>\x1b[31m[red]"
    path.write_bytes(path.read_bytes().replace(first.encode(), name.encode()))
    plain, terminal, page = shown(mini_exp.load_results(odd))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2
    for text in (plain, terminal, page):
        assert "\x1b[31m" not in text
        assert "\\x1b[31m[red]" in text


# The example


def test_the_example_runs(tiny: Project, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tiny.directory)],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    check_example(done.stdout, tiny)
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 60


def test_the_example_runs_on_images(digits: Project, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(digits.directory)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    check_example(capsys.readouterr().out, digits)


def check_example(output: str, project: Project) -> None:
    results = mini_exp.load_results(project.directory)
    variant = results[results.variants[-1]]
    assert output.startswith(f"{results}\n\nMore of {variant.name}\n")
    errors = re.findall(r"^layer \w+: N\(λ\) from [\d.]+ to [\d.]+, error (\S+)$", output, re.M)
    assert len(errors) == len(variant.selection)
    assert max(map(float, errors)) < 1e-9
    accuracies = re.findall(r"^(\w+): accuracy (\S+), Table 1 has (\S+)$", output, re.M)
    assert [stage for stage, _, _ in accuracies] == list(STAGES)
    assert all(found == printed for _, found, printed in accuracies)
    for layer, kept in variant.selection.items():
        line = rf"^layer {layer}: keeps {len(kept.index_set)} units, 𝒞 = [\d.]+: "
        assert re.search(line + re.escape(str(kept.index_set.tolist())), output, re.M)


def test_the_example_says_what_is_missing(committed: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(committed)])
    with pytest.raises(SystemExit, match=r"cannot be read.*mini-exp run"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "Table 1" in capsys.readouterr().out
