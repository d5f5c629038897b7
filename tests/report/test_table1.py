"""Table 1 agrees with the artifacts, with the thesis, and with itself in every format."""

from __future__ import annotations

import csv
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from mini_exp.report.tables import table1_of_images
from tests.report import examples
from tests.report.examples import STAGES

VARIANTS = ("published", "corrected_bias")
THESIS = {"test loss": (1.45, 0.90, 0.87), "accuracy": (0.52, 0.44, 0.60)}


@pytest.fixture(scope="module")
def table1(tiny) -> list[dict[str, str]]:
    with (tiny.directory / "table1.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def clopper_pearson(successes: int, n: int) -> tuple[float, float]:
    """By quantiles of beta distributions, for 0 < successes < n."""
    low = beta.ppf(0.025, successes, n - successes + 1)
    return low, beta.ppf(0.975, successes + 1, n - successes)


def test_table_1_has_the_numbers_of_the_thesis(table1):
    for row, (measure, numbers) in zip(table1[:2], THESIS.items(), strict=True):
        assert (row["protocol"], row["measure"], row["n"]) == ("thesis (2019)", measure, "99")
        assert tuple(float(row[stage]) for stage in STAGES) == numbers


def test_table_1_has_a_row_for_every_variant_and_measure(table1):
    measures = ("test loss", "accuracy", "population loss", "population accuracy")
    rows = [(row["protocol"], row["measure"]) for row in table1[2:]]
    assert rows == list(itertools.product(VARIANTS, measures))


def test_table_1_has_the_values_of_the_evaluation(tiny, table1):
    for row in table1[2:]:
        frame = pd.read_csv(tiny.directory / row["protocol"] / "evaluation.csv")
        split = "population" if row["measure"].startswith("population") else "test"
        frame = frame[frame["split"] == split].set_index("stage")
        column = "accuracy" if row["measure"].endswith("accuracy") else "loss"
        assert [float(row[stage]) for stage in STAGES] == list(frame.loc[list(STAGES), column])
        assert {int(row["n"])} == set(frame["n"])


def test_table_1_has_the_exact_interval_of_every_accuracy(table1):
    accuracies = [row for row in table1 if row["measure"].endswith("accuracy")]
    for row, stage in itertools.product(accuracies, STAGES):
        n = int(row["n"])
        expected = clopper_pearson(round(float(row[stage]) * n), n)
        bounds = [float(row[f"{stage}_low"]), float(row[f"{stage}_high"])]
        np.testing.assert_allclose(bounds, expected, atol=1e-11)  # of SciPy's root finder


def test_losses_have_no_interval(table1):
    losses = [row for row in table1 if row["measure"].endswith("loss")]
    for row, stage in itertools.product(losses, STAGES):
        assert (row[f"{stage}_low"], row[f"{stage}_high"]) == ("", "")


def typeset(tiny, name: str) -> list[list[str]]:
    """The body of table1.md or table1.tex."""
    lines = (tiny.directory / name).read_text(encoding="utf-8").splitlines()
    if name.endswith(".md"):
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    plain = [line.removesuffix(r"\\").replace(r"\_", "_") for line in body]
    return [[cell.strip() for cell in line.split("&")] for line in plain]


@pytest.mark.parametrize("name", ["table1.md", "table1.tex"])
def test_typeset_table_1_agrees_with_the_csv_at_the_printed_digits(tiny, table1, name):
    rows = typeset(tiny, name)
    assert len(rows) == len(table1)
    protocol = ""
    for (first, measure, n, *printed), row in zip(rows, table1, strict=True):
        protocol = first or protocol
        assert [protocol, measure, n] == [row["protocol"], row["measure"], row["n"]]
        for text, stage in zip(printed, STAGES, strict=True):
            value, *bounds = re.findall(r"\d+\.\d+", text)
            assert value == f"{float(row[stage]):.2f}"
            if measure == "accuracy":
                expected = [float(row[f"{stage}_low"]), float(row[f"{stage}_high"])]
                assert bounds == [f"{bound:.2f}" for bound in expected]


def test_latex_table_has_as_many_columns_as_it_declares(tiny):
    text = (tiny.directory / "table1.tex").read_text(encoding="utf-8")
    declared = re.match(r"\\begin\{tabular\}\{([lr]+)\}\n\\toprule\n", text)[1]
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") + 1 for line in rows} == {len(declared)}


def test_the_intervals_of_the_thesis_overlap_pairwise():
    """As the report says."""
    intervals = [clopper_pearson(round(99 * accuracy), 99) for accuracy in THESIS["accuracy"]]
    for (low_a, high_a), (low_b, high_b) in itertools.combinations(intervals, 2):
        assert max(low_a, low_b) < min(high_a, high_b)


@pytest.mark.parametrize("n", [99, 100])
def test_an_accuracy_on_100_samples_is_worth_a_tenth(n):
    """As the report says."""
    low, high = clopper_pearson(n // 2, n)
    assert round((high - low) / 2, 2) == 0.10


def test_on_images_the_second_split_is_the_validation_set():
    splits = ("train", "validation", "test")
    table = table1_of_images({"half": examples.evaluations(splits, (4000, 1200, 1200))})
    assert list(table["measure"]) == [
        "test loss",
        "accuracy",
        "validation loss",
        "validation accuracy",
        "parameters",
    ]
    assert table.loc[4, list(STAGES)].tolist() == [4000, 1200, 1200]
    assert table.loc[3, list(STAGES)].tolist() == [0.5, 0.6, 0.7]
