"""Missing and damaged files are named, and repaired or refused."""

from pathlib import Path

import pytest

from tests.experiment.running import MAKERS, PAGES, damage, failed, steps_run, succeeded

READERS = {
    "dataset.npz": ("train", "covariance", "select", "finetune", "report"),
    "original.safetensors": ("covariance", "select", "finetune", "report"),
    "history.csv": ("report",),
    "covariance.npz": ("estimate-width", "select", "report"),
    "widths.csv": ("select", "report"),
    "selection.json": ("finetune", "report"),
    "compressed.safetensors": ("finetune", "report"),
    "finetuned.safetensors": ("report",),
    "finetune_history.csv": ("report",),
    "evaluation.csv": ("report",),
}


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
        ("select", "gen-mini"),
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
