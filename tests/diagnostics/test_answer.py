"""The answer in five sentences has the evidence's numbers."""

import numpy as np

from mini_exp.diagnostics.answer import answer
from mini_exp.settings.settings import Settings
from tests.diagnostics.invented import evidence, spread
from tests.diagnostics.test_figures import columns

BIASED = Settings.model_validate({"model": {"bias": True}})


def trials(gain):
    """Accuracies: a gain as it is, none under another rule, a loss where inputs are centred."""
    made = {("as it is", "decayed", 16, np.nan): spread(0.71)}
    for arm, base, change in (
        ("as it is", 0.6, gain),
        ("centred", 0.8, -0.02),
        ("orthogonal", 0.7, 0.0),
    ):
        made[arm, "original", 16, 0.0] = spread(base)
        made[arm, "finetuned", 8, 0.0] = spread(base + change)
    made["as it is", "finetuned", 1, 0.0] = spread(0.75)
    return made


def test_five_sentences_with_the_numbers():
    seen = [
        evidence(columns(), trials(-0.03)),
        evidence(columns(), trials(0.04), settings=BIASED),
    ]
    confidence, alignment, centring, gain, decay = answer(seen)
    assert "by -0.88; of that over-confidence is -0.90, and" in confidence
    assert "changes by 0.02" in confidence
    assert "from 0.50 to 0.05 and with fine-tuning to 0.25" in alignment
    assert "an accuracy of 0.60 on MINI as it is and of 0.80 once" in centring
    assert "the accuracy by -0.03 without biases, 0.04 with; centred by -0.02 without" in gain
    assert "one unit instead of the chosen width changes it by another 0.18 without" in gain
    assert "|cos| 1.00 with the rule, a random direction 0.15" in gain
    assert decay.endswith("by 0.14 without biases, 0.07 with.")


def test_without_replicates_the_rest_is_not_said():
    sentences = answer([evidence(columns(), replicated=False)])
    assert len(sentences) == 3
    assert "decides nothing" in sentences[-1]


def test_without_confidence_there_is_no_answer():
    (sentence,) = answer([evidence({("original", "lime"): 0.5})])
    assert sentence.startswith("What was measured is in the table")
