"""Distances of outputs against closed forms, and the bound on disagreement against SciPy's."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from torch import nn

from mini_exp.errors import DomainError
from mini_exp.pruning.calibration import Example
from mini_exp.pruning.fidelity import (
    Fidelity,
    agreement_of_decisions,
    split_samples,
    upper_bound,
)


class Constant(nn.Module):
    """Gives the same rows whatever it is given."""

    def __init__(self, rows):
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows))

    def forward(self, x):
        return self.rows[: len(x)]


def of(original, other, n, **options):
    fidelity = Fidelity(Constant(original), [Example((torch.zeros(n, 1),), {})], **options)
    return fidelity.divergences[0], fidelity.mean(Constant(other), [0])


def test_the_divergence_of_logits_is_that_of_their_softmax():
    p, q = np.array([0.9, 0.05, 0.05]), np.array([0.6, 0.3, 0.1])
    how, value = of([np.log(p).tolist()], [np.log(q).tolist()], 1)
    assert how == "kl"
    assert value == pytest.approx(stats.entropy(p, q), rel=1e-6)


def test_logits_that_differ_by_a_constant_are_the_same():
    _, value = of([[9.0, 0.0, 0.0]], [[19.0, 10.0, 10.0]], 1)
    assert value == pytest.approx(0, abs=1e-6)  # rounding of float32


def test_other_outputs_are_compared_by_their_share_of_the_variance():
    how, value = of([[0.1, 0.2], [0.3, 0.0]], [[0.1, 0.2], [0.1, 0.0]], 2)
    assert how == "squared error"
    variance = np.var([[0.1, 0.2], [0.3, 0.0]], axis=0).sum()
    assert value == pytest.approx(0.2**2 / 2 / variance, rel=1e-6)


def test_a_column_of_outputs_is_no_logit():
    assert of([[9.0], [-9.0]], [[9.0], [-9.0]], 2) == ("squared error", 0.0)


@pytest.mark.parametrize("how", ["kl", "squared error"])
def test_the_divergence_can_be_chosen(how):
    assert of([[9.0, 0.0]], [[0.0, 0.0]], 1, divergence=how)[0] == how


def test_masked_positions_do_not_count():
    class Logits(nn.Module):
        def __init__(self, beyond):
            super().__init__()
            self.beyond = beyond

        def forward(self, x, attention_mask):
            return torch.where(attention_mask[..., None].bool(), x, self.beyond)

    mask = torch.tensor([[1, 1, 0]])
    example = Example((), {"x": torch.randn(1, 3, 4), "attention_mask": mask})
    assert Fidelity(Logits(0.0), [example]).mean(Logits(50.0), [0]) == 0


def test_channels_of_an_image_are_its_classes():
    x = torch.zeros(2, 3, 4, 4)
    x[:, 0] = 9
    fidelity = Fidelity(nn.Identity(), [Example((x,), {})])
    assert fidelity.divergences == ["kl"]
    assert fidelity.targets[0][0].shape == (32, 3)


def test_a_network_without_such_outputs_is_refused():
    class Decision(nn.Module):
        def forward(self, x):
            return x.argmax(-1)

    with pytest.raises(DomainError, match="expected a network with floating-point outputs"):
        Fidelity(Decision(), [Example((torch.zeros(2, 3),), {})])


@pytest.mark.parametrize(
    ("sizes", "work", "held_out"),
    [
        ([250], [100, 100, 25], [25]),
        ([40, 40], [36, 36], [4, 4]),
        ([5] * 20, [5] * 18, [5] * 2),
        ([5, 4], [5], [4]),
        ([5], [5], []),
        ([30, 5], [27, 5], [3]),
    ],
    ids=str,
)
def test_a_tenth_is_held_out(sizes, work, held_out):
    parts = split_samples(nn.Identity(), [torch.zeros(n, 2) for n in sizes])
    assert [[example.n_samples for example in part] for part in parts] == [work, held_out]


def test_no_sample_is_in_both_parts_or_in_none():
    x = torch.arange(250.0)[:, None]
    work, held_out = split_samples(nn.Identity(), [x[:200], x[200:]])
    together = torch.cat([example.arguments[0] for example in (*work, *held_out)])
    assert_allclose(together.ravel().sort().values, x.ravel())


def test_samples_of_a_function_are_those_that_it_runs():
    x = torch.randn(50, 2)
    work, held_out = split_samples(nn.Identity(), lambda network: network(x))
    assert torch.equal(work[0].arguments[0], x[:45])
    assert torch.equal(held_out[0].arguments[0], x[45:])


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (9, 10), (10, 10), (159, 2000)])
def test_the_bound_is_clopper_and_pearsons(count, n):
    expected = stats.binomtest(count, n, alternative="less").proportion_ci(0.95, "exact").high
    assert upper_bound(count, n, 0.95) == pytest.approx(expected, rel=1e-10)


def test_the_disagreement_of_two_classifiers_is_counted():
    a, b = Constant([[1.0, 0.0]] * 4), Constant([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    result = agreement_of_decisions(a, b, [torch.zeros(4, 1)])
    assert (result.n, result.disagreement) == (4, 0.25)
    assert result.bound == upper_bound(1, 4, 0.95)


def test_decisions_of_no_sample_are_refused():
    with pytest.raises(DomainError, match="expected at least one sample"):
        agreement_of_decisions(Constant([[1.0]]), Constant([[1.0]]), [])


@pytest.mark.parametrize("confidence", [0, 1, -1, math.nan])
def test_a_confidence_that_is_none_is_refused(confidence):
    one = Constant([[1.0, 0.0]])
    with pytest.raises(DomainError, match="expected a number in"):
        agreement_of_decisions(one, one, [torch.zeros(1, 1)], confidence)
