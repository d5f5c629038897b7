"""What one object says and does after files have changed behind its back."""

import pytest

from mini_exp.experiment.pipeline import Experiment
from mini_exp.experiment.publications import publish
from mini_exp.settings.reading import load_config


@pytest.fixture
def experiment(small):
    said = []
    found = Experiment(load_config(small.config), small.results, said.append)
    found.said = said
    return found


def states(experiment):
    return {(state.variant, state.step): state for state in experiment.status()}


def test_status_sees_a_file_that_changed_since_the_last_call(experiment):
    assert states(experiment)["published", "train"].state == "fresh"
    (experiment.directory / "published" / "history.csv").write_bytes(b"")
    state = states(experiment)["published", "train"]
    assert (state.state, state.why) == ("stale", "history.csv is damaged or was replaced")


def test_run_sees_a_file_that_changed_since_the_last_call(experiment):
    experiment.run()
    path = experiment.directory / "published" / "history.csv"
    content = path.read_bytes()
    path.write_bytes(b"")
    experiment.run()
    assert path.read_bytes() == content


def test_a_command_sees_a_file_that_changed_since_the_last_call(experiment):
    experiment.run_command("finetune")
    (experiment.directory / "published" / "evaluation.csv").unlink()
    experiment.run_command("finetune")
    assert (experiment.directory / "published" / "evaluation.csv").is_file()


def test_the_report_takes_up_a_page_that_was_published_since_the_last_call(experiment):
    experiment.run()
    assert "fresh, skipped" in experiment.said[-1]
    folder = experiment.directory / "study"
    folder.mkdir()
    (folder / "claims.md").write_text("## A study of its own", encoding="utf-8")
    publish(folder, experiment.config, ["claims.md"])
    assert states(experiment)["", "report"].why == "study/claims.md changed"
    experiment.run()
    assert experiment.said[-1].endswith("(study/claims.md changed)")
    assert states(experiment)["", "report"].state == "fresh"


def test_a_step_after_one_that_is_not_fresh_says_which_comes_first(small):
    config = load_config(small.config, ["variants.published.width.regularizer=abs"])
    after = states(Experiment(config, small.results))
    assert after["published", "estimate-width"].why == 'width.regularizer was "square", is "abs"'
    assert after["published", "select"].why == "estimate-width comes first"
    assert after["published", "finetune"].why == "select comes first"
    assert after["corrected_bias", "select"].state == "fresh"


def test_variants_that_depend_on_the_same_get_a_copy(small, tmp_path):
    config = load_config(small.config, ["data.n_test=50", "data.labels=thesis"])
    said = []
    experiment = Experiment(config, tmp_path / "anew", said.append)
    experiment.run_command("gen-mini")
    assert said[1].endswith("the same as published's, copied")
    first, second = (
        (experiment.directory / variant / "dataset.npz").read_bytes()
        for variant in ("published", "corrected_bias")
    )
    assert first == second


def test_forced_variants_are_computed_each(small, tmp_path):
    config = load_config(small.config, ["data.n_test=50", "data.labels=thesis"])
    said = []
    experiment = Experiment(config, tmp_path / "anew", said.append)
    experiment.run_command("gen-mini", force=True)
    assert not any("copied" in line for line in said)


def test_a_spoilt_twin_is_not_copied(small, tmp_path):
    config = load_config(small.config, ["data.n_test=50", "data.labels=thesis"])
    said = []
    experiment = Experiment(config, tmp_path / "anew", said.append)
    experiment.run_command("gen-mini")
    for variant in ("published", "corrected_bias"):
        (experiment.directory / variant / "dataset.npz").write_bytes(variant.encode())
    experiment.run_command("gen-mini")
    assert "dataset.npz is damaged" in said[2]
    assert said[3].endswith("the same as published's, copied")
