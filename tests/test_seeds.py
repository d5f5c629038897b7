from typing import get_args

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mini_exp.seeds import Purpose, generator

PURPOSES = get_args(Purpose)


def draws(seed, purpose, replicate=0, n=2000):
    return generator(seed, purpose, replicate).standard_normal(n)


def test_the_streams_are_what_they_were():
    """First numbers, written down: a change of the derivation must not pass unseen."""
    expected = {
        "data": 0.364450270730293,
        "population": 0.6680573958988014,
        "weights": 0.4884688176232723,
        "train order": 0.9007131025870997,
        "finetune order": 0.7242949920341177,
    }
    assert {purpose: generator(1701, purpose).random() for purpose in expected} == expected
    assert generator(1701, "data", 3).random() == 0.6649050043271919


def test_the_same_key_gives_the_same_stream():
    assert_array_equal(draws(5, "data", 2), draws(5, "data", 2))


def test_replicate_0_is_the_default():
    assert_array_equal(draws(5, "weights"), draws(5, "weights", 0))


KEYS = [
    *((1701, purpose, 0) for purpose in PURPOSES),
    *((1701, "data", replicate) for replicate in (1, 2, 999)),
    *((seed, "data", 0) for seed in (0, 1, 1702, 2**32, 2**63 - 1)),
]


def test_streams_are_independent():
    streams = np.stack([draws(*key) for key in KEYS])
    assert len(np.unique(streams)) == streams.size
    correlation = np.corrcoef(streams) - np.eye(len(KEYS))
    assert np.abs(correlation).max() < 0.12  # 5 standard deviations


def test_a_stream_is_not_a_shifted_copy_of_another():
    a, b = draws(1701, "data", 0), draws(1701, "data", 1)
    for shift in range(1, 20):
        assert abs(np.corrcoef(a[shift:], b[:-shift])[0, 1]) < 0.12


def test_seed_and_replicate_do_not_mix():
    """A seed of two words is no seed of one word with another replicate."""
    assert draws(1 + 2**32, "data", 0)[0] != draws(1, "data", 1)[0]
    assert draws(2, "data", 1)[0] != draws(1, "data", 2)[0]


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not change
    draws(1, "data")
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(("seed", "replicate"), [(-1, 0), (0, -1)])
def test_negative_keys(seed, replicate):
    with pytest.raises(ValueError, match="non-negative"):
        generator(seed, "data", replicate)
