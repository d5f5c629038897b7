"""W15 to W34, W41, W42, W49: every rule gives every verdict that it can give."""

import numpy as np
import pytest

from mini_exp.diagnostics.instruments import descent
from mini_exp.diagnostics.statements import (
    OF_NO_VARIANT,
    capacity,
    curvature,
    information,
    margin,
    similarity,
    theory,
    topology,
)
from mini_exp.diagnostics.statements.statement import (
    ALL,
    FAILS,
    HOLDS,
    LETTER,
    UNDECIDED,
)
from tests.diagnostics.invented import NOISE, SETTINGS, evidence, spread
from tests.diagnostics.statements.run_rows import of_layers, of_run, over

ESTIMATORS = ("absolute", "relative", "bins")


def each(quantity, numbers, stage="original", layer=3):
    return {
        (stage, f"{quantity} {estimator}", np.nan, layer): number
        for estimator, number in zip(ESTIMATORS, numbers, strict=True)
    }


@pytest.mark.parametrize("statement", ["drift", "compression"])
@pytest.mark.parametrize(
    ("changes", "verdict"),
    [((0.2, 0.3, 0.1), HOLDS), ((0.2, -0.1, 0.0), LETTER), ((0.01, 0.04, 0.0), FAILS)],
)
def test_phases_are_judged_per_estimator(statement, changes, verdict):
    columns = each(statement, [spread(change, 0.001) for change in changes])
    assert getattr(information, statement)(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("shares", "verdict"), [((0.5, 0.6, 0.7), HOLDS), ((0.5, 0.6, 0.999), FAILS)]
)
def test_saturation(shares, verdict):
    full = np.log(SETTINGS.data.n_train)
    columns = each("input", [full * spread(share, 0.001) for share in shares], layer=1)
    assert information.saturation(evidence(columns)).verdict == verdict


def test_saturation_is_undecided_where_there_is_one_input():
    settings = SETTINGS.model_copy(update={"data": SETTINGS.data.model_copy(update={"n_train": 1})})
    columns = each("input", (0, 0, 0), layer=1)
    assert information.saturation(evidence(columns, settings=settings)).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("signs", "verdict"), [((-1, -1, -1), HOLDS), ((-1, 1, 1), LETTER), ((1, 1, 1), FAILS)]
)
def test_information_explains_accuracy(signs, verdict):
    columns = each("input", [spread(3, 1, sign * NOISE) for sign in signs], "finetuned")
    columns["finetuned", "accuracy"] = spread(0.6, 0.1)
    assert information.explains_accuracy(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("alike", "verdict"),
    [((0.99, 0.95, 0.93), HOLDS), ((0.99, 0.7, 0.5), LETTER), ((0.7, 0.6, 0.5), FAILS)],
)
def test_representations(alike, verdict):
    columns = {}
    for layer, cka in enumerate(alike, start=1):
        columns["compressed", "cka", np.nan, layer] = spread(cka)
        columns["compressed", "svcca", np.nan, layer] = spread(cka)
    assert similarity.representations(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("height", "verdict"), [(0.3, HOLDS), (0.001, FAILS)])
def test_barrier(height, verdict):
    columns = {
        ("finetuned", "barrier"): spread(height, 0.001),
        ("compressed", "barrier"): spread(0, 0.001),
    }
    assert similarity.barrier(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("drift", "verdict"), [(0.001, HOLDS), (0.3, FAILS)])
def test_kernel_drift(drift, verdict):
    columns = {("original", "kernel drift"): spread(drift, 0.0005)}
    assert similarity.kernel_drift(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("kernel", "verdict"), [(0.6, HOLDS), (0.5, FAILS), (0.7, FAILS)])
def test_kernel_accuracy(kernel, verdict):
    columns = {
        ("original", "network accuracy"): spread(0.6),
        ("original", "kernel accuracy"): spread(kernel),
    }
    assert similarity.kernel_accuracy(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("sign", "verdict"), [(-1, HOLDS), (1, FAILS)])
def test_sharpness(sign, verdict):
    columns = {}
    for stage in ("original", "compressed", "finetuned"):
        columns[stage, "sharpness"] = spread(2, 0.5)
        columns[stage, "accuracy"] = spread(0.6, 0.1, sign * NOISE)
    assert curvature.sharpness(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("gap", "bound", "verdict"),
    [(0.5, 0.8, HOLDS), (0.5, 2.8, LETTER), (3.0, 2.8, FAILS)],
)
def test_gap_bound(gap, bound, verdict):
    columns = {
        ("original", "loss gap"): spread(gap),
        ("original", "error gap"): spread(0.3),
        ("original", "bound"): bound,
    }
    assert capacity.gap_bound(evidence(columns)).verdict == verdict


def test_the_gap_of_a_run_alone_decides_nothing():
    columns = {("original", name): 1.0 for name in ("loss gap", "error gap", "bound")}
    assert capacity.gap_bound(evidence(columns, replicated=False)).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("growth", "verdict"), [({0.9: 0.8, 1.1: 1.2}, HOLDS), ({0.9: 0.8, 1.1: 0.9}, FAILS)]
)
def test_step_size(growth, verdict):
    own = of_run("descent", over("growth per step", growth))
    assert curvature.step_size(own).verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.9, HOLDS), (1.1, FAILS)])
def test_rate(share, verdict):
    own = of_run("descent", over("steps of the bound", {0.1: 0.2, 0.01: share}))
    assert curvature.rate(own).verdict == verdict


@pytest.mark.parametrize(
    ("perturbed", "plain", "verdict"), [(1, 0, HOLDS), (0.3, 0, FAILS), (1, 1, FAILS)]
)
def test_saddles(perturbed, plain, verdict):
    rows = []
    for dimension in descent.DIMENSIONS:
        shares = {"perturbed": perturbed if dimension == 10 else 1, "plain": plain, "at random": 1}
        for name, share in shares.items():
            rows += over(
                f"left the saddle in {dimension} dimensions {name}",
                {0.1: share, 1.0: 1 if share else 0},
            )
        rows += over(f"steps to leave in {dimension} dimensions", {0.1: 900, 1.0: 90})
    assert curvature.saddles(of_run("descent", rows)).verdict == verdict


@pytest.mark.parametrize(("residual", "verdict"), [(1e-9, HOLDS), (0.1, FAILS)])
def test_two_layers(residual, verdict):
    own = of_run("theory", over("residual of two layers", {230: residual}))
    assert capacity.two_layers(own).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"), [({4: 4.0, 16: 4.0}, FAILS), ({4: 4.0, 16: 8.0}, HOLDS)]
)
def test_mixing(values, verdict):
    rows = over("mixing complexity of thresholds", values)
    rows += over("mixing complexity of parities", {4: 4.0, 16: 8.0})
    assert theory.mixing(of_run("theory", rows)).verdict == verdict


@pytest.mark.parametrize(("more", "verdict"), [(9, FAILS), (1, HOLDS)])
def test_vc_dimension(more, verdict):
    own = of_run("theory", over("samples needed", {1: 2, 8: more}))
    assert theory.vc_dimension(own).verdict == verdict


@pytest.mark.parametrize(("best", "verdict"), [(0.25, HOLDS), (0.2, FAILS)])
def test_no_free_lunch(best, verdict):
    rows = [("", "best learner", np.nan, best), *over("worst loss of nearest", {1: 0.5})]
    rows += over("least worst loss", {1: 0.25})
    assert theory.no_free_lunch(of_run("theory", rows)).verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.2, FAILS), (0, HOLDS)])
def test_worse_elsewhere(share, verdict):
    own = of_run("theory", [("", "others learned better", np.nan, share)])
    assert theory.worse_elsewhere(own).verdict == verdict


@pytest.mark.parametrize(("tuned", "verdict"), [(0.3, HOLDS), (0.1, FAILS)])
def test_margins_are_compared_by_what_is_proved(tuned, verdict):
    rows = []
    for i in range(10):
        rows.append(("original", "margin", float(i), 0.1, 0.1, 0.2))
        rows.append(("finetuned", "margin", float(i), np.nan, tuned, np.inf))
    rows += [(stage, "median margin", np.nan, 0.1, 0.1, 0.2) for stage in ("original", "finetuned")]
    assert margin.margin(of_run("margin", rows)).verdict == verdict


def lost_to_noise(own):
    """Rows of both networks, of which the clean accuracy is 0.7; in layer 3 most is lost."""
    rows = []
    for stage, lost in own.items():
        rows.append((stage, 0, "clean accuracy", np.nan, 0.7, np.nan, np.nan))
        for layer in (1, 2, 3):
            of_layer = lost if layer == 3 else lost / 10
            for share, loss in ((0.1, of_layer / 2), (0.3, of_layer), (1.0, 0.2)):
                rows.append(
                    (stage, layer, "lost to noise", share, loss, loss - 0.001, loss + 0.001)
                )
    return of_layers("margin", rows)


@pytest.mark.parametrize(
    ("original", "tuned", "verdict"),
    [(0.01, 0.01, HOLDS), (0.01, 0.0195, LETTER), (0.0195, 0.01, FAILS), (0.1, 0.1, FAILS)],
)
def test_noise(original, tuned, verdict):
    """A tenth of what is above ½ may be lost: 0.02, with its interval."""
    own = lost_to_noise({"original": original, "finetuned": tuned})
    statement = margin.noise(own)
    assert (statement.verdict, statement.estimate) == (verdict, tuned)


@pytest.mark.parametrize(("bar", "verdict"), [(0.5, HOLDS), (0.1, FAILS)])
def test_topology(bar, verdict):
    rows = [("", "bar 1", np.nan, bar), ("", "bar 1 of a Gaussian", np.nan, 0.1, 0.05, 0.2)]
    rows += [(stage, "bar 1", np.nan, 0.1) for stage in ("original", "compressed", "finetuned")]
    assert topology.topology(of_run("homology", rows)).verdict == verdict


@pytest.mark.parametrize(
    ("ring", "discs", "verdict"), [(1.0, 0.8, HOLDS), (1.0, 0.4, LETTER), (0.2, 0.3, FAILS)]
)
def test_shapes(ring, discs, verdict):
    rows = []
    for name, last in (("ring", ring), ("two discs", discs)):
        rows += over(f"support of the {name}", {3: 0.0, 32: last})
        rows.append(("", f"fewest units for the {name}", np.nan, 3))
    assert topology.shapes(of_run("shapes", rows)).verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(1.0, HOLDS), (0.4, FAILS)])
def test_random_labels(share, verdict):
    rows = over("share that fits", {0.0: 1.0, 1.0: share}) + over("epochs to fit", {0.0: 9})
    assert capacity.random_labels(of_run("random labels", rows)).verdict == verdict


@pytest.mark.parametrize("question", OF_NO_VARIANT)
def test_without_its_instrument_nothing_is_asked(question):
    assert question(of_run("confidence", [("", "loss", np.nan, 1.0)])) is None


def test_what_looks_at_no_network_is_of_all_variants():
    own = of_run("theory", over("samples needed", {1: 2, 8: 9}))
    assert theory.vc_dimension(own).variant == ALL
