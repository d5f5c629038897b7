"""The page says which method it speaks of, and how good the widths are."""

import numpy as np
import pytest

from mini_exp.compare.labels import method_label, widths_label
from mini_exp.compare.run import compare_pages
from mini_exp.report.tables import within
from mini_exp.settings.sections import Compare
from mini_exp.settings.settings import Settings
from tests.compare.frames import comparison

SAMPLES = {
    split: (np.zeros((n, 1, 8, 8)), np.zeros(n))
    for split, n in (("train", 70), ("validation", 20), ("test", 30))
}


def pages(theta=0.5, n_networks=3):
    settings = Settings.model_validate({"data": {"kind": "digits"}, "select": {"theta": theta}})
    compare = Compare(networks=n_networks, keep=(0.75, 0.5), parameters=(0.25,))
    return compare_pages(compare, settings, SAMPLES, comparison(n_networks, theta=theta))


@pytest.fixture(scope="module")
def written():
    return pages()


def text(written, name="compare.md"):
    return written[name].decode()


def test_the_text_names_the_theta_that_it_speaks_of(written):
    assert "spectral pruning (θ = 0.5, reconstruct)" in text(written, "differences.md")
    assert "Spectral pruning (θ = 0.5, reconstruct)" in text(written)
    assert "those of `select.theta`,\nθ = 0.5" in text(written)


def test_another_theta_gives_another_table():
    changed = pages(theta=0.0)
    assert "spectral pruning (θ = 0, reconstruct)" in text(changed, "differences.md")


def test_every_set_of_widths_has_a_section_with_its_label(written):
    headings = [line for line in text(written).splitlines() if line.startswith("### ")]
    assert headings[3:] == [
        "### keep 0.75",
        "### keep 0.5",
        "### parameters 0.25, best",
        "### parameters 0.25, uniform",
    ]


def test_the_text_says_how_far_the_widths_may_be_from_the_best(written):
    assert text(written).count("within 0.3 % of the best possible") == 2


def test_the_page_counts_what_it_compares(written):
    assert "3 networks (digits_cnn)" in text(written)
    assert "pruned in 8 ways" in text(written)
    assert "the same 70 training images" in text(written)


def test_no_cell_shows_a_missing_number(written):
    assert "nan" not in text(written)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0.0, "the best possible"),
        (0.00341, "within 0.35 % of the best possible"),
        (1e-7, "within 0.01 % of the best possible"),
        (0.02, "within 2 % of the best possible"),
    ],
)
def test_a_gap_is_rounded_up(gap, words):
    assert within(gap) == words


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        (("all", 1.0, False), "all"),
        (("keep", 0.75, False), "keep 0.75"),
        (("parameters", 0.25, True), "parameters 0.25, best"),
        (("flops", 0.4, False), "flops 0.4, uniform"),
    ],
)
def test_widths_have_a_label(columns, label):
    assert widths_label(*columns) == label


@pytest.mark.parametrize("theta", [None, float("nan")])
def test_a_method_without_theta_is_its_name(theta):
    assert method_label("random", theta, "slice") == "random, slice"
