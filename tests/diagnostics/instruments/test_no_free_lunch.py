"""The no free lunch theorem: what it says, and what it does not."""

import numpy as np
import pytest

from mini_exp.diagnostics.instruments.no_free_lunch import (
    least_worst_loss,
    loss_table,
    majority_elsewhere,
    nearest_neighbour,
    zeros_elsewhere,
)
from mini_exp.errors import DomainError

LEARNERS = [zeros_elsewhere, majority_elsewhere, nearest_neighbour]


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_that_keeps_its_samples_has_the_same_mean(learner, m):
    assert loss_table(learner, m).mean() == pytest.approx(least_worst_loss(m), abs=1e-12)


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("learner", LEARNERS)
def test_some_function_costs_every_learner_a_quarter(learner, m):
    assert loss_table(learner, m).mean(1).max() >= least_worst_loss(m) - 1e-12 >= 0.25 - 1e-12


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_worst_function_is_missed_with_the_theorem_s_probability(learner):
    table = loss_table(learner, 2)
    worst = table[table.mean(1).argmax()]
    for a in (0.01, 1 / 8, 0.24):
        assert (worst >= a).mean() >= (1 / 4 - a) / (1 - a)


def test_a_learner_better_on_a_class_is_not_worse_on_all_other_functions():
    """Against text 000's conclusion: only the mean over the others is larger."""
    zeros = loss_table(zeros_elsewhere, 2).mean(1)
    guessing = least_worst_loss(2)  # a fair coin on what it did not see, for every function
    better, worse = zeros < guessing - 1e-12, zeros > guessing + 1e-12
    assert better.any()
    assert worse.any()
    rest = np.delete(zeros, zeros.argmin())  # better on one function, the constant 0
    assert (rest < guessing - 1e-12).any()
    assert rest.mean() > guessing


def test_only_small_domains_are_enumerated():
    with pytest.raises(DomainError, match=r"m in 1 … 3, got 4"):
        loss_table(zeros_elsewhere, 4)
