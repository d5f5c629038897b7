"""Alignment of networks of which it is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mini_exp.diagnostics.instruments.alignment import (
    cosine,
    measure,
    random_cosine,
    squared_correlation,
)
from tests.diagnostics.examples import network, random_network, stages_of, values

SIGNED = ("gradient cosine", "lime")
FROM = ("integrated gradients from zero", "integrated gradients from the mean")


def the_rule(sign=1.0):
    """Two networks that compute ± X̄: one unit for its positive part, one for its negative."""
    first = np.stack([np.ones(30), -np.ones(30)]) / 30
    return network(np.tile(first, (2, 1, 1)), np.tile([[[sign, -sign]]], (2, 1, 1)))


@pytest.mark.parametrize(("sign", "labels"), [(1.0, "thesis"), (-1.0, "swapped")])
def test_the_rule_itself_is_aligned(sign, labels):
    rows = measure(stages_of(the_rule(sign), labels=labels))
    for quantity in (*SIGNED, *FROM, "r2", "weight cosine"):
        # The neighbourhoods of LIME may cross the kink at X̄ = 0, where the slope stays the same.
        assert_allclose(values(rows, "finetuned", quantity), 1.0, rtol=1e-2, err_msg=quantity)


def test_a_network_that_contradicts_the_labels_is_aligned_the_other_way():
    rows = measure(stages_of(the_rule(-1.0)))
    for quantity in (*SIGNED, *FROM):
        assert_allclose(values(rows, "original", quantity), -1.0, rtol=1e-2, err_msg=quantity)
    assert_allclose(values(rows, "original", "r2"), 1.0, rtol=1e-9)


def test_picks_come_in_their_order():
    rng = np.random.default_rng(0)
    stack = random_network(rng, (30, 4, 1))
    path = np.array([[2, 0, 3, 1], [1, 3, 0, 2]])
    rows = measure(stages_of(stack, path))
    own = rows[rows["quantity"] == "weight cosine of pick"]
    weights = stack.stacked_layers[0].weight.detach().numpy()
    for r, order in enumerate(path):
        expected = [
            abs(weights[r, unit].sum()) / np.linalg.norm(weights[r, unit]) / np.sqrt(30)
            for unit in order
        ]
        of_replicate = own[own["replicate"] == r].sort_values("at")
        assert of_replicate["at"].tolist() == [1, 2, 3, 4]
        assert_allclose(of_replicate["estimate"], expected, rtol=1e-12)


def test_a_zero_vector_has_no_direction():
    assert np.isnan(cosine(np.zeros((2, 3)), np.ones(3))).all()


@pytest.mark.parametrize("d", [1, 3, 30])
def test_the_cosine_of_a_random_direction(d):
    draws = np.random.default_rng(0).standard_normal((100_000, d))
    sizes = np.abs(cosine(draws, np.eye(d)[0]))
    error = sizes.std() / np.sqrt(len(sizes))
    assert abs(sizes.mean() - random_cosine(d)) <= 4 * error + 1e-12


def test_r2_is_numpy_s():
    a, b = np.random.default_rng(0).standard_normal((2, 50))
    assert_allclose(squared_correlation(a, b), np.corrcoef(a, b)[0, 1] ** 2, rtol=1e-12)
