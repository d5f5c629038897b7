"""Pages that the study and comparisons publish, and which reports take them up."""

import json

import pytest

from mini_exp.experiment.publications import PUBLICATION, publish, published_pages
from mini_exp.settings.config import Config
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings


def config(name="here", **settings):
    return Config(name=name, variants={"only": Settings.model_validate(settings)})


MINI = config()
DIGITS = config("digits", data={"kind": "digits"})


def written(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


@pytest.fixture
def here(tmp_path):
    """Results of an experiment on MINI with a study."""
    folder = written(tmp_path / "here" / "study", "claims.md", "figures/jump.png", "costs.json")
    publish(folder, MINI, ["claims.md", "figures/jump.png"])
    return tmp_path / "here"


@pytest.fixture
def digits(tmp_path):
    """Results of another experiment, with a comparison."""
    folder = written(tmp_path / "digits" / "compare", "compare.md", "short.md", "figures/a.png")
    publish(folder, DIGITS, ["compare.md", "figures/a.png"], ["short.md", "figures/a.png"])
    return tmp_path / "digits"


def test_pages_are_taken_up_by_the_experiments_own_report(here):
    assert published_pages(MINI, here) == ["study/claims.md", "study/figures/jump.png"]


def test_pages_made_for_other_settings_are_not(here):
    assert published_pages(config(seed=2), here) == []


@pytest.mark.parametrize("page", ["claims.md", "figures/jump.png"])
@pytest.mark.parametrize("content", [None, b"", b"other"], ids=["gone", "empty", "other bytes"])
def test_where_a_page_is_not_as_it_was_none_is_taken_up(here, page, content):
    path = here / "study" / page
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert published_pages(MINI, here) == []


def test_an_experiment_that_gathers_takes_up_summaries_of_others(here, digits):
    assert published_pages(MINI, here)[2:] == [
        "../digits/compare/short.md",
        "../digits/compare/figures/a.png",
    ]


def test_summaries_are_taken_up_whatever_they_were_made_for(here, digits):
    publish(digits / "compare", config("digits", seed=2), [], ["short.md"])
    assert published_pages(MINI, here)[2:] == ["../digits/compare/short.md"]


def test_half_a_summary_is_not_taken_up(here, digits):
    (digits / "compare" / "figures" / "a.png").unlink()
    assert len(published_pages(MINI, here)) == 2


def test_an_experiment_that_does_not_gather_takes_up_its_own_pages_only(here, digits):
    assert published_pages(DIGITS, digits) == ["compare/compare.md", "compare/figures/a.png"]


def test_without_results_there_are_no_pages(tmp_path):
    assert published_pages(MINI, tmp_path / "nowhere" / "here") == []


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"made_for": "", "pages": []}'),
        b'{"made_for": "", "pages": 3, "summary": []}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_what_cannot_be_read_counts_as_nothing(here, content):
    (here / "study" / PUBLICATION).write_bytes(content)
    assert published_pages(MINI, here) == []


@pytest.mark.parametrize("outside", ["../secret", "figures/../../secret", "/etc/hostname"])
def test_files_outside_its_folder_are_not_published(here, outside):
    written(here, "secret")
    path = here / "study" / PUBLICATION
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "pages": {outside: "0" * 64}}), encoding="utf-8")
    assert published_pages(MINI, here) == []


def test_more_instruments_make_no_other_pages(here):
    asked = MINI.model_copy(update={"diagnose": Diagnose(instruments=("confidence", "margin"))})
    plain = MINI.model_copy(update={"diagnose": Diagnose()})
    folder = written(here / "diagnose", "statements.md")
    publish(folder, asked, ["statements.md"])
    assert published_pages(plain, here)[0] == "diagnose/statements.md"


def test_what_the_diagnosis_is_asked_touches_its_own_pages_alone(here):
    asked = MINI.model_copy(update={"diagnose": Diagnose()})
    otherwise = MINI.model_copy(update={"diagnose": Diagnose(n_population=7)})
    folder = written(here / "diagnose", "statements.md")
    publish(folder, asked, ["statements.md"])
    study = ["study/claims.md", "study/figures/jump.png"]
    assert published_pages(asked, here) == ["diagnose/statements.md", *study]
    assert published_pages(otherwise, here) == study
