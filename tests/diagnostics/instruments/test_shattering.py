"""VC dimensions that are theorems, and samples needed, by simulation."""

import numpy as np
import pytest

from mini_exp.diagnostics.instruments.hypothesis_classes import (
    intervals,
    parities,
    singletons,
    thresholds,
)
from mini_exp.diagnostics.instruments.shattering import (
    expected_loss,
    samples_needed,
    vc_dimension,
)
from mini_exp.errors import DomainError


@pytest.mark.parametrize("n", [1, 4, 9])
def test_thresholds_shatter_one_point(n):
    assert vc_dimension(thresholds(n)) == 1


@pytest.mark.parametrize("n", [2, 5, 9])
def test_intervals_shatter_two_points(n):
    assert vc_dimension(intervals(n)) == 2


@pytest.mark.parametrize("n", [2, 9])
def test_singletons_shatter_one_point(n):
    assert vc_dimension(singletons(n)) == 1


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_parities_shatter_as_many_points_as_bits(bits):
    assert vc_dimension(parities(bits)) == bits


def test_all_functions_shatter_everything():
    cube = (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1
    assert vc_dimension(cube) == 4


def test_one_hypothesis_shatters_nothing():
    assert vc_dimension(np.ones((1, 3), dtype=bool)) == 0


def test_the_expected_loss_is_that_of_a_simulation():
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(20_000):
        truth, seen = rng.integers(0, 2, 6), rng.integers(0, 6, 4)
        answer = np.zeros(6, dtype=int)
        answer[seen] = truth[seen]
        losses.append((answer != truth).mean())
    error = np.std(losses) / np.sqrt(len(losses))
    assert expected_loss(6, 4) == pytest.approx(np.mean(losses), abs=4 * error)


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.3])
def test_more_dimensions_need_more_samples(loss):
    needed = [samples_needed(d, loss) for d in range(1, 40)]
    assert (np.diff(needed) >= 0).all()
    assert needed[-1] > 10 * needed[0]


@pytest.mark.parametrize("dimension", [2, 7, 30])
def test_one_sample_fewer_is_too_few(dimension):
    needed = samples_needed(dimension, 0.05)
    assert expected_loss(dimension, needed) <= 0.05 < expected_loss(dimension, needed - 1)


def test_a_loss_lies_below_a_half():
    with pytest.raises(DomainError, match=r"a loss in \(0, ½\), got 3, 0.5"):
        samples_needed(3, 0.5)
