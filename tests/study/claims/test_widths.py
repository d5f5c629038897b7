"""C5, C6 and C10, against what their printed rules say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.settings.sections import Rules, Study
from tests.study.claims.by_hand import (
    EXPLAINED,
    FAILS,
    FULL,
    HOLDS,
    LATE,
    LETTER,
    TABLE1,
    N,
    alternating,
    cells,
    claims,
    replicates,
    sweep,
    widths_where,
)

# C5: full widths past ρ ≈ 0.09


def jump(full, at_start=None, exact=None):
    arrays = sweep(widths=widths_where(full, FULL))
    if at_start is not None:
        arrays["at_start"] = np.asarray(at_start, dtype=float)
    if exact is not None:
        arrays["exact_widths"] = widths_where(exact, FULL)
    return claims(arrays=arrays)["C5"]


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


@pytest.mark.parametrize(("late_rho", "verdict"), [(0.065, HOLDS), (0.075, FAILS)])
def test_c5_says_from_the_config_which_jumps_are_late(late_rho, verdict):
    study = Study(resamples=100, rules=Rules(late_rho=late_rho))
    found = claims(arrays=sweep(widths=widths_where(cells(N, [2]), FULL)), study=study)["C5"]
    assert found.verdict == verdict
    assert f"past ρ = {late_rho}" in found.rule
    assert f"past ρ = {late_rho}: " in found.evidence


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


@pytest.mark.parametrize("factor", [4, 2.5])
def test_c10_says_which_multiple_of_lambda_is_the_bound(factor):
    rules = Rules(bound_factor=float(factor))
    found = claims(study=Study(resamples=100, rules=rules))["C10"]
    assert f"L^(A) ≤ {factor}λ" in found.evidence
