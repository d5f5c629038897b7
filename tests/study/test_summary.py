"""Tables against the replicates that they sum up."""

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from mini_exp.settings.sections import Rules
from mini_exp.study.summary import (
    nearest_replicate,
    replicates_table,
    scores_table,
    sweeps_table,
    table1_distribution,
)
from tests.study.invented import (
    ACCURACY,
    DIVERGED,
    LOSS,
    NETWORKS,
    STUDY,
    VARIANTS,
    K,
    N,
    invented_arrays,
    invented_replicates,
)


@pytest.fixture(scope="module")
def arrays():
    return invented_arrays()


@pytest.fixture(scope="module")
def rows(arrays):
    return replicates_table(VARIANTS, STUDY, arrays)


@pytest.fixture(scope="module")
def replicates(arrays, rows):
    return invented_replicates(arrays, rows=rows)


def first(rho, which):
    """The ρ of the first true entry; None where there is none."""
    return next((value for value, yes in zip(rho, which, strict=True) if yes), None)


def test_one_row_per_variant_and_replicate(arrays, rows):
    expected = [(variant, r) for variant in VARIANTS for r in range(N)]
    assert list(zip(rows["variant"], rows["replicate"], strict=True)) == expected
    for variant in VARIANTS:
        own = rows[rows["variant"] == variant]
        for name in ("original_test_loss", "svm_mean_population_accuracy", "diverged"):
            assert_array_equal(own[name], arrays[f"{variant}.{name}"])


@pytest.mark.parametrize("factor", [4.0, 1.5])
def test_rows_say_which_share_is_within_the_bound(arrays, factor):
    study = STUDY.model_copy(update={"rules": Rules(bound_factor=factor)})
    rows = replicates_table(VARIANTS, study, arrays)
    for row in rows.to_dict(orient="records"):
        factors = arrays[f"{row['variant']}.bound_factor"][row["replicate"]].ravel()
        expected = sum(factors <= factor) / len(factors)
        if row["replicate"] == DIVERGED:
            expected = np.nan
        assert_allclose(row["within_bound"], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["", "exact_"])
def test_what_the_rows_say_of_the_sweep(arrays, rows, kind):
    grids = {"a": (1.0, 10.0), "b": (2.0, 7.0), "two": (1.0, 10.0)}
    found = set()
    for row in rows.to_dict(orient="records"):
        variant, r = row["variant"], row["replicate"]
        start, stop = grids[variant]
        rho = [start + (stop - start) * k / (K - 1) for k in range(K)]
        widths = [tuple(point) for point in arrays[f"{variant}.{kind}widths"][r]]
        full = [point == VARIANTS[variant].model.widths for point in widths]
        expected = {
            "full_from": first(rho, [all(full[k:]) for k in range(K)]),
            "table1_rho": first(rho, [point == (8, 3, 3) for point in widths]),
        }
        for name, value in expected.items():
            found.add((variant, name, value is None))
            if value is None:
                assert np.isnan(row[f"{kind}{name}"])
            else:
                assert_allclose(row[f"{kind}{name}"], value, rtol=1e-12)
        for name in ("not_converged", "at_start"):
            np.testing.assert_equal(row[name], sum(arrays[f"{variant}.{name}"][r].tolist()))
    both = {(variant, "full_from", none) for variant in grids for none in (True, False)}
    both |= {(variant, "table1_rho", none) for variant in "ab" for none in (True, False)}
    assert found == both | {("two", "table1_rho", True)}


def test_grids_of_rho(replicates):
    assert {own.variant: len(own.rho) for own in replicates} == {"a": K, "b": K, "two": K}
    assert_allclose(replicates[1].rho, [2, 3, 4, 5, 6, 7], rtol=1e-15)


def test_how_many_replicates_there_are_and_diverged(replicates):
    counts = {(own.n_replicates, own.n_diverged, len(own.rows)) for own in replicates}
    assert counts == {(N, 1, N - 1)}


def test_sweeps_are_quantiles_over_the_replicates_that_did_not_diverge(arrays, replicates):
    table = sweeps_table(replicates)
    assert len(table) == 2 * K * (3 + 3 + 2)
    known = np.arange(N) != DIVERGED
    rho = {own.variant: own.rho for own in replicates}
    for row in table.to_dict(orient="records"):
        kind = {"own": "widths", "exact": "exact_widths"}[row["solver"]]
        k = int(np.abs(rho[row["variant"]] - row["rho"]).argmin())
        values = arrays[f"{row['variant']}.{kind}"][known, k, row["layer"] - 1]
        expected = np.percentile(values, [5, 50, 95])
        assert_allclose([row["quantile_05"], row["median"], row["quantile_95"]], expected)


def test_percentiles_of_the_thesis_s_numbers(rows, replicates):
    table = table1_distribution(replicates)
    assert len(table) == 18
    for row in table.to_dict(orient="records"):
        measure = row["measure"].removeprefix("test ")
        published = {"loss": LOSS, "accuracy": ACCURACY}[measure][row["stage"]]
        own = rows[(rows["variant"] == row["variant"]) & (rows["diverged"] == 0)]
        values = own[f"{row['stage']}_test_{measure}"].to_numpy()
        assert len(values) == N - 1
        assert row["thesis"] == published
        percentile = scipy.stats.percentileofscore(values, published, kind="mean")
        assert_allclose(row["percentile"], percentile, rtol=1e-12)
        assert_allclose(row["mean"], sum(values) / len(values), rtol=1e-12)
        for q in (5, 50, 95):
            assert_allclose(row[f"quantile_{q:02d}"], np.percentile(values, q), rtol=1e-12)


def test_percentiles_with_ties(arrays, rows):
    tied = rows[rows["variant"] == "b"].copy()
    tied["original_test_accuracy"] = np.where(np.arange(N) < 20, 0.52, 0.9)
    table = table1_distribution(invented_replicates(arrays, "b", tied))
    row = table[(table["measure"] == "test accuracy") & (table["stage"] == "original")].iloc[0]
    assert_allclose(row["percentile"], 100 * (19 / 2) / 59, rtol=1e-12)  # one tied one diverged


def test_nearest_replicate(rows, replicates):
    """All six differences in standard deviations; the squares are summed."""
    for variant_replicates in replicates:
        own = [
            row
            for row in rows.to_dict(orient="records")
            if row["variant"] == variant_replicates.variant and row["diverged"] == 0
        ]
        distance = dict.fromkeys((row["replicate"] for row in own), 0.0)
        for measure, published in (("loss", LOSS), ("accuracy", ACCURACY)):
            for stage, value in published.items():
                scores = [row[f"{stage}_test_{measure}"] for row in own]
                mean = sum(scores) / len(scores)
                variance = sum((score - mean) ** 2 for score in scores) / len(scores)
                for row, score in zip(own, scores, strict=True):
                    distance[row["replicate"]] += (score - value) ** 2 / variance
        assert nearest_replicate(variant_replicates) == min(distance, key=distance.get)


def test_nearest_replicate_where_a_score_never_varies(arrays, rows):
    same = rows.assign(original_test_loss=1.0, compressed_test_loss=0.9, finetuned_test_loss=0.87)
    same["original_test_accuracy"] = same["compressed_test_accuracy"] = 0.5
    same["finetuned_test_accuracy"] = np.where(same["replicate"] == 17, 0.6, 0.7)
    (own,) = invented_replicates(arrays, "b", same)
    assert nearest_replicate(own) == 17


def test_scores_are_means_and_paired_differences(rows, replicates):
    table = scores_table(replicates)
    assert len(table) == 3 * len(NETWORKS)
    for row in table.to_dict(orient="records"):
        own = rows[(rows["variant"] == row["variant"]) & (rows["diverged"] == 0)]
        for measure in ("loss", "accuracy"):
            if row["what"].startswith("svm") and measure == "loss":
                assert np.isnan(row["loss"])
                continue
            values = own[f"{row['what']}_population_{measure}"]
            difference = (values - own[f"original_population_{measure}"]).mean()
            assert_allclose(row[measure], values.mean(), rtol=1e-12)
            assert_allclose(row[f"{measure}_minus_original"], difference, atol=1e-12)
            for name in (measure, f"{measure}_minus_original"):
                assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
