"""Every verdict from replicates made by hand, against what its printed rule says."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from mini_exp.config import Config, Rules, Settings, Study
from mini_exp.study.claims import CONTROLS, all_claims, mean_interval, share_interval
from mini_exp.study.costs import Costs

HOLDS, FAILS = "holds", "does not hold"
LETTER, EXPLAINED = "holds only in the letter", "explained"
N = 40
RHO = np.linspace(0.01, 0.1, 4)  # 0.01, 0.04, 0.07, 0.1
FULL, TABLE1, OTHER = (16, 12, 10), (8, 3, 3), (5, 4, 3)
PUBLISHED = {
    "width": {"solver": "published", "boundary": "hidden"},
    "compress": {"weights": "slice"},
}
STUDY = Study(resamples=100)
COSTS = Costs(375_750, 0.1, 1.0, 2000, 32_768, 10.0, 0.1, 400.0)


def replicates(n=N, **columns):
    """Every score of every network 0.5, and what is given instead."""
    networks = [
        *("original", "original_400", "compressed", "finetuned", "scratch_200", "scratch_400"),
        *("random_slice", "random_slice_finetuned"),
        *("random_reconstruct", "random_reconstruct_finetuned"),
        *("constant", "logistic_x", "logistic_mean", "svm_x", "svm_mean"),
    ]
    values = {
        f"{network}_{split}_{measure}": 0.5
        for network in networks
        for split in ("train", "test", "population")
        for measure in ("loss", "accuracy")
    }
    values |= {"variant": "a", "diverged": 0.0, "within_bound": 1.0, **columns}
    return pd.DataFrame({"replicate": np.arange(n), **values})


def sweep(n=N, **arrays):
    """Widths (5, 4, 3) at each of the four ρ, and what is given instead."""
    usual = {
        "widths": np.broadcast_to(np.array(OTHER, dtype=float), (n, len(RHO), 3)),
        "exact_widths": np.broadcast_to(np.array(OTHER, dtype=float), (n, len(RHO), 3)),
        "at_start": np.zeros((n, len(RHO))),
        "not_converged": np.zeros((n, len(RHO))),
    }
    return usual | arrays


def widths_where(which, widths):
    """(n, 4, 3): the given widths where ``which`` (n, 4) is true, (5, 4, 3) elsewhere."""
    return np.where(np.asarray(which)[:, :, None], np.array(widths, dtype=float), OTHER)


def cells(rows, columns, n=N):
    """(n, 4): true in the first ``rows`` replicates at the given ρ."""
    which = np.zeros((n, len(RHO)), dtype=bool)
    which[:rows, columns] = True
    return which


def claims(rows=None, arrays=None, settings=PUBLISHED, study=STUDY, costs=COSTS):
    config = Config(name="x", variants={"a": Settings.model_validate(settings)}, study=study)
    arrays = sweep() if arrays is None else arrays
    rows = replicates(len(arrays["widths"])) if rows is None else rows
    arrays = {**arrays, "diverged": rows["diverged"].to_numpy()}
    named = {f"a.{name}": values for name, values in arrays.items()}
    return {claim.claim: claim for claim in all_claims(config, rows, named, {"a": RHO}, costs)}


def alternating(low, high):
    """Half the replicates low, half high: an interval around the middle."""
    return np.where(np.arange(N) % 2, low, high)


# Intervals


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 1), (7, 10), (500, 1000), (10, 10)])
def test_wilson_interval(k, n, confidence):
    z = scipy.stats.norm.ppf((1 + confidence) / 2)
    middle = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    found = share_interval(np.arange(n) < k, Study(confidence=confidence))
    assert_allclose(found.estimate, k / n, rtol=1e-15)
    assert_allclose([found.low, found.high], [middle - half, middle + half], atol=1e-12)


def test_bootstrap_interval_covers_about_as_often_as_it_should():
    rng = np.random.default_rng(6)
    study = Study(resamples=200, confidence=0.9)
    covered = 0
    for repetition in range(400):
        found = mean_interval(3 + 2 * rng.standard_normal(40), study, repetition)
        covered += found.low <= 3 <= found.high
    assert 0.84 < covered / 400 < 0.94


def test_bootstrap_interval_is_as_wide_as_the_standard_error_says():
    values = np.random.default_rng(7).exponential(size=500)
    found = mean_interval(values, Study(resamples=4000), 1)
    assert found.estimate == values.mean()
    width = 2 * 1.96 * values.std() / np.sqrt(500)
    assert_allclose(found.high - found.low, width, rtol=0.05)


def test_bootstrap_interval_leaves_out_what_is_not_known():
    values = np.random.default_rng(8).standard_normal(30)
    with_holes = np.insert(values, [0, 7, 7, 30], np.nan)
    assert mean_interval(with_holes, STUDY, 5) == mean_interval(values, STUDY, 5)
    assert mean_interval(values, STUDY, 5) == mean_interval(values, STUDY, 5)
    assert mean_interval(values, STUDY, 5) != mean_interval(values, STUDY, 6)


@pytest.mark.parametrize(("values", "mean"), [([], np.nan), ([np.nan], np.nan), ([2.0], 2.0)])
def test_bootstrap_interval_of_too_few(values, mean):
    found = mean_interval(np.array(values), STUDY, 0)
    np.testing.assert_equal(dataclasses.astuple(found), (mean, np.nan, np.nan))


# All claims


def test_claims_are_in_order_and_say_what_they_rest_on():
    found = claims()
    assert list(found) == [f"C{number}" for number in range(1, 11)]
    assert {name for name, claim in found.items() if claim.variant == "all"} == {"C7", "C8"}
    for claim in found.values():
        assert "" not in (claim.statement, claim.evidence, claim.rule)
        assert claim.verdict in (HOLDS, FAILS, LETTER, EXPLAINED)
        assert claim.low <= claim.estimate <= claim.high


def test_claims_about_a_variant_without_the_thesis_s_solver_biases_or_layers():
    exact = {"model": {"bias": True, "widths": [5, 4]}, "width": {"choose": [2, 2]}}
    two = {"widths": np.full((N, 4, 2), 3.0), "exact_widths": np.full((N, 4, 2), 3.0)}
    found = claims(arrays=sweep(**two), settings=exact)
    assert list(found) == ["C2", "C3", "C4", "C7", "C8", "C9", "C10"]


def test_one_replicate_is_no_evidence():
    found = claims(
        replicates(1, compressed_population_loss=0.1, finetuned_population_accuracy=0.9), sweep(1)
    )
    assert {found[name].verdict for name in ("C3", "C4", "C9", "C10")} == {FAILS}


def test_diverged_replicates_are_left_out_of_every_claim():
    rng = np.random.default_rng(3)
    rows = replicates()
    scores = [name for name in rows if name.endswith(("_loss", "_accuracy"))]
    rows[scores] = rng.uniform(0.2, 1.0, (N, len(scores)))
    arrays = sweep(
        widths=widths_where(cells(20, [2, 3]), FULL),
        exact_widths=widths_where(cells(25, [1]), TABLE1),
    )
    arrays["widths"][5:, 0] = TABLE1
    expected = claims(rows, arrays)

    diverged = replicates(15, diverged=1.0)
    diverged[[*scores, "within_bound"]] = np.nan
    nothing = {name: np.full((15, *values.shape[1:]), np.nan) for name, values in arrays.items()}
    with_them = claims(
        pd.concat([rows, diverged], ignore_index=True),
        {name: np.concatenate([values, nothing[name]]) for name, values in arrays.items()},
    )
    for name, claim in expected.items():
        assert with_them[name] == claim, name


# C1


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({}, HOLDS),
        ({"data": {"n_train": 801}}, HOLDS),
        ({"data": {"n_train": 802}}, FAILS),
        ({"model": {"widths": [16, 12, 11]}}, FAILS),
    ],
)
def test_c1(settings, verdict):
    assert claims(settings=PUBLISHED | settings)["C1"].verdict == verdict


# C2: share with training loss below 0.35 and a population loss above the constant predictor's


OVER_FIT = {"original_train_loss": 0.3, "original_population_loss": 0.6}


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        (OVER_FIT, HOLDS),
        (OVER_FIT | {"original_train_loss": 0.35}, FAILS),
        (OVER_FIT | {"original_population_loss": 0.5}, FAILS),
        (OVER_FIT | {"original_train_loss": np.where(np.arange(N) == 7, 0.0, 0.3)}, FAILS),
        (OVER_FIT | {"original_train_loss": np.where(np.arange(N) < 30, 0.3, 0.4)}, HOLDS),
        (OVER_FIT | {"original_train_loss": np.where(np.arange(N) < 22, 0.3, 0.4)}, FAILS),
    ],
    ids=["all", "poor training", "no poor test", "loss 0", "three quarters", "half"],
)
def test_c2(columns, verdict):
    found = claims(replicates(**columns))["C2"]
    assert found.verdict == verdict
    assert "below 0.35" in found.rule
    assert "interval above 0.5" in found.rule


# C3: compressed − original, the constant predictor, random units


@pytest.mark.parametrize(
    ("columns", "verdict", "control"),
    [
        ({"compressed_population_loss": 0.4}, HOLDS, []),
        ({"compressed_population_loss": alternating(0.2, 0.4)}, HOLDS, []),
        ({}, FAILS, []),
        ({"compressed_population_loss": 0.6}, FAILS, []),
        ({"compressed_population_loss": alternating(0.3, 0.7)}, FAILS, []),
        (
            {"compressed_population_loss": 0.4, "constant_population_loss": 0.4},
            LETTER,
            ["always answering"],
        ),
        (
            {"compressed_population_loss": 0.4, "random_slice_population_loss": 0.3},
            LETTER,
            ["random index set"],
        ),
        (
            {
                "compressed_population_loss": 0.4,
                "constant_population_loss": 0.3,
                "random_slice_population_loss": alternating(0.2, 0.6),
            },
            LETTER,
            ["always answering", "random index set"],
        ),
        ({"compressed_population_loss": 0.6, "constant_population_loss": 0.1}, FAILS, []),
    ],
)
def test_c3(columns, verdict, control):
    found = claims(replicates(**columns))["C3"]
    assert found.verdict == verdict
    assert [text for text in control if text not in found.control] == []
    assert (found.control == "") == (control == [])


def test_c3_compares_what_is_reconstructed_with_random_units_reconstructed():
    """Sliced random units would only show that reconstruction helps."""
    columns = {"compressed_population_loss": 0.4, "random_reconstruct_population_loss": 0.3}
    settings = {"compress": {"weights": "reconstruct"}}
    assert claims(replicates(**columns), settings=settings)["C3"].verdict == LETTER


# C4: fine-tuned − compressed, and training from scratch


@pytest.mark.parametrize(
    ("loss", "accuracy", "scratch", "verdict", "control"),
    [
        (0.4, 0.6, 0.5, HOLDS, ""),
        (0.4, 0.6, 0.6, LETTER, "scratch_400"),
        (0.4, 0.6, alternating(0.5, 0.7), LETTER, "scratch_400"),
        (0.4, 0.6, 0.7, LETTER, "scratch_400"),
        (0.5, 0.6, 0.5, FAILS, ""),
        (0.4, 0.5, 0.5, FAILS, ""),
        (0.4, alternating(0.4, 0.6), 0.5, FAILS, ""),
        (alternating(0.4, 0.6), 0.6, 0.5, FAILS, ""),
        (0.6, 0.4, 0.3, FAILS, ""),
    ],
)
def test_c4(loss, accuracy, scratch, verdict, control):
    found = claims(
        replicates(
            finetuned_population_loss=loss,
            finetuned_population_accuracy=accuracy,
            scratch_400_population_accuracy=scratch,
        )
    )["C4"]
    assert (found.verdict, found.control) == (verdict, control)


# C5: full widths past ρ ≈ 0.09


def jump(full, at_start=None, exact=None):
    arrays = sweep(widths=widths_where(full, FULL))
    if at_start is not None:
        arrays["at_start"] = np.asarray(at_start, dtype=float)
    if exact is not None:
        arrays["exact_widths"] = widths_where(exact, FULL)
    return claims(arrays=arrays)["C5"]


LATE = cells(N, [3])


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ({"full": LATE, "at_start": LATE}, EXPLAINED),
        ({"full": cells(1, [3]), "at_start": cells(1, [3])}, EXPLAINED),
        ({"full": LATE, "at_start": cells(38, [3])}, EXPLAINED),
        ({"full": LATE, "at_start": cells(37, [3])}, HOLDS),
        ({"full": LATE, "at_start": cells(N, [0, 1, 2])}, HOLDS),
        ({"full": LATE}, HOLDS),
        ({"full": LATE, "at_start": LATE, "exact": cells(1, [0])}, HOLDS),
        ({"full": cells(N, [0, 1, 2])}, FAILS),
        ({"full": cells(22, [3])}, FAILS),
        ({"full": cells(0, [])}, FAILS),
        ({"full": cells(0, []), "at_start": LATE}, FAILS),
    ],
    ids=[
        "all at the start",
        "one, at the start",
        "95 % at the start",
        "fewer at the start",
        "at the start elsewhere",
        "none at the start",
        "the exact solver too",
        "only earlier",
        "half",
        "never",
        "at the start, not full",
    ],
)
def test_c5(arguments, verdict):
    found = jump(**arguments)
    assert found.verdict == verdict
    assert found.control == ("exact solver" if verdict == EXPLAINED else "")
    assert "past ρ = 0.085" in found.rule
    assert "at least 0.95" in found.rule


def test_c5_needs_most_replicates_to_be_full_late():
    """All are full somewhere, and one of them past 0.085: that is not most."""
    assert jump(cells(N, [0]) | cells(1, [3])).verdict == FAILS


def test_c5_shows_the_fraction_at_the_start():
    found = jump(LATE, cells(30, [3]))
    assert (found.estimate, "0.75" in found.evidence) == (1.0, True)


# C6: (8, 3, 3) on the grid


@pytest.mark.parametrize(
    ("own", "exact", "verdict", "control"),
    [
        (cells(N, [1]), cells(N, [0]), HOLDS, ""),
        (cells(30, [2, 3]), cells(30, [0]), HOLDS, ""),
        (cells(N, [1]), cells(0, []), LETTER, "exact solver"),
        (cells(N, [1]), cells(22, [1]), LETTER, "exact solver"),
        (cells(22, [1]), cells(N, [1]), FAILS, ""),
        (cells(0, []), cells(0, []), FAILS, ""),
    ],
)
def test_c6(own, exact, verdict, control):
    arrays = sweep(widths=widths_where(own, TABLE1), exact_widths=widths_where(exact, TABLE1))
    found = claims(arrays=arrays)["C6"]
    assert (found.verdict, found.control) == (verdict, control)
    assert found.estimate == own.any(axis=1).mean()


# C7, C8: costs


@pytest.mark.parametrize(
    ("naive", "greedy", "verdict"),
    [
        (0.1, 1.0, LETTER),
        (0.1, 61.0, HOLDS),
        (1e-4, 1.0, FAILS),
        (60 / 375_750, 60.0, FAILS),
        (1e-4, 61.0, HOLDS),
    ],
)
def test_c7(naive, greedy, verdict):
    costs = dataclasses.replace(COSTS, naive_seconds=naive, greedy_seconds=greedy)
    found = claims(costs=costs)["C7"]
    assert (found.verdict, found.control) == (verdict, "rank-one updates")
    assert found.evidence.startswith("375750 evaluations")


@pytest.mark.parametrize(
    ("seconds", "gigabytes", "verdict"),
    [(10, 0.1, FAILS), (60, 4, FAILS), (61, 0.1, HOLDS), (10, 4.1, HOLDS)],
)
def test_c8(seconds, gigabytes, verdict):
    costs = dataclasses.replace(COSTS, gram_seconds=seconds, gram_gigabytes=gigabytes)
    assert claims(costs=costs)["C8"].verdict == verdict


# C9: fine-tuned − original, beside every control


BETTER = {"finetuned_population_loss": 0.4, "finetuned_population_accuracy": 0.6}


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        (BETTER, HOLDS),
        (BETTER | {"finetuned_population_loss": 0.5}, FAILS),
        (BETTER | {"finetuned_population_accuracy": 0.5}, FAILS),
        (BETTER | {"finetuned_population_accuracy": alternating(0.4, 0.6)}, FAILS),
        (BETTER | {"original_population_loss": 0.3}, FAILS),
        (
            BETTER | {"original_population_accuracy": 0.7, "scratch_400_population_accuracy": 1},
            FAILS,
        ),
    ],
)
def test_c9(columns, verdict):
    found = claims(replicates(**columns))["C9"]
    assert (found.verdict, found.control) == (verdict, "")


@pytest.mark.parametrize(
    "equal", [0.6, 0.8, alternating(0.5, 0.7)], ids=["equal", "better", "near"]
)
@pytest.mark.parametrize("control", CONTROLS)
def test_c9_holds_only_in_the_letter_beside_a_control(control, equal):
    found = claims(replicates(**BETTER, **{f"{control}_population_accuracy": equal}))["C9"]
    assert (found.verdict, found.control) == (LETTER, control)


def test_c9_names_all_controls_that_are_as_good():
    columns = {f"{control}_population_accuracy": 0.6 for control in CONTROLS}
    assert claims(replicates(**BETTER, **columns))["C9"].control == ", ".join(CONTROLS)


@pytest.mark.parametrize("control", ["constant", "logistic_x", "svm_x", "scratch_200"])
def test_c9_means_every_control_or_says_which(control):
    """The controls of claims.md are more than the four that are compared."""
    found = claims(replicates(**BETTER, **{f"{control}_population_accuracy": 0.7}))["C9"]
    assert found.verdict == LETTER or "every control" not in found.rule


# C10: share of layers and ρ within the bound


@pytest.mark.parametrize(
    ("within", "verdict"),
    [(1.0, HOLDS), (0.96, HOLDS), (0.95, FAILS), (0.5, FAILS), (alternating(0.9, 1.0), FAILS)],
)
def test_c10(within, verdict):
    found = claims(replicates(within_bound=within))["C10"]
    assert found.verdict == verdict
    assert_allclose(found.estimate, np.mean(within), rtol=1e-12)
    assert "above 0.95" in found.rule


# Rules come from the config


def test_rules_of_the_config_decide_and_are_printed():
    rules = Rules(
        majority=0.9,
        good_training_loss=0.1,
        explained=0.5,
        usable=0.4,
        slow_seconds=0.5,
        slow_gigabytes=0.05,
    )
    rows = replicates(**OVER_FIT, within_bound=0.45)
    arrays = sweep(widths=widths_where(LATE, FULL), at_start=cells(20, [3]).astype(float))
    arrays["widths"][:30, 0] = TABLE1
    found = claims(rows, arrays, study=Study(resamples=100, rules=rules))
    usual = claims(rows, arrays)
    verdicts = {name: (usual[name].verdict, claim.verdict) for name, claim in found.items()}
    assert {name: pair for name, pair in verdicts.items() if pair[0] != pair[1]} == {
        "C2": (HOLDS, FAILS),
        "C5": (HOLDS, EXPLAINED),
        "C6": (LETTER, FAILS),
        "C7": (LETTER, HOLDS),
        "C8": (FAILS, HOLDS),
        "C10": (FAILS, HOLDS),
    }
    printed = {"C2": "0.1", "C5": "0.5", "C6": "0.9", "C7": "0.5 s", "C8": "0.05 GB", "C10": "0.4"}
    assert {name: text for name, text in printed.items() if text not in found[name].rule} == {}
