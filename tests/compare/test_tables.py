"""Tables follow from the rows; intervals are scipy's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mini_exp.compare.rows import csv_bytes, read_rows
from mini_exp.compare.tables import (
    STAGES,
    budgets_table,
    certificates_table,
    differences_table,
    summary_table,
)
from tests.compare.frames import ALL, THETA, comparison

CONFIDENCE = 0.9


@pytest.fixture(scope="module")
def rows():
    return comparison()


def accuracies(rows, split="test", **wanted):
    """Of the rows with these values, network by network, by an explicit loop."""
    found = {}
    for row in rows.to_dict(orient="records"):
        if all(row[key] == value for key, value in wanted.items()):
            assert row["network"] not in found
            found[row["network"]] = row[f"{split}_accuracy"]
    return np.array([found[network] for network in sorted(found)])


def interval(values):
    """Mean and half-width."""
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, values.mean(), stats.sem(values))
    return pytest.approx((values.mean(), (high - low) / 2), rel=1e-9)  # sums in another order


def test_rows_read_back_as_they_were_written(rows):
    pd.testing.assert_frame_equal(read_rows(csv_bytes(rows)), rows, check_exact=True)


def test_rows_without_any_theta_or_gap_read_back(rows):
    some = rows[rows["method"] == "random"].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_rows(csv_bytes(some)), some, check_exact=True)


def test_the_summary_has_means_and_intervals_of_every_method(rows):
    summary = summary_table(rows, CONFIDENCE)
    assert len(summary) == 1 + 2 * (len(ALL) + 1) + 2 * (3 + 1)
    for row in summary.to_dict(orient="records"):
        wanted = {key: row[key] for key in ("rule", "share", "exact", "method", "weights")}
        if row["method"] == "spectral":
            wanted["theta"] = row["theta"]
        for stage in STAGES:
            for split in ("validation", "test"):
                where = "original" if row["method"] == "original" else stage
                values = accuracies(rows, split, **wanted, stage=where)
                shown = (row[f"{stage}_{split}"], row[f"{stage}_{split}_half"])
                if len(values) and stage in (where, "pruned"):
                    assert shown == interval(values)
                else:
                    assert np.isnan(shown).all()


def test_the_summary_keeps_the_order_of_the_comparison(rows):
    summary = summary_table(rows, CONFIDENCE)
    first = rows[rows["network"] == 0].drop_duplicates(
        ["rule", "share", "exact", "method", "theta", "weights"]
    )
    columns = ["rule", "share", "exact", "method", "theta", "weights"]
    pd.testing.assert_frame_equal(summary[columns], first[columns].reset_index(drop=True))


def test_differences_are_those_of_one_theta_on_the_same_networks(rows):
    differences = differences_table(rows, THETA, CONFIDENCE)
    assert len(differences) == 4 * 2 * 3
    assert set(differences["theta"]) == {THETA}
    for row in differences.to_dict(orient="records"):
        where = {key: row[key] for key in ("rule", "share", "exact", "stage")}
        ours = accuracies(rows, method="spectral", theta=THETA, weights="reconstruct", **where)
        theirs = accuracies(rows, method=row["other"], **where)
        assert (row["difference"], row["half"]) == interval(100 * (ours - theirs))


def test_budgets_are_judged_on_validation_images(rows):
    budgets = budgets_table(rows, THETA, CONFIDENCE)
    assert list(budgets["stage"]) == ["pruned", "recovered", "finetuned"]
    for row in budgets.to_dict(orient="records"):
        assert (row["rule"], row["share"], row["theta"]) == ("parameters", 0.25, THETA)
        where = {"rule": "parameters", "stage": row["stage"], "method": "spectral"}
        best, uniform = (accuracies(rows, "validation", exact=e, **where) for e in (True, False))
        assert (row["difference"], row["half"]) == interval(100 * (best - uniform))


def test_the_largest_gap_of_the_networks_counts(rows):
    assert set(budgets_table(rows, THETA, CONFIDENCE)["gap"]) == {0.003}
    summary = summary_table(rows, CONFIDENCE)
    assert set(summary.loc[summary["exact"], "gap"]) == {0.003}
    assert summary.loc[~summary["exact"], "gap"].isna().all()


def test_networks_are_paired_whatever_the_order_of_the_rows(rows):
    shuffled = rows.sort_values("network", ascending=False, kind="stable")
    pd.testing.assert_frame_equal(
        differences_table(shuffled, THETA, CONFIDENCE),
        differences_table(rows, THETA, CONFIDENCE),
    )


def test_without_budgets_the_table_is_empty(rows):
    assert budgets_table(rows[rows["rule"] != "parameters"], THETA, CONFIDENCE).empty


def test_a_certificate_is_the_upper_bound_of_a_binomial_share(rows):
    table = certificates_table(rows, THETA, CONFIDENCE)
    assert len(table) == 4 * 3
    for row in table.to_dict(orient="records"):
        where = {key: row[key] for key in ("rule", "share", "exact", "stage")}
        which = (rows[list(where)] == list(where.values())).all(axis=1) & (rows["theta"] == THETA)
        part = rows[which & (rows["weights"] == "reconstruct")]
        tests = [stats.binomtest(k, 200, alternative="less") for k in part["disagreements"]]
        bounds = [test.proportion_ci(CONFIDENCE, "exact").high for test in tests]
        assert row["bound"] == pytest.approx(np.mean(bounds), rel=1e-9)
        lost = accuracies(rows, method="original") - part["test_accuracy"].to_numpy()
        assert row["lost"] == pytest.approx(lost.mean(), abs=1e-12)
        assert row["held"] == sum(lost <= bounds)
