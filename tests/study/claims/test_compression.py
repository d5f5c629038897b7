"""C3, C4 and C9, against what their printed rules say."""

import pytest

from mini_exp.study.claims.compression import CONTROLS
from tests.study.claims.by_hand import (
    FAILS,
    HOLDS,
    LETTER,
    PUBLISHED,
    alternating,
    claims,
    replicates,
)

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
        (0.4, 0.6, 0.6, LETTER, "scratch_twice"),
        (0.4, 0.6, alternating(0.5, 0.7), LETTER, "scratch_twice"),
        (0.4, 0.6, 0.7, LETTER, "scratch_twice"),
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
            scratch_twice_population_accuracy=scratch,
        )
    )["C4"]
    assert (found.verdict, found.control) == (verdict, control)


def test_c4_says_how_long_was_trained_from_scratch():
    settings = PUBLISHED | {"train": {"epochs": 30}, "finetune": {"epochs": 12}}
    assert "from scratch, 42 epochs" in claims(settings=settings)["C4"].evidence


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
            BETTER | {"original_population_accuracy": 0.7, "scratch_twice_population_accuracy": 1},
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


@pytest.mark.parametrize("control", ["constant", "logistic_x", "svm_x", "scratch"])
def test_c9_means_every_control_or_says_which(control):
    """The controls of claims.md are more than the four that are compared."""
    found = claims(replicates(**BETTER, **{f"{control}_population_accuracy": 0.7}))["C9"]
    assert found.verdict == LETTER or "every control" not in found.rule
