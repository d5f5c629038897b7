"""Every rule gives every verdict that it can give."""

import numpy as np
import pytest

from mini_exp.diagnostics.statements import alignment, confidence, homogeneity, interventions
from mini_exp.diagnostics.statements.statement import (
    EXPLAINED,
    FAILS,
    HOLDS,
    LETTER,
    THEOREM,
    UNDECIDED,
)
from mini_exp.settings.settings import Settings
from tests.diagnostics.invented import NOISE, N, evidence, spread

OTHER_NOISE = np.random.default_rng(1).permutation(NOISE)


def losses(original, compressed, rest_before, rest_after):
    """Two losses and what the best scale leaves of each."""
    columns = {("compressed", "scale is 0"): 0.0}
    for stage, loss, rest in (
        ("original", original, rest_before),
        ("compressed", compressed, rest_after),
    ):
        columns |= {
            (stage, "loss"): spread(loss),
            (stage, "loss at best scale"): spread(rest, 0.01, OTHER_NOISE),
            (stage, "overconfidence"): spread(loss) - spread(rest, 0.01, OTHER_NOISE),
        }
    return columns


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        (losses(1.7, 0.75, 0.67, 0.69), HOLDS),
        (losses(1.7, 0.75, 0.67, 0.61), LETTER),
        (losses(1.7, 1.2, 0.67, 0.57), FAILS),
        (losses(1.7, 1.8, 0.67, 0.69), FAILS),
    ],
)
def test_over_confidence(columns, verdict):
    assert confidence.over_confidence(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("accuracy", "loss", "verdict"),
    [(1, -1, HOLDS), (0, -1, LETTER), (0, 0, FAILS), (-1, -1, LETTER), (-1, 1, FAILS)],
)
def test_entropy(accuracy, loss, verdict):
    def along(sign):
        return spread(0.5, 0.1, sign * NOISE if sign else OTHER_NOISE)

    columns = {
        ("original", "entropy"): spread(0.5, 0.1),
        ("original", "accuracy"): along(accuracy),
        ("original", "loss"): along(loss),
    }
    assert confidence.entropy(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("first", "kept", "removed", "verdict"),
    [(0.4, 0.3, 0.1, HOLDS), (0.5, 0.1, 0.2, LETTER), (0.1, 0.1, 0.3, FAILS)],
)
def test_picked_first(first, kept, removed, verdict):
    means = [first, *[kept] * 7, *[removed] * 8]
    columns = {
        ("original", "weight cosine of pick", place): spread(mean)
        for place, mean in enumerate(means, start=1)
    }
    assert alignment.picked_first(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("tuned", "verdict"), [(0.6, HOLDS), (0.5, FAILS), (0.4, FAILS)])
def test_fine_tuning(tuned, verdict):
    columns = {
        ("original", "gradient cosine"): spread(0.5),
        ("compressed", "gradient cosine"): spread(0.2),
        ("finetuned", "gradient cosine"): spread(tuned, 0.02),
    }
    assert alignment.fine_tuning(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("original", "tuned", "verdict"),
    [(0.5, 0.5, HOLDS), (0.2, 0.5, LETTER), (0.5, 0.2, LETTER), (0.2, 0.2, FAILS)],
)
def test_lime(original, tuned, verdict):
    columns = {("original", "lime"): spread(original), ("finetuned", "lime"): spread(tuned)}
    assert alignment.lime(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("from_mean", "verdict"), [(0.2, HOLDS), (0.4, FAILS), (0.1, FAILS)])
def test_baseline(from_mean, verdict):
    columns = {
        ("original", "integrated gradients from zero"): spread(0.2),
        ("original", "integrated gradients from the mean"): spread(from_mean, 0.012),
    }
    assert alignment.baseline(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(
    ("noise", "verdict"),
    [(0.0, EXPLAINED), (1.0, HOLDS), (50.0, FAILS)],
)
def test_mediator(noise, verdict):
    columns = {
        ("original", "accuracy"): spread(0.6, 0.1),
        ("original", "r2"): spread(0.1, 0.1, NOISE + noise * OTHER_NOISE),
        ("original", "gradient cosine"): spread(0.1),
    }
    assert alignment.mediator(evidence(columns)).verdict == verdict


@pytest.mark.parametrize(("residual", "verdict"), [(1e-15, HOLDS), (1e-3, FAILS)])
def test_euler(residual, verdict):
    columns = {}
    for stage in ("original", "compressed", "finetuned"):
        columns |= {(stage, "euler residual"): residual, (stage, "sign kept"): 1.0}
    statement = homogeneity.euler(evidence(columns))
    assert (statement.verdict, statement.sort) == (verdict, THEOREM)


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.85, HOLDS), (0.6, FAILS)])
def test_ceiling(accuracy, verdict):
    columns = {("", "ceiling"): 0.87, ("original", "accuracy"): spread(accuracy)}
    assert homogeneity.ceiling(evidence(columns)).verdict == verdict


def test_networks_with_biases_are_not_asked_of_homogeneity():
    biased = Settings.model_validate({"model": {"bias": True}})
    columns = {("", "ceiling"): 0.87, ("original", "accuracy"): 0.5}
    own = evidence(columns, settings=biased)
    assert (homogeneity.euler(own), homogeneity.ceiling(own)) == (None, None)


def arm(name, original, tuned):
    """Accuracies of an arm, its controls as good as the original."""
    noises = {"original": NOISE, "finetuned": OTHER_NOISE}
    accuracies = {
        (name, "original", 16, 0.0): spread(original, 0.01, noises["original"]),
        (name, "finetuned", 8, 0.0): spread(tuned, 0.01, noises["finetuned"]),
    }
    controls = [("original_twice", 16), ("random_finetuned", 8), ("scratch_twice", 8)]
    return accuracies | {
        (name, network, width, 0.0): spread(original) for network, width in controls
    }


@pytest.mark.parametrize(
    ("changed", "question"),
    [("centred", interventions.uncentred), ("orthogonal", interventions.along_the_mean)],
)
@pytest.mark.parametrize(
    ("gain", "gain_changed", "verdict"),
    [(0.1, 0.0, HOLDS), (0.1, -0.1, HOLDS), (0.1, 0.05, LETTER), (0.1, 0.1, FAILS), (0, -1, FAILS)],
)
def test_what_the_gain_needs(changed, question, gain, gain_changed, verdict):
    trials = arm("as it is", 0.6, 0.6 + gain) | arm(changed, 0.8, 0.8 + gain_changed)
    assert question(evidence(trials=trials)).verdict == verdict


@pytest.mark.parametrize(
    ("one", "random", "scratch", "verdict"),
    [(0.7, 0.6, 0.6, HOLDS), (0.7, 0.7, 0.6, LETTER), (0.7, 0.6, 0.8, LETTER), (0.6, 0, 0, FAILS)],
)
def test_one_unit(one, random, scratch, verdict):
    trials = {
        ("as it is", "finetuned", 8, 0.0): spread(0.65),
        ("as it is", "finetuned", 1, 0.0): spread(one, 0.01, OTHER_NOISE),
        ("as it is", "random_finetuned", 1, 0.0): spread(random),
        ("as it is", "scratch_twice", 1, 0.0): spread(scratch),
    }
    assert interventions.one_unit(evidence(trials=trials)).verdict == verdict


@pytest.mark.parametrize(
    ("decayed", "verdict"), [(0.7, HOLDS), (0.646, HOLDS), (0.64, FAILS), (0.5, FAILS)]
)
def test_weight_decay(decayed, verdict):
    trials = {
        ("as it is", "decayed", 16, np.nan): spread(decayed, 0.01, OTHER_NOISE),
        ("as it is", "finetuned", 8, 0.0): spread(0.65),
        ("as it is", "original_twice", 16, 0.0): spread(0.65),
    }
    assert interventions.weight_decay(evidence(trials=trials)).verdict == verdict


def test_more_epochs():
    own = evidence(trials=arm("as it is", 0.6, 0.6))
    statement = interventions.more_epochs(own)
    assert statement.verdict == HOLDS
    assert statement.estimate == pytest.approx(0.25, rel=0.01)  # a mean of ratios


def test_without_replicates_nothing_is_decided():
    own = evidence(losses(1.7, 0.75, 0.67, 0.69), replicated=False)
    assert confidence.over_confidence(own).verdict == UNDECIDED
    assert interventions.uncentred(own) is None


def test_an_instrument_that_was_not_used_is_not_asked():
    own = evidence({("original", "lime"): np.full(N, 0.5)})
    assert (confidence.over_confidence(own), homogeneity.euler(own)) == (None, None)
