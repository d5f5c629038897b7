"""The sentences at the top of a report count what the scores say."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from mini_exp.report.verdicts import GUESS, Improvements, images_verdict, improvements, mini_verdict
from mini_exp.settings.settings import Settings
from mini_exp.steps.evaluation import Evaluation
from tests.report import examples

COUNTS = Improvements(
    variants=2, loss_compressed=0, accuracy_compressed=1, accuracy_finetuned=2, beats_guess=1
)
CLAIMS = pd.DataFrame(
    [
        ("C1", "a", "holds"),
        ("C2", "a", "holds"),
        ("C2", "b", "does not hold"),
        ("C9", "a", "holds"),
        ("C9", "b", "does not hold"),
        ("C6", "all", "does not hold"),
    ],
    columns=["claim", "variant", "verdict"],
)


def population(losses, accuracies) -> list[Evaluation]:
    """Scores that are better on every other split."""
    scores = zip(examples.STAGES, losses, accuracies, strict=True)
    rows = [Evaluation(stage, "population", a, b, 802, 1000) for stage, a, b in scores]
    return rows + [
        dataclasses.replace(row, split=split, loss=-row.loss, accuracy=1 - row.accuracy)
        for row in rows
        for split in ("train", "test")
    ]


def test_improvements_are_counted_on_the_population():
    evaluations = {
        "better": population((1.0, 0.9, GUESS - 0.01), (0.5, 0.6, 0.7)),
        "equal": population((1.0, 1.0, GUESS), (0.5, 0.5, 0.5)),
        "worse": population((1.0, 1.1, 1.2), (0.5, 0.4, 0.3)),
        "tuned": population((1.0, 1.1, 0.5), (0.5, 0.4, 0.8)),
    }
    assert improvements(evaluations) == Improvements(
        variants=4, loss_compressed=1, accuracy_compressed=1, accuracy_finetuned=2, beats_guess=2
    )


def test_the_verdict_on_a_run_counts_improvements():
    run, guess, study = mini_verdict(Settings.model_validate({}), COUNTS, None)
    assert run == (
        "Compressing MiniModel to (8, 3, 3) lowered the loss on fresh draws in none of the 2 "
        "variants and raised the accuracy in 1; fine-tuning then raised the accuracy in all (one "
        "run, seed 1701)."
    )
    assert guess.startswith("After it 1 of the networks have a loss below ln 2")
    assert "`mini-exp study`" in study


def test_widths_that_a_rule_chooses_are_not_numbers():
    settings = Settings.model_validate({"width": {"choose": {"keep": 0.5}}})
    assert "to smaller widths" in mini_verdict(settings, COUNTS, None)[0]


def test_the_verdict_with_a_study_says_where_the_conclusion_holds():
    _, conclusion, _ = mini_verdict(Settings.model_validate({}), COUNTS, CLAIMS)
    assert conclusion.endswith("(C9) holds for a and does not hold for b.")


def test_the_verdict_with_a_study_says_which_claims_hold_throughout_and_nowhere():
    _, _, rest = mini_verdict(Settings.model_validate({}), COUNTS, CLAIMS)
    assert rest.startswith(
        "Of its 4 claims those that hold throughout are C1, those that hold nowhere C6; "
    )


def test_the_verdict_on_images_has_a_sentence_for_every_variant():
    half = examples.evaluations(("validation", "test"), (4000, 1200, 1200))
    first, _ = images_verdict({"half": half}, compared=False)
    assert first == (
        "With 30 % of the parameters (half) the accuracy on 100 test images is 60.0 % right after "
        "compression and 70.0 % after fine-tuning, from 50.0 %."
    )


@pytest.mark.parametrize(("compared", "where"), [(True, "below"), (False, "`mini-exp compare`")])
def test_the_verdict_on_images_says_where_the_comparison_is(compared, where):
    assert where in images_verdict({"half": examples.evaluations(("test",))}, compared)[-1]
