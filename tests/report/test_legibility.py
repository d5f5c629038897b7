"""The report's figures on data of many shapes: legible, told apart without colour, printable."""

from __future__ import annotations

import functools

import matplotlib as mpl
import pytest

from mini_exp.report import drawing, thesis
from mini_exp.report.dataset_figures import dataset_figure
from mini_exp.report.history_figures import history_figure, loss_figure
from mini_exp.report.moment_figures import degrees_of_freedom_figure, second_moment_figure
from mini_exp.report.selection_figures import selection_figure
from mini_exp.report.width_figures import widths_figure
from tests.report.examples import (
    DEEP,
    history,
    moments,
    samples,
    selection,
    spectra,
    validated_history,
    width_path,
)
from tests.report.legibility import complaints, labels, looks

WITH_THESIS = (thesis.WIDTHS, thesis.JUMP)
DRAWN = {
    "widths": lambda: widths_figure(width_path(), True, *WITH_THESIS),
    "widths, one rho": lambda: widths_figure(width_path(1), True, *WITH_THESIS),
    "widths, equal": lambda: widths_figure(width_path(lambda_=0.5), False),
    "widths, all zero": lambda: widths_figure(width_path(lambda_=0.0), False),
    "widths, one layer": lambda: widths_figure(width_path(widths=(16,)), True),
    "widths, seven layers": lambda: widths_figure(width_path(widths=DEEP), True),
    "widths, of images": lambda: widths_figure(
        width_path(33, (32, 32, 64, 64, 512), start=1000.0), False
    ),
    "dataset": lambda: dataset_figure(samples()),
    "dataset, one sample": lambda: dataset_figure(samples(1, 1)),
    "dataset, equal": lambda: dataset_figure(samples(scale=0.0)),
    "dataset, many samples": lambda: dataset_figure(samples(5000, 2000)),
    "loss": lambda: loss_figure(history(), 1.45),
    "loss, 100 epochs": lambda: loss_figure(history(100)),
    "loss, one epoch": lambda: loss_figure(history(1)),
    "loss, equal": lambda: loss_figure(history(spread=0.0)),
    "loss, diverging": lambda: loss_figure(history(spread=5000.0)),
    "second moment": lambda: second_moment_figure(moments(), 0, "sum"),
    "second moment, small": lambda: second_moment_figure(moments(scale=1e-4), 1, "mean"),
    "second moment, large": lambda: second_moment_figure(moments(scale=50), 2, "mean"),
    "second moment, zero": lambda: second_moment_figure(moments(scale=0.0), 0, "mean"),
    "second moment, one unit": lambda: second_moment_figure(moments((1,)), 0, "sum"),
    "second moment, many": lambda: second_moment_figure(moments((128,)), 0, "sum"),
    "selection": lambda: selection_figure(selection(), 0.5),
    "selection, one layer": lambda: selection_figure(selection((16,)), 0.25),
    "selection, seven layers": lambda: selection_figure(selection(DEEP), 0.5),
    "selection, one unit": lambda: selection_figure(selection((1, 1, 1)), 1.0),
    "selection, large": lambda: selection_figure(selection(scale=9e4, best=False), 0.5),
    "selection, wide": lambda: selection_figure(
        selection((200, 150, 130), best=False, losses=False), 0.5
    ),
    "degrees of freedom": lambda: degrees_of_freedom_figure(spectra()),
    "degrees of freedom, channels": lambda: degrees_of_freedom_figure(spectra(1, False)),
    "degrees of freedom, deep": lambda: degrees_of_freedom_figure(spectra(20)),
    "history": lambda: history_figure(validated_history(), validated_history(2)),
    "history, one epoch": lambda: history_figure(validated_history(1), validated_history(1)),
    "history, many epochs": lambda: history_figure(validated_history(100), validated_history(100)),
}
ONE_OF_EACH = [name for name in DRAWN if "," not in name]


@functools.cache
def pdf(name: str) -> bytes:
    return drawing.rendered(DRAWN[name](), "pdf")


@pytest.mark.parametrize("name", DRAWN)
def test_nothing_is_covered_cut_off_too_small_or_too_wide(name):
    assert complaints(DRAWN[name]()) == []


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_lines_are_told_apart_without_colour(name):
    seen = list(looks(DRAWN[name]()).values())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_legend_names_every_labelled_line(name):
    figure = DRAWN[name]()
    assert set(looks(figure)) == set(labels(figure))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_pdf_has_the_fonts_that_journals_want(name):
    assert b"/Type3" not in pdf(name)
    assert b"/FontFile2" in pdf(name)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_pdf_has_nothing_of_the_user_s_own_style(name, monkeypatch):
    first = pdf(name)
    for key, value in {"font.size": 20, "axes.facecolor": "red", "pdf.compression": 0}.items():
        monkeypatch.setitem(mpl.rcParams, key, value)
    assert drawing.rendered(DRAWN[name](), "pdf") == first
