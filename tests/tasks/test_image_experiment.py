"""The steps on images: what they write, when they run again, what they refuse."""

import numpy as np
import pandas as pd
import pytest
import torch

from mini_exp.experiment import formats
from mini_exp.experiment.sequence import ARTIFACTS
from mini_exp.files import sha256
from mini_exp.pruning.surgery import smaller_network
from mini_exp.settings.settings import Settings
from mini_exp.steps import covariance, estimate_width, finetune, select, train
from mini_exp.tasks.images.networks import digits_cnn
from tests.conftest import Project
from tests.digits import SETTINGS, digits_file

STEPS = ("load-images", "train", "covariance", "estimate-width", "select", "finetune")
GROUPS = {"conv1": 16, "conv2": 16, "conv3": 32, "conv4": 32, "hidden": 64}


def read(project, name, variant="half"):
    path = project.directory / variant / name
    return formats.read(path, sha256(path), ARTIFACTS[name])


def test_every_artifact_is_there_and_reads_back(compared_once):
    for variant in ("half", "budget"):
        for name in ARTIFACTS:
            read(compared_once, name, variant)


def test_sets_have_the_stated_sizes(compared_once):
    sizes = {split: len(y) for split, (_, y) in read(compared_once, "dataset.npz").items()}
    assert sizes == {"train": 200, "validation": 50, "test": 360}


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
    samples, selection = read(compared_once, "dataset.npz"), read(compared_once, "selection.json")
    rows = read(compared_once, "evaluation.csv")
    pixels = samples["train"][0].astype(np.float64)
    x, labels = samples["test"]
    x = (x - pixels.mean()) / pixels.std()
    for stage in ("original", "compressed", "finetuned"):
        network = digits_cnn()
        if stage != "original":
            network = smaller_network(network, selection)
        network.load_state_dict(read(compared_once, f"{stage}.safetensors"))
        network.eval()
        with torch.no_grad():
            answers = network(torch.from_numpy(x.astype(np.float32))).argmax(dim=1).numpy()
        (row,) = [row for row in rows if (row.stage, row.split) == (stage, "test")]
        assert row.accuracy == pytest.approx((answers == labels).mean(), abs=1e-9)
        assert row.parameters == sum(p.numel() for p in network.parameters())


def test_flattened_spectra_are_those_of_whole_layers(compared_once):
    moments = read(compared_once, "covariance.npz")
    assert moments.n_units == {
        **{"conv1": 16 * 64, "conv2": 16 * 16, "conv3": 32 * 16},
        **{"conv4": 32 * 4, "hidden": 64},
    }
    assert {len(values) for values in moments.flattened.values()} == {60}
    network = digits_cnn()
    network.load_state_dict(read(compared_once, "original.safetensors"))
    pixels = read(compared_once, "dataset.npz")["train"][0].astype(np.float64)
    x = torch.from_numpy(((pixels - pixels.mean()) / pixels.std())[:60].astype(np.float32))
    with torch.no_grad():
        phi = torch.relu(network.conv1(x)).flatten(1).double().numpy()
    expected = np.linalg.eigvalsh(phi @ phi.T / 60)[::-1]
    np.testing.assert_allclose(moments.flattened["conv1"], expected, rtol=1e-4, atol=1e-5)


def test_variants_that_differ_in_the_widths_share_the_training(compared_once):
    for name in ("dataset.npz", "original.safetensors", "covariance.npz", "widths.csv"):
        first, second = (compared_once.directory / v / name for v in ("half", "budget"))
        assert sha256(first) == sha256(second)


def test_a_second_run_does_nothing(compared):
    before = compared.identities()
    result = compared("run")
    assert result.exit_code == 0
    assert result.stdout.count("fresh, skipped") == 2 * len(STEPS) + 1
    assert compared.identities() == before


def test_the_same_bytes_again(compared, monkeypatch):
    monkeypatch.undo()  # draw in full, as the first run did
    before = compared.digests()
    result = compared("run", "--force")
    assert result.exit_code == 0, result.output
    assert compared.digests() == before


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("select.theta=1", ["select", "finetune"]),
        ("finetune.epochs=2", ["finetune"]),
        ("width.rho.num=2", ["estimate-width", "select", "finetune"]),
        ("train.epochs=1", ["train", "covariance", "estimate-width", "select", "finetune"]),
    ],
)
def test_a_setting_makes_stale_what_depends_on_it(compared, change, stale):
    lines = compared("status", "--set", change).stdout.splitlines()
    states = {tuple(line.split()[:2]): line.split()[2] for line in lines[:-1]}
    for variant in ("half", "budget"):
        assert [step for step in STEPS if states[variant, step] == "stale"] == stale


def test_a_damaged_artifact_is_made_anew(compared):
    path = compared.directory / "half" / "compressed.safetensors"
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    assert "damaged" in compared("status").stdout
    assert compared("run").exit_code == 0
    assert path.read_bytes() == before


def test_steps_and_commands_of_the_other_kind_are_refused(compared, tiny):
    for project, command, kind in (
        (compared, "gen-mini", "digits"),
        (compared, "study", "digits"),
        (tiny, "load-images", "mini"),
        (tiny, "compare", "mini"),
    ):
        result = project(command)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert command in result.stderr
        assert kind in result.stderr


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("width.choose=[1,2]", "expected 5 widths, of conv1, conv2, conv3, conv4, hidden, got 2"),
        ("width.choose=[17,1,1,1,1]", "conv1: expected 1 to 16 channels, got 17"),
        ("width.choose={parameters: 1e-4}", "parameters 0.0001: "),
        ("data.n_validation=5", "split: expected n_train and n_validation of at least 10"),
    ],
)
def test_what_the_data_or_the_network_forbid_is_one_line(tmp_path, setting, message):
    variants = {"one": {}}
    project = Project(digits_file(tmp_path / "bad.yaml", variants=variants), tmp_path / "results")
    result = project("run", "--set", setting)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


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
    samples = {
        split: (rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, n))
        for split, n in (("train", 40), ("validation", 20), ("test", 20))
    }
    settings = Settings.model_validate(
        {
            "data": {"kind": "cifar10", "root": "unused"},
            "model": {"kind": "resnet", "depth": 8},
            "train": {"epochs": 1},
            "finetune": {"epochs": 1},
            "covariance": {"n_samples": 20, "flattened": False},
            "compress": {"intercept": True},
            "width": {"rho": {"start": 1, "stop": 10, "num": 3}},
        }
    )
    original, _ = train.run(settings, samples)
    (moments,) = covariance.run(settings, original, samples)
    (path,) = estimate_width.run(settings, moments)
    selection, compressed = select.run(settings, samples, original, moments, path)
    grown = {name for name in compressed if name not in original}
    assert grown
    assert {name.rpartition(".")[2] for name in grown} == {"bias"}
    finetuned, _, rows = finetune.run(settings, samples, original, selection, compressed)
    assert finetuned.keys() == compressed.keys()
    assert {row.stage for row in rows} == {"original", "compressed", "finetuned"}
