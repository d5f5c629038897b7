"""The steps on images: what they write, when they run again, what they refuse."""

import numpy as np
import pandas as pd
import pytest
import torch

from mini_exp import artifacts
from mini_exp.config import ImageSettings
from mini_exp.image_networks import digits_cnn
from mini_exp.pipeline import IMAGE_STEPS
from mini_exp.pruning.surgery import smaller_network
from mini_exp.steps.images import covariance, finetune, select, train
from mini_exp.types import Images, ImageSplits
from tests.conftest import Project
from tests.images.conftest import SETTINGS, digits_file

GROUPS = {"conv1": 16, "conv2": 16, "conv3": 32, "conv4": 32, "hidden": 64}


def read(project, name, variant="half"):
    path = project.directory / variant / name
    return artifacts.read(path, artifacts.sha256(path), "images")


def test_every_artifact_is_there_and_reads_back(compared_once):
    for variant in ("half", "budget"):
        for step in IMAGE_STEPS:
            for name in step.outputs:
                read(compared_once, name, variant)


def test_sets_are_disjoint_and_of_the_stated_sizes(compared_once):
    splits = read(compared_once, "dataset.npz")
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [200, 50, 360]


def test_half_of_every_group_is_kept(compared_once):
    selection = read(compared_once, "selection.json")
    assert selection.widths == {name: width // 2 for name, width in GROUPS.items()}
    for path in selection.groups:
        assert (np.diff(path.information_ratio) >= 0).all()


def test_the_budget_is_kept_and_used(compared_once):
    rows = read(compared_once, "evaluation.csv", "budget")
    (full,) = {row.parameters for row in rows if row.stage == "original"}
    (small,) = {row.parameters for row in rows if row.stage == "compressed"}
    # One channel more in any group costs at most some hundred parameters.
    assert 0.3 * full - 700 <= small <= 0.3 * full


def test_saved_networks_give_the_saved_scores(compared_once):
    splits, selection = read(compared_once, "dataset.npz"), read(compared_once, "selection.json")
    rows = read(compared_once, "evaluation.csv")
    pixels = splits.train.pixels.astype(np.float64)
    x = (splits.test.pixels - pixels.mean()) / pixels.std()
    for stage in ("original", "compressed", "finetuned"):
        network = digits_cnn()
        if stage != "original":
            network = smaller_network(network, selection)
        network.load_state_dict(read(compared_once, f"{stage}.safetensors").tensors)
        network.eval()
        with torch.no_grad():
            answers = network(torch.from_numpy(x.astype(np.float32))).argmax(dim=1).numpy()
        (row,) = [row for row in rows if (row.stage, row.split) == (stage, "test")]
        assert row.accuracy == pytest.approx((answers == splits.test.labels).mean(), abs=1e-9)
        assert row.parameters == sum(p.numel() for p in network.parameters())


def test_flattened_spectra_are_those_of_whole_layers(compared_once):
    found = read(compared_once, "covariance.npz")
    assert found.n_units == {
        **{"conv1": 16 * 64, "conv2": 16 * 16, "conv3": 32 * 16},
        **{"conv4": 32 * 4, "hidden": 64},
    }
    assert {len(values) for values in found.flattened.values()} == {60}
    splits = read(compared_once, "dataset.npz")
    network = digits_cnn()
    network.load_state_dict(read(compared_once, "original.safetensors").tensors)
    pixels = splits.train.pixels.astype(np.float64)
    x = torch.from_numpy(((pixels - pixels.mean()) / pixels.std())[:60].astype(np.float32))
    with torch.no_grad():
        phi = torch.relu(network.conv1(x)).flatten(1).double().numpy()
    expected = np.linalg.eigvalsh(phi @ phi.T / 60)[::-1]
    np.testing.assert_allclose(found.flattened["conv1"], expected, rtol=1e-4, atol=1e-5)


def test_variants_that_differ_in_the_widths_share_the_training(compared_once):
    for name in ("dataset.npz", "original.safetensors", "covariance.npz", "widths.csv"):
        assert artifacts.sha256(compared_once.directory / "half" / name) == artifacts.sha256(
            compared_once.directory / "budget" / name
        )


def test_a_second_run_does_nothing(compared):
    before = compared.identities()
    result = compared("run")
    assert result.exit_code == 0
    assert result.stdout.count("fresh, skipped") == 2 * len(IMAGE_STEPS) + 1
    assert compared.identities() == before


def test_the_same_bytes_again(compared):
    before = compared.digests()
    result = compared("run", "--force")
    assert result.exit_code == 0, result.output
    assert compared.digests() == before


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("select.theta=1", ["select", "finetune"]),
        ("finetune.epochs=2", ["finetune"]),
        ("width.rho.num=2", ["estimate-width"]),
        ("train.epochs=1", ["train", "covariance", "estimate-width", "select", "finetune"]),
    ],
)
def test_a_setting_makes_stale_what_depends_on_it(compared, change, stale):
    lines = compared("status", "--set", change).stdout.splitlines()
    states = {tuple(line.split()[:2]): line.split()[2] for line in lines[:-1]}
    order = [step.name for step in IMAGE_STEPS]
    for variant in ("half", "budget"):
        assert {step for step in order if states[variant, step] == "stale"} == set(stale)


def test_a_damaged_artifact_is_made_anew(compared):
    path = compared.directory / "half" / "compressed.safetensors"
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    assert "damaged" in compared("status").stdout
    assert compared("run").exit_code == 0
    assert path.read_bytes() == before


def test_steps_of_mini_are_refused_and_the_other_way_round(compared, tiny):
    for project, command, kind in ((compared, "gen-mini", "images"), (tiny, "load-images", "mini")):
        result = project(command)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"mini-exp: {command}: not a step of an experiment on ")
        assert kind in result.stderr
    assert compared("study").exit_code == 2
    assert tiny("compare").exit_code == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.kind=cats", "data.kind: expected mini, digits or cifar10, got 'cats'"),
        ("data.root=x", "data: expected a root for cifar10 and only there, got 'x'"),
        ("data.download=true", "data: expected download only with a root"),
        ("model.kind=resnet", "model.kind: expected digits_cnn for digits"),
        ("model.depth=19", "model: expected a depth of 6n + 2"),
        ("width.choose=[1,2]", "width.choose: expected 5 widths, of conv1, conv2, conv3, conv4"),
        ("width.choose=[17,1,1,1,1]", "prune: widths: conv1: expected 1 to 16 channels, got 17"),
        ("width.choose={keep: 0}", "width.choose.keep: expected more than 0, got 0"),
        ("width.choose={rho: 1}", "width.choose.rho: unknown key"),
        ("width.choose={keep: 0.5, flops: 0.5}", "expected exactly one of keep, parameters"),
        ("width.choose={parameters: 1e-4}", "budget"),
        ("data.n_validation=5", "split: expected n_train and n_validation of at least 10"),
        ("select.scope=full", "select.scope: unknown key"),
        ("compare.networks=1", "compare.networks: expected at least 2, got 1"),
        ("compare.keep=[2]", "compare.keep.0: expected at most 1, got 2"),
        ("train.precision=half", "train.precision: expected 'float32' or 'bfloat16'"),
    ],
)
def test_bad_settings_are_one_line(tmp_path, setting, message):
    variants = {"one": {}}
    project = Project(digits_file(tmp_path / "bad.yaml", variants=variants), tmp_path / "results")
    result = project("compare" if setting.startswith("compare") else "run", "--set", setting)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_kinds_are_not_mixed(tmp_path):
    variants = {"a": {}, "b": {"data": {"kind": "mini"}}}
    project = Project(digits_file(tmp_path / "mixed.yaml", variants=variants), tmp_path)
    result = project("validate")
    assert result.exit_code == 2
    assert "data.kind: expected mini in every variant or in none, got digits in a" in result.stderr


def test_missing_cifar10_says_how_to_get_it(tmp_path):
    data = {"kind": "cifar10", "root": str(tmp_path / "nowhere")}
    path = digits_file(tmp_path / "cifar.yaml", data=data, model={"kind": "thesis_cnn"})
    result = Project(path, tmp_path / "results")("run")
    assert result.exit_code == 1
    assert "data.download: true" in result.stderr


def test_the_report_has_every_figure_and_number(compared_once):
    text = (compared_once.directory / "report.md").read_text(encoding="utf-8")
    page = (compared_once.directory / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") == text.count("![") == 2 + 2 + 1
    assert "## Beside other pruners" in text
    table = pd.read_csv(compared_once.directory / "table1.csv")
    assert list(table["protocol"].unique()) == list(SETTINGS["variants"])
    for value in table.loc[table["measure"] == "parameters", "compressed"]:
        assert f"{value:,.0f}" in text


def test_biases_that_an_intercept_gives_a_resnet_pass_through_all_steps():
    rng = np.random.default_rng(0)
    splits = ImageSplits(
        *(
            Images(rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, n))
            for n in (40, 20, 20)
        )
    )
    settings = ImageSettings.model_validate(
        {
            "data": {"kind": "cifar10", "root": "unused"},
            "model": {"kind": "resnet", "depth": 8},
            "train": {"epochs": 1},
            "finetune": {"epochs": 1},
            "covariance": {"n_images": 20, "flattened": False},
            "compress": {"intercept": True},
        }
    )
    original, _ = train.run(settings, splits)
    moments = covariance.run(settings, original, splits)[0]
    selection, compressed = select.run(settings, splits, original, moments)
    grown = {name for name in compressed.tensors if name not in original.tensors}
    assert grown
    assert {name.rpartition(".")[2] for name in grown} == {"bias"}
    finetuned, _, rows = finetune.run(settings, splits, original, selection, compressed)
    assert finetuned.tensors.keys() == compressed.tensors.keys()
    assert {row.stage for row in rows} == {"original", "compressed", "finetuned"}
