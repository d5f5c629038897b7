"""C7 and C8, against what their printed rules say."""

import dataclasses

import pytest

from tests.study.claims.by_hand import COSTS, FAILS, HOLDS, LETTER, claims

# C7, C8: costs


@pytest.mark.parametrize(
    ("naive", "greedy", "verdict"),
    [
        (0.1, 1.0, LETTER),
        (0.1, 61.0, HOLDS),
        (1e-4, 1.0, FAILS),
        (60 / 375_750, 60.0, FAILS),
        (1e-4, 61.0, HOLDS),
    ],
)
def test_c7(naive, greedy, verdict):
    costs = dataclasses.replace(COSTS, naive_seconds=naive, greedy_seconds=greedy)
    found = claims(costs=costs)["C7"]
    assert (found.verdict, found.control) == (verdict, "rank-one updates")
    assert found.evidence.startswith("375750 evaluations")


@pytest.mark.parametrize(
    ("seconds", "gigabytes", "verdict"),
    [(10, 0.1, FAILS), (60, 4, FAILS), (61, 0.1, HOLDS), (10, 4.1, HOLDS)],
)
def test_c8(seconds, gigabytes, verdict):
    costs = dataclasses.replace(COSTS, gram_seconds=seconds, gram_gigabytes=gigabytes)
    assert claims(costs=costs)["C8"].verdict == verdict
