"""What the report is given."""

import pytest

from mini_exp.experiment.pipeline import Experiment
from mini_exp.experiment.publications import publish
from mini_exp.report import mini
from mini_exp.settings.reading import load_config
from mini_exp.steps import report
from tests.experiment.running import MAKERS, STEPS, VARIANTS, manifest


@pytest.fixture
def given(small, monkeypatch):
    """Arguments of the report's module: config, results, extra pages, records."""
    taken = []
    monkeypatch.setattr(mini, "pages", lambda *arguments: taken.append(arguments) or {})
    experiment = Experiment(load_config(small.config), small.results, lambda line: None)
    for name in ("small/study", "digits/compare"):
        folder = small.results / name
        folder.mkdir(parents=True)
        (folder / "page.md").write_text(name, encoding="utf-8")
        publish(folder, experiment.config, ["page.md"], ["page.md"])
    experiment.run_command("report", force=True)
    (arguments,) = taken
    return arguments


def test_it_gets_every_variants_artifacts(given):
    _, results, _, _ = given
    assert list(results) == list(VARIANTS)
    for files in results.values():
        assert list(files) == [file for file in MAKERS if file in report.STEP.inputs]


def test_it_gets_what_was_published_for_it(given):
    _, _, extra, _ = given
    assert extra == {
        "study/page.md": b"small/study",
        "../digits/compare/page.md": b"digits/compare",
    }


def test_it_gets_how_long_every_step_took(small, given):
    *_, records = given
    assert [record.name for record in records] == list(STEPS)
    for record in records:
        for variant in VARIANTS:
            made = manifest(small)["steps"][f"{variant}/{record.name}"]
            assert record.seconds[variant] == made["seconds"]
            assert record.finished[variant] == made["finished"]


def test_keys_that_only_what_scores_reads_are_named_there(given):
    *_, records = given
    scoring = [record.name for record in records if "data.n_population" in record.settings]
    assert scoring == ["finetune"]
