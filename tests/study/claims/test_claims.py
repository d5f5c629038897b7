"""What all claims have in common: order, one replicate, divergence, rules of the config."""

import numpy as np
import pandas as pd

from mini_exp.settings.sections import Rules, Study
from tests.study.claims.by_hand import (
    EXPLAINED,
    FAILS,
    FULL,
    HOLDS,
    LATE,
    LETTER,
    OVER_FIT,
    TABLE1,
    N,
    cells,
    claims,
    replicates,
    sweep,
    widths_where,
)

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
