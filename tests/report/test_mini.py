"""report.md on MINI: numbers that agree with the artifacts, all settings, all figures."""

from __future__ import annotations

import csv
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mini_exp.experiment.formats import moments
from mini_exp.report import drawing, mini
from mini_exp.report.document import template
from mini_exp.report.moment_figures import second_moment_figure
from mini_exp.settings.config import Config
from mini_exp.settings.settings import Settings
from mini_exp.settings.walk import keys
from mini_exp.spectral.published import STARTING_P
from tests.blank_figures import blank_file, leave_out_drawing
from tests.report import examples
from tests.report.examples import STAGES
from tests.report.legibility import labels

STEPS = ("gen-mini", "train", "covariance", "estimate-width", "select", "finetune")
VARIANTS = ("published", "corrected_bias")
FIGURES = [f"figures/figure{number}" for number in range(1, 8)] + [
    f"{variant}/figures/{name}"
    for variant in VARIANTS
    for name in ("widths", "dataset", "loss", "selection", "second_moment_1", "second_moment_2")
]
RANGE = {"rho": {"start": 0.01, "stop": 0.1, "num": 91}}


def results(settings: Settings) -> dict[str, object]:
    """A variant's artifacts."""
    widths = settings.model.widths
    return {
        "dataset.npz": examples.samples(),
        "history.csv": examples.history(settings.train.epochs),
        "covariance.npz": examples.moments(widths),
        "widths.csv": examples.width_path(widths=widths),
        "selection.json": examples.selection(widths),
        "finetune_history.csv": examples.history(settings.finetune.epochs),
        "evaluation.csv": examples.evaluations(),
    }


def undrawn(monkeypatch, config: Config, extra=None) -> dict[str, bytes]:
    """All pages, without figures."""
    with monkeypatch.context() as patch:
        leave_out_drawing(patch.setattr)
        artifacts = {name: results(settings) for name, settings in config.variants.items()}
        return mini.pages(config, artifacts, extra or {}, examples.records())


def config_of(**variants: dict[str, object]) -> Config:
    return Config(
        name="x", variants={name: Settings.model_validate(v) for name, v in variants.items()}
    )


# Numbers


def test_the_verdict_counts_improvements_on_the_population(tiny, markdown):
    scores = {}
    for variant in VARIANTS:
        frame = pd.read_csv(tiny.directory / variant / "evaluation.csv")
        scores[variant] = frame[frame["split"] == "population"].set_index("stage")
    lower = sum(f.loc["compressed", "loss"] < f.loc["original", "loss"] for f in scores.values())
    words = {0: "none", 2: "all"}
    shown = re.sub(r"\s+", " ", markdown)
    assert f"lowered the loss on fresh draws in {words.get(lower, lower)} of the 2" in shown


def test_the_stated_error_of_the_population_rows_holds(tiny, markdown):
    stated = float(re.search(r"own\s+error\s+is\s+below\s+(0\.\d+)", markdown)[1])
    with (tiny.directory / "table1.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "population accuracy"]
    for row, stage in itertools.product(rows, STAGES):
        assert (float(row[f"{stage}_high"]) - float(row[f"{stage}_low"])) / 2 < stated


def test_report_shows_table_1(tiny, markdown):
    assert (tiny.directory / "table1.md").read_text(encoding="utf-8").strip() in markdown


def test_the_sweeps_are_told_in_numbers(monkeypatch):
    path = examples.width_path(5)
    path.width[1] = path.width[3] = (8, 3, 3)
    path.converged[:] = (True, False, True, False, False)
    path.lambda_[:] = 1.0
    path.lambda_[2], path.lambda_[4, 0] = STARTING_P**2, STARTING_P**2
    first, last = (tuple(map(int, row)) for row in (path.width[0], path.width[-1]))
    row = f"| a | 0.01 … 0.1 | {first} | {last} | 0.0325, 0.0775 | 3 of 5 | 1 |"
    assert row in mini._sweeps_table({"a": path})


def test_numbers_in_a_column_have_the_same_digits(markdown):
    for table in re.findall(r"(?:^\|.*\|\n)+", markdown, re.MULTILINE):
        _, rule, *rows = [line.strip("|\n").split("|") for line in table.splitlines()]
        for column, align in enumerate(rule):
            if align.endswith(":"):
                numbers = [re.search(r"\d+(\.\d+)?", row[column]) for row in rows]
                digits = {len(number[1] or "") for number in numbers if number}
                assert len(digits) <= 1, (rows[0], column)


# Text


def test_every_row_of_a_table_has_the_header_s_cells(markdown):
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(counts) == 1, table


def test_the_text_has_no_template_residue(markdown):
    assert re.search(r"\{\{|\}\}|\{%|%\}|\bnan\b|\bNone\b", markdown) is None


def test_report_names_every_setting_once(markdown):
    section = markdown.partition("## Step by step")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z_.]+)` \|", section, re.MULTILINE)
    settings = Settings.model_validate({})
    known = [key for key in keys(Settings) if _is_there(settings, key)]
    known.remove("export")  # its step is there only where it is asked for
    assert sorted(named) == sorted(known)


def _is_there(settings: Settings, key: str) -> bool:
    """Whether settings on MINI have the key: other kinds of data have others."""
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part, _is_there)
    return value is not _is_there


def test_report_names_every_step_and_slip(markdown):
    for number, step in enumerate(STEPS, start=1):
        assert f"### Step {number}: {step}\n" in markdown
    slips = markdown.partition("## Slips")[2].partition("\n## ")[0]
    named = re.findall(r"^\| (4\.\d\.\d)", slips, re.MULTILINE)
    assert named == ["4.1.2", "4.1.7", "4.1.1", "4.2.2", "4.2.3", "4.2.3"]


def test_a_value_that_a_template_does_not_get_is_an_error():
    with pytest.raises(Exception, match="'name' is undefined"):
        template("mini.md").render()


def test_the_study_s_pages_are_taken_up_with_its_figures(monkeypatch):
    extra = {
        "study/claims.md": b"## The claims\n\n![What](figures/stages.png)\n",
        "study/claims.csv": b"claim,variant,verdict\nC9,a,holds\n",
        "study/figures/stages.png": blank_file(None, "png"),
    }
    text = undrawn(monkeypatch, config_of(a={}), extra)["report.md"].decode()
    assert "## The claims\n\n![What](study/figures/stages.png)" in text
    assert "(C9) holds for a." in text


def test_comparisons_of_other_experiments_are_taken_up_with_their_figures(monkeypatch):
    extra = {
        "../digits/compare/differences.md": b"| a |\n|---|\n\n![What](figures/accuracy.png)\n",
        "../digits/compare/figures/accuracy.png": blank_file(None, "png"),
    }
    text = undrawn(monkeypatch, config_of(a={}), extra)["report.md"].decode()
    assert "### digits\n" in text
    assert "![What](../digits/compare/figures/accuracy.png)" in text


def test_without_study_and_comparison_the_report_names_their_commands(monkeypatch):
    text = undrawn(monkeypatch, config_of(a={}))["report.md"].decode()
    assert "`mini-exp study`" in text.partition("## The study")[2]
    assert "`mini-exp compare`" in text.partition("## Beside other pruners")[2]


# Figures


@pytest.mark.parametrize("name", FIGURES)
def test_png_opens_and_is_large_enough(tiny, name):
    with Image.open(tiny.directory / f"{name}.png") as image:
        image.verify()
        assert min(image.size) > 300


@pytest.mark.parametrize("name", FIGURES)
def test_pdf_has_no_date(tiny, name):
    content = (tiny.directory / f"{name}.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"CreationDate" not in content
    assert b"ModDate" not in content


@pytest.mark.parametrize(
    ("number", "source"),
    [
        (1, "published/figures/widths"),
        (2, "corrected_bias/figures/widths"),
        (3, "published/figures/dataset"),
        (4, "published/figures/loss"),
        *((n + 4, f"published/figures/second_moment_{n}") for n in (1, 2, 3)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_numbered_figures_are_those_of_the_variants(tiny, number, source, suffix):
    numbered = tiny.directory / "figures" / f"figure{number}.{suffix}"
    assert numbered.read_bytes() == (tiny.directory / f"{source}.{suffix}").read_bytes()


def test_images_of_the_text_are_on_disk(tiny, markdown):
    paths = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", markdown)
    assert {f"figures/figure{number}.png" for number in range(1, 8)} <= set(paths)
    assert [path for path in paths if not (tiny.directory / path).is_file()] == []


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_saved_second_moments_are_those_of_the_figures(tiny, variant, layer):
    path = tiny.directory / variant / "covariance.npz"
    figure = second_moment_figure(moments.from_bytes(path.read_bytes()), layer - 1, "sum")
    with np.load(path) as file:
        shown = figure.axes[0].images[0].get_array()
        np.testing.assert_array_equal(shown, file[f"sigma_{layer}"])


def test_figure_2_is_published_bias_whatever_the_order(monkeypatch):
    """The contract: Figures 1–7 of the thesis, from published and published_bias."""
    bias = {"model": {"bias": True}}
    config = config_of(corrected_bias=bias, published={}, published_bias=bias)
    artifacts = {name: results(settings) for name, settings in config.variants.items()}
    monkeypatch.setattr(drawing, "rendered", lambda figure, _: str(id(figure)).encode())
    monkeypatch.setattr("mini_exp.report.document.report_html", lambda *_: "")
    pages = mini.pages(config, artifacts, {}, [])
    assert pages["figures/figure1.png"] == pages["published/figures/widths.png"]
    assert pages["figures/figure2.png"] == pages["published_bias/figures/widths.png"]


RHO = "thesis: full widths past $\\rho \\approx 0.09$"
WIDTHS = "thesis: widths (8, 3, 3)"
LOSS = "thesis: test loss 1.45"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"width": RANGE}, {RHO, WIDTHS, LOSS}),
        ({"width": RANGE, "model": {"bias": True}}, {WIDTHS, LOSS}),
        ({}, {WIDTHS, LOSS}),
        ({"train": {"epochs": 100}}, {WIDTHS}),
        ({"model": {"widths": [6, 5, 4]}, "width": {"choose": [3, 2, 2]}}, set()),
    ],
)
def test_the_thesis_is_marked_where_it_says_something(changes, expected):
    settings = Settings.model_validate(changes)
    figures = mini.variant_figures(settings, results(settings)).values()
    marked = {label for figure in figures for label in labels(figure) if "thesis" in label}
    assert marked == expected
