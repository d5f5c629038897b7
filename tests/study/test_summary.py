import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from mini_exp.config import Config, Settings, Study
from mini_exp.study import figures
from mini_exp.study.claims import all_claims
from mini_exp.study.costs import Costs
from mini_exp.study.summary import (
    claims_markdown,
    nearest_replicate,
    replicates_table,
    rho_grids,
    scores_table,
    sweeps_table,
    table1_distribution,
)

N, K = 60, 6
LOSS = {"original": 1.45, "compressed": 0.90, "finetuned": 0.87}
ACCURACY = {"original": 0.52, "compressed": 0.44, "finetuned": 0.60}
NETWORKS = [
    *("original", "original_400", "compressed", "finetuned", "scratch_200", "scratch_400"),
    *("random_slice", "random_slice_finetuned"),
    *("random_reconstruct", "random_reconstruct_finetuned"),
    *("constant", "logistic_x", "logistic_mean", "svm_x", "svm_mean"),
]
DIVERGED = 11


@pytest.fixture(scope="module")
def config():
    variants = {
        "a": {
            "width": {"solver": "published", "boundary": "hidden"},
            "compress": {"weights": "slice"},
        },
        "b": {"width": {"rho": {"start": 2, "stop": 7, "num": 3}}},
        "two": {"model": {"widths": [6, 5]}, "width": {"choose": [3, 2]}},
    }
    settings = {name: Settings.model_validate(changed) for name, changed in variants.items()}
    return Config(name="x", variants=settings, study=Study(rho_num=K, resamples=100))


@pytest.fixture(scope="module")
def arrays(config):
    """Random ones as `chunk` returns them, with widths that are often full or (8, 3, 3)."""
    rng = np.random.default_rng(12)
    found = {}
    for variant, settings in config.variants.items():
        own = {
            f"{network}_{split}_{measure}": np.round(rng.uniform(0.3, 1.6, N), 2)
            for network in NETWORKS
            for split in ("train", "test", "population")
            for measure in ("loss", "accuracy")
            if not (network.startswith("svm") and measure == "loss")
        }
        own |= {"within_bound": rng.random(N), "information_1": rng.random(N)}
        full = np.array(settings.model.widths, dtype=float)
        choices = np.array([full, full, full - 1, [8, 3, 3][: len(full)]])
        for name in ("widths", "exact_widths"):
            own[name] = choices[rng.integers(0, len(choices), (N, K))]
        own["not_converged"] = rng.integers(0, 2, (N, K)).astype(float)
        own["at_start"] = rng.integers(0, 2, (N, K)).astype(float)
        for values in own.values():
            values[DIVERGED] = np.nan
        own["diverged"] = (np.arange(N) == DIVERGED).astype(float)
        own["parameters"] = np.full(N, 276.0)
        found |= {f"{variant}.{name}": values for name, values in own.items()}
    return found


@pytest.fixture(scope="module")
def rows(config, arrays):
    return replicates_table(config, arrays)


def first(rho, which):
    """The ρ of the first true entry; None where there is none."""
    return next((value for value, yes in zip(rho, which, strict=True) if yes), None)


def test_one_row_per_variant_and_replicate(config, arrays, rows):
    expected = [(variant, r) for variant in config.variants for r in range(N)]
    assert list(zip(rows["variant"], rows["replicate"], strict=True)) == expected
    for variant in config.variants:
        own = rows[rows["variant"] == variant]
        for name in ("original_test_loss", "svm_mean_population_accuracy", "diverged"):
            assert_allclose(own[name], arrays[f"{variant}.{name}"], rtol=0)


@pytest.mark.parametrize("kind", ["", "exact_"])
def test_what_the_rows_say_of_the_sweep(config, arrays, rows, kind):
    grids = {"a": (1.0, 10.0), "b": (2.0, 7.0), "two": (1.0, 10.0)}
    found = set()
    for row in rows.to_dict(orient="records"):
        variant, r = row["variant"], row["replicate"]
        start, stop = grids[variant]
        rho = [start + (stop - start) * k / (K - 1) for k in range(K)]
        widths = [tuple(point) for point in arrays[f"{variant}.{kind}widths"][r]]
        full = [point == config.variants[variant].model.widths for point in widths]
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


def test_grids_of_rho(config):
    grids = rho_grids(config)
    assert {name: len(rho) for name, rho in grids.items()} == {"a": K, "b": K, "two": K}
    assert_allclose(grids["b"], [2, 3, 4, 5, 6, 7], rtol=1e-15)


def test_sweeps_are_quantiles_over_the_replicates_that_did_not_diverge(config, arrays):
    table = sweeps_table(config, arrays)
    assert len(table) == 2 * K * (3 + 3 + 2)
    known = np.arange(N) != DIVERGED
    for row in table.to_dict(orient="records"):
        kind = {"own": "widths", "exact": "exact_widths"}[row["solver"]]
        k = int(np.abs(rho_grids(config)[row["variant"]] - row["rho"]).argmin())
        values = arrays[f"{row['variant']}.{kind}"][known, k, row["layer"] - 1]
        expected = np.percentile(values, [5, 50, 95])
        assert_allclose([row["quantile_05"], row["median"], row["quantile_95"]], expected)


def test_percentiles_of_the_thesis_s_numbers(config, rows):
    table = table1_distribution(config, rows)
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


def test_percentiles_with_ties(config, rows):
    tied = rows[rows["variant"] == "b"].copy()
    tied["original_test_accuracy"] = np.where(np.arange(N) < 20, 0.52, 0.9)
    only = config.model_copy(update={"variants": {"b": config.variants["b"]}})
    table = table1_distribution(only, tied)
    row = table[(table["measure"] == "test accuracy") & (table["stage"] == "original")].iloc[0]
    assert_allclose(row["percentile"], 100 * (19 / 2) / 59, rtol=1e-12)  # one tied one diverged


def test_nearest_replicate(config, rows):
    """All six differences in standard deviations; the squares are summed."""
    for variant in config.variants:
        own = [
            row
            for row in rows.to_dict(orient="records")
            if row["variant"] == variant and row["diverged"] == 0
        ]
        distance = dict.fromkeys((row["replicate"] for row in own), 0.0)
        for measure, published in (("loss", LOSS), ("accuracy", ACCURACY)):
            for stage, value in published.items():
                scores = [row[f"{stage}_test_{measure}"] for row in own]
                mean = sum(scores) / len(scores)
                variance = sum((score - mean) ** 2 for score in scores) / len(scores)
                for row, score in zip(own, scores, strict=True):
                    distance[row["replicate"]] += (score - value) ** 2 / variance
        assert nearest_replicate(rows, variant) == min(distance, key=distance.get)


def test_nearest_replicate_where_a_score_never_varies(rows):
    same = rows.assign(original_test_loss=1.0, compressed_test_loss=0.9, finetuned_test_loss=0.87)
    same["original_test_accuracy"] = same["compressed_test_accuracy"] = 0.5
    same["finetuned_test_accuracy"] = np.where(same["replicate"] == 17, 0.6, 0.7)
    assert nearest_replicate(same, "b") == 17


def test_scores_are_means_and_paired_differences(config, rows):
    table = scores_table(config, rows)
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


def test_claims_markdown_has_verdicts_counts_and_the_nearest_replicate(config, arrays, rows):
    costs = Costs(375_750, 0.1, 1.0, 2000, 32_768, 10.0, 0.1, 400.0)
    claims = all_claims(config, rows, arrays, rho_grids(config), costs)
    text = claims_markdown(
        config, rows, claims, scores_table(config, rows), table1_distribution(config, rows)
    )
    assert text.startswith("## The study")
    assert f"{N} replicates of every variant" in text
    assert "Diverged: a 1, b 1, two 1." in text
    assert "worse than the constant" in text
    for claim in claims:
        section = text.partition(f"### {claim.claim}: ")[2].partition("\n### ")[0]
        assert f"**{claim.variant}: {claim.verdict}**" in section
        assert section.count(claim.rule) == 1
        assert f"*Rule:* {claim.rule}." in text
    nearest = ", ".join(f"{nearest_replicate(rows, v)} ({v})" for v in config.variants)
    assert nearest in text
    table = pd.DataFrame([line.split("|") for line in text.splitlines() if line.startswith("| C")])
    assert list(table[1].str.strip()) == [f"C{number}" for number in range(1, 11)]


# Figures


def outline(ax):
    """Where the drawn histograms are above 0."""
    corners = np.concatenate([patch.get_xy() for patch in ax.patches])
    return corners[corners[:, 1] > 0, 0]


def test_the_thesis_s_values_are_marked_on_the_distributions(config, rows):
    figure = figures.table1_distributions(config, rows)
    marked = [line.get_xdata()[0] for ax in figure.axes for line in ax.lines]
    assert marked == [*LOSS.values(), *ACCURACY.values()]


@pytest.mark.parametrize("accuracy", [0.6, 0.98, 1.0])
def test_the_largest_accuracy_is_drawn(config, rows, accuracy):
    """Warnings are errors, and a histogram without a single value in its bins warns."""
    same = rows.assign(finetuned_test_accuracy=accuracy)
    ax = figures.table1_distributions(config, same).axes[5]
    assert outline(ax).min() <= accuracy <= outline(ax).max()


def test_stages_are_paired_lines_with_means(config, rows):
    figure = figures.stages(config, rows)
    own = rows[(rows["variant"] == "b") & (rows["diverged"] == 0)]
    stages = ["original", "compressed", "finetuned"]
    for ax, measure in ((figure.axes[1], "loss"), (figure.axes[4], "accuracy")):
        values = own[[f"{stage}_population_{measure}" for stage in stages]].to_numpy()
        lines = [line.get_ydata() for line in ax.lines]
        assert_allclose(lines[: N - 1], values)
        assert_allclose(lines[N - 1], values.mean(axis=0))
        assert_allclose(lines[N][0], own[f"constant_population_{measure}"].mean())


def test_widths_over_rho_are_drawn_as_solved_and_exactly(config, arrays):
    variants = {variant: config.variants[variant] for variant in "ab"}
    config = config.model_copy(update={"variants": variants})
    sweeps = sweeps_table(config, arrays)
    axes = figures.widths_over_rho(config, sweeps).axes
    part = sweeps[(sweeps["variant"] == "a") & (sweeps["layer"] == 2)]
    for line, solver in zip(axes[1].lines, ("own", "exact"), strict=True):
        assert_allclose(line.get_ydata(), part.loc[part["solver"] == solver, "median"])
    assert [len(ax.lines) for ax in axes] == [2, 2, 2, 1, 1, 1]  # b's own solver is the exact one


def test_widths_over_rho_of_networks_of_different_depth(config, arrays):
    figure = figures.widths_over_rho(config, sweeps_table(config, arrays))
    assert [len(ax.lines) for ax in figure.axes[:8]] == [2, 2, 2, 1, 1, 1, 1, 1]


def test_where_the_jump_falls(config, arrays, rows):
    left, right = figures.jump(config, arrays, rows).axes
    assert sum(patch.get_height() for patch in left.patches) == rows["full_from"][:N].count()
    full = np.equal(arrays["a.widths"], (16, 12, 10)).all(axis=2)
    shares = {line.get_label(): line.get_ydata() for line in right.lines}
    known = np.arange(N) != DIVERGED
    assert_allclose(shares["all widths full"], full[known].mean(axis=0))
    assert_allclose(shares["solver at its start"], arrays["a.at_start"][known].mean(axis=0))


def test_figures_of_one_replicate(config, arrays):
    variants = {variant: config.variants[variant] for variant in "ab"}
    config = config.model_copy(update={"variants": variants})
    one = {name: values[:1] for name, values in arrays.items()}
    rows = replicates_table(config, one)
    for name in ("table1_distributions", "stages"):
        getattr(figures, name)(config, rows)
    figures.widths_over_rho(config, sweeps_table(config, one))
    figures.jump(config, one, rows)
