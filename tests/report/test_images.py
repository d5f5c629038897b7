"""The report on images: channels, budgets, greedy beside the best, and the comparison."""

from __future__ import annotations

import re

import pytest

from mini_exp.report import images
from mini_exp.settings.config import Config
from mini_exp.settings.settings import Settings
from tests.blank_figures import blank_file, leave_out_drawing
from tests.report import examples

SPLITS = ("train", "validation", "test")


def pages(monkeypatch, selection=None, extra=None, flattened=True) -> dict[str, bytes]:
    """Of one variant, without figures."""
    settings = Settings.model_validate({"data": {"kind": "digits"}})
    artifacts = {
        "history.csv": examples.validated_history(),
        "covariance.npz": examples.spectra(3, flattened),
        "widths.csv": examples.width_path(5),
        "selection.json": selection or examples.selection(best=False, name="conv{}"),
        "finetune_history.csv": examples.validated_history(2),
        "evaluation.csv": examples.evaluations(SPLITS, (4000, 1200, 1200)),
    }
    config = Config(name="digits", variants={"half": settings})
    leave_out_drawing(monkeypatch.setattr)
    return images.pages(config, {"half": artifacts}, extra or {}, examples.records("load-images"))


@pytest.fixture
def text(monkeypatch):
    """report.md of such artifacts."""
    return lambda *args, **named: pages(monkeypatch, *args, **named)["report.md"].decode()


def test_every_figure_is_there_as_png_and_as_pdf(monkeypatch):
    names = ("widths", "degrees_of_freedom", "history")
    expected = {f"half/figures/{n}.{s}" for n in names for s in ("png", "pdf")}
    assert expected <= set(pages(monkeypatch))


def test_every_image_of_the_text_is_a_page(monkeypatch):
    made = pages(monkeypatch)
    paths = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", made["report.md"].decode())
    assert len(paths) == 3
    assert [path for path in paths if path not in made] == []


def test_the_text_has_no_template_residue(text):
    assert re.search(r"\{\{|\}\}|\{%|%\}|\bnan\b|\bNone\b", text()) is None


def test_the_source_of_the_images_is_named(text):
    assert "Data: scikit-learn's 8 × 8 digits." in text()


def test_widths_are_shown_beside_the_original_s(text):
    assert "| `conv0` | 16 | 8 |" in text()
    assert "| all parameters | 4,000 | 1,200 |" in text()


# Greedy beside the best of all sets


def test_groups_of_which_every_set_was_tried_stand_beside_the_best(text):
    narrow = examples.selection((6,), name="conv{}")
    wide = examples.selection((20,), best=False, name="wide{}")
    both = type(narrow)(narrow.groups + wide.groups)
    rows = re.findall(r"^\| half \| `(\w+)` \| (\d+ of \d+) \|", text(both), re.MULTILINE)
    assert rows == [("conv0", "3 of 6")]


def test_where_no_group_was_enumerated_there_is_no_such_table(text):
    assert "greedy |" not in text(examples.selection((20,), best=False))


# Budgets


@pytest.mark.parametrize(
    ("gap", "shown"),
    [
        (0.0, "those of half are the best possible,"),
        (0.004, "those of half are within 0.4 % of the best possible,"),
        (0.00361, "those of half are within 0.37 % of the best possible,"),
        (1e-9, "those of half are within 0.01 % of the best possible,"),
    ],
)
def test_widths_within_a_budget_have_their_certified_gap_rounded_up(text, gap, shown):
    assert shown in text(examples.selection(gap=gap))


def test_widths_without_a_budget_have_no_gap(text):
    assert "best possible" not in text(examples.selection(gap=None))


# What differs between experiments


@pytest.mark.parametrize(("flattened", "whose"), [(True, "whole layers'"), (False, "channels'")])
def test_the_text_says_whose_spectra_the_widths_are_of(text, flattened, whose):
    caption = text(flattened=flattened).partition("### Step 4")[2].partition("### Step 5")[0]
    assert f"of the {whose} spectra" in caption


def test_the_comparison_is_taken_up_with_its_figure(text):
    extra = {
        "compare/compare.md": b"## Beside other pruners\n\n![What](figures/accuracy.png)\n",
        "compare/figures/accuracy.png": blank_file(None, "png"),
    }
    shown = text(extra=extra)
    assert "![What](compare/figures/accuracy.png)" in shown
    assert shown.count("## Beside other pruners") == 1


def test_without_a_comparison_the_report_names_its_command(text):
    assert "`mini-exp compare`" in text().partition("## Beside other pruners")[2]
