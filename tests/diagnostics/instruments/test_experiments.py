"""Instruments that look at no network: theory and descent."""

import numpy as np
import pytest

from mini_exp.diagnostics.instruments import descent, theory
from tests.diagnostics.instruments.small_stages import small_stages


@pytest.fixture(scope="module")
def enumerated():
    return theory.measure(small_stages()).set_index("quantity")


def test_the_complexity_of_thresholds_stays_while_that_of_parities_grows(enumerated):
    of_thresholds = enumerated.loc["mixing complexity of thresholds"]
    of_parities = enumerated.loc["mixing complexity of parities"]
    assert (of_thresholds["upper"] <= 4).all()
    assert (of_parities["lower"] >= 2 * np.sqrt(of_parities["at"]) - 1e-9).all()


def test_small_classes_are_exact(enumerated):
    exact = enumerated.loc["mixing complexity of singletons"]
    exact = exact[exact["n"] <= 16]
    np.testing.assert_array_equal(exact["lower"], exact["upper"])


def test_vc_dimensions_are_those_of_the_theorems(enumerated):
    known = {"thresholds": 1, "singletons": 1, "intervals": 2, "parities": 4}
    for name, dimension in known.items():
        assert enumerated.loc[f"VC dimension of {name}", "estimate"] == dimension


def test_no_learner_beats_a_quarter(enumerated):
    assert enumerated.loc["best learner", "estimate"] == 0.25
    for name in theory.LEARNERS:
        worst = enumerated.loc[f"worst loss of {name}"].set_index("at")["estimate"]
        least = enumerated.loc["least worst loss"].set_index("at")["estimate"]
        assert (worst >= least - 1e-12).all()


def test_two_layers_fit_random_labels(enumerated):
    row = enumerated.loc["residual of two layers"]
    assert row["at"] == 2 * theory.SAMPLES + theory.FEATURES
    assert row["estimate"] < 1e-6


@pytest.fixture(scope="module")
def descended():
    return descent.measure(small_stages()).set_index("quantity")


def test_descent_converges_below_two_over_beta_and_grows_above(descended):
    growth = descended.loc["growth per step"].set_index("at")["estimate"]
    assert (growth[growth.index < 1] < 1).all()
    steep = growth[growth.index > 1]
    np.testing.assert_allclose(steep, 2 * steep.index - 1, rtol=1e-2)  # a share of the start


@pytest.mark.parametrize("dimension", descent.DIMENSIONS)
def test_only_the_stable_set_ends_in_the_saddle(descended, dimension):
    for name, share in (("plain", 0), ("perturbed", 1), ("at random", 1)):
        rows = descended.loc[f"left the saddle in {dimension} dimensions {name}"].set_index("at")[
            "estimate"
        ]
        assert dict(rows) == dict.fromkeys(descent.RATIOS, share)


def test_flatter_saddles_are_left_more_slowly(descended):
    """As the inverse of the curvature, in the limit of small steps."""
    steps = descended.loc["steps to leave in 10 dimensions"].set_index("at")["estimate"]
    assert 2 * steps[1.0] < 2 * steps[0.3] < steps[0.1] < np.inf


def test_critical_points_come_within_the_bound(descended):
    assert (descended.loc["steps of the bound", "estimate"] <= 1).all()
