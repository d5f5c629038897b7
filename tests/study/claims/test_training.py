"""C1 and C2, against what their printed rules say."""

import numpy as np
import pytest

from tests.study.claims.by_hand import FAILS, HOLDS, OVER_FIT, PUBLISHED, N, claims, replicates

# C1


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({}, HOLDS),
        ({"data": {"n_train": 801}}, HOLDS),
        ({"data": {"n_train": 802}}, FAILS),
    ],
)
def test_c1(settings, verdict):
    found = claims(settings=PUBLISHED | settings)["C1"]
    assert (found.verdict, found.estimate) == (verdict, 802)


@pytest.mark.parametrize("model", [{"widths": [16, 12, 11]}, {"bias": True}], ids=str)
def test_c1_is_not_asked_of_another_network(model):
    assert "C1" not in claims(settings=PUBLISHED | {"model": model})


# C2: share with training loss below 0.35 and a population loss above the constant predictor's


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
