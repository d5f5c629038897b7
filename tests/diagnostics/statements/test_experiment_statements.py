"""W35 to W48: experiments without the stages' networks; every verdict of every rule."""

import numpy as np
import pytest

from mini_exp.diagnostics.statements import images, optimality, search
from mini_exp.diagnostics.statements.statement import EXPLAINED, FAILS, HOLDS, LETTER
from tests.diagnostics.statements.run_rows import of_run, over


@pytest.mark.parametrize(
    ("first", "last", "verdict"), [(0.0, 0.9, HOLDS), (0.8, 0.9, FAILS), (0.0, 0.5, FAILS)]
)
def test_global_optima(first, last, verdict):
    rows = over("share at the optimum", {1: first, 40: last})
    rows += [*over("excess loss", {1: 0.5, 40: 0.0}), ("", "optimum gap", np.nan, 0.001)]
    assert optimality.global_optima(of_run("optimality", rows)).verdict == verdict


@pytest.mark.parametrize(("smallest", "verdict"), [(0.9999, HOLDS), (0.99, FAILS)])
def test_largest_margin(smallest, verdict):
    values = {10: 0.9, 100: 1.0}
    rows = over("cosine with the largest margin", values, {10: 0.8, 100: smallest})
    assert optimality.largest_margin(of_run("optimality", rows)).verdict == verdict


@pytest.mark.parametrize(("distance", "verdict"), [(1e-9, HOLDS), (0.1, FAILS)])
def test_smallest_norm(distance, verdict):
    own = of_run("optimality", [("", "distance to the smallest solution", np.nan, distance)])
    assert optimality.smallest_norm(own).verdict == verdict


@pytest.mark.parametrize(("worst", "verdict"), [(1.3, HOLDS), (1.8, FAILS), (0.4, FAILS)])
def test_early_stopping(worst, verdict):
    own = of_run("optimality", over("risk of early stopping", {1.0: 1.0, 9.0: worst}))
    assert optimality.early_stopping(own).verdict == verdict


@pytest.mark.parametrize(("late", "verdict"), [(50, HOLDS), (200, FAILS)])
def test_singular_values(late, verdict):
    own = of_run("optimality", over("time to learn", {1.0: 100, 4.0: late}))
    assert optimality.singular_values(own).verdict == verdict


@pytest.mark.parametrize(("last", "verdict"), [(0.4, HOLDS), (0.9, LETTER), (9.0, FAILS)])
def test_double_descent(last, verdict):
    errors = {10: 0.5, 40: 9.0, 400: last}
    own = of_run("optimality", over("test error of random features", errors))
    assert optimality.double_descent(own).verdict == verdict


@pytest.mark.parametrize(
    ("share", "lost", "verdict"), [(1.0, 0.0, HOLDS), (1.0, 0.3, LETTER), (0.4, 0.0, FAILS)]
)
def test_invariance(share, lost, verdict):
    rows = [("", "more stable", np.nan, share)]
    rows.append(("", "equivariance error of a convolution", np.nan, 0.1))
    for kind in ("convolutions", "connections"):
        for name in ("change by a shift", "change by a deformation", "accuracy"):
            rows.append(("", f"{name} of {kind}", np.nan, 0.9))
        rows.append(("", f"accuracy when shifted of {kind}", np.nan, 0.9 - lost))
    assert images.invariance(of_run("invariance", rows)).verdict == verdict


@pytest.mark.parametrize(("made", "verdict"), [(0.2, HOLDS), (0.35, LETTER), (0.6, FAILS)])
def test_generator(made, verdict):
    rows = [("", "W1 floor", np.nan, 0.2, 0.15, 0.25)]
    rows.append(("", "W1 of the generator", np.nan, made, made - 0.05, made + 0.05))
    assert images.generator(of_run("generators", rows)).verdict == verdict


@pytest.mark.parametrize(
    ("magnitude", "at_random", "verdict"), [(0.5, 0.5, HOLDS), (0.0, 0.5, LETTER), (0, 0, FAILS)]
)
def test_pruned_generator(magnitude, at_random, verdict):
    rows = [("", "W1 of the generator", np.nan, 0.3), *over("W1 pruned by spectral", {8: 0.4})]
    for name, gap in (("magnitude", magnitude), ("random", at_random)):
        rows.append(("", f"W1 gap {name}", 8, gap, gap - 0.1, gap + 0.1))
        rows.append(("", f"W1 gap {name}", 16, 0.0, 0.0, 0.0))
    assert images.pruned_generator(of_run("generators", rows)).verdict == verdict


@pytest.mark.parametrize(
    ("small", "large", "verdict"), [(0.95, 0.9, HOLDS), (0.95, 0.1, LETTER), (0.8, 0.1, FAILS)]
)
def test_soft_rank(small, large, verdict):
    rows = over("rank by penalty", {0.0: 100.0, 0.001: 80.0, 0.01: 10.0})
    rows += over("accuracy by penalty", {0.0: 0.95, 0.001: small, 0.01: large})
    rows += over("accuracy by penalty beside decay", {0.01: 0.1})
    rows += over("rank by decay", {0.0: 100.0}) + over("accuracy by decay", {0.0: 0.95})
    assert images.soft_rank(of_run("soft rank", rows)).verdict == verdict


@pytest.mark.parametrize(
    ("mini", "digits", "verdict"), [(-0.1, -0.1, HOLDS), (0.0, -0.1, LETTER), (0.1, 0, FAILS)]
)
def test_search(mini, digits, verdict):
    rows = []
    for data, gap in (("MINI", mini), ("digits", digits)):
        for method in ("spectral", "tpe", "random"):
            rows.append(("", f"{data} accuracy of {method}", np.nan, 0.6, 0.5, 0.7))
            rows.append(("", f"{data} spectral − {method}", np.nan, gap, gap - 0.02, gap + 0.02))
    assert search.search(of_run("search", rows)).verdict == verdict


@pytest.mark.parametrize(
    ("correlation", "more", "verdict"),
    [(0.95, 0.2, HOLDS), (0.5, 0.2, LETTER), (0.95, 0.0, EXPLAINED), (0.05, 0.2, FAILS)],
)
def test_shared_weights(correlation, more, verdict):
    rows = [("", "rank correlation", np.nan, correlation, correlation - 0.1, correlation + 0.1)]
    rows.append(("", "rank correlation − of size", np.nan, more, more - 0.1, more + 0.1))
    names = ("rank correlation of size", "shared accuracy", "accuracy alone")
    rows += [("", name, np.nan, 0.6, 0.5, 0.7) for name in names]
    assert search.shared_weights(of_run("shared weights", rows)).verdict == verdict
