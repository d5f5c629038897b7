"""Information of a layer: integrals, scikit-learn and counting as oracles, and what misleads."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import mutual_info_score

from mini_exp.diagnostics.instruments.binned_information import binned_information
from mini_exp.diagnostics.instruments.noisy_information import (
    noisy_information,
    relative_scale,
)
from mini_exp.errors import DomainError, ShapeError


def integrated(centres, scale, labels):
    """I(T + sZ; X) and I(T + sZ; Y) of one unit, by integrating the mixture's density."""

    def entropy(of):
        def integrand(t):
            p = norm.pdf(t, of, scale).mean()
            return -p * np.log(p) if p > 0 else 0.0

        points = sorted(of)
        low, high = points[0] - 9 * scale, points[-1] + 9 * scale
        return quad(integrand, low, high, points=points, limit=400)[0]

    whole = entropy(centres)
    own = np.log(scale) + 0.5 * np.log(2 * np.pi * np.e)
    given = sum((labels == y).mean() * entropy(centres[labels == y]) for y in np.unique(labels))
    return whole - own, whole - given


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 4.0])
def test_the_bounds_of_noisy_information_enclose_the_integral(scale):
    rng = np.random.default_rng(3)
    centres, labels = rng.normal(size=7), np.array([0.0, 1, 1, 0, 1, 0, 1])
    about_input, about_label = integrated(centres, scale, labels)
    bounds = noisy_information(centres[:, None], labels, scale)
    slack = 1e-7  # of the quadrature
    assert bounds.input_low - slack <= about_input <= bounds.input_high + slack
    assert bounds.label_low - slack <= about_label <= bounds.label_high + slack


def test_equal_outputs_carry_nothing():
    bounds = noisy_information(np.ones((5, 3)), np.array([0.0, 1, 0, 1, 1]), 0.1)
    np.testing.assert_allclose([bounds.input_low, bounds.input_high], 0, atol=1e-12)
    np.testing.assert_allclose([bounds.label_low, bounds.label_high], 0, atol=1e-12)


@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-9])
def test_what_all_outputs_share_carries_nothing(size):
    """However small what tells them apart is beside it; 2⁻⁵² / 1e-9 of which is rounded away."""
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(20, 5)), rng.integers(0, 2, 20).astype(float)
    alone, beside = (
        noisy_information(own, labels, relative_scale(own, 1.0))
        for own in (outputs, 3.0 + size * outputs)
    )
    for name in ("input_low", "input_high", "label_low", "label_high"):
        assert getattr(beside, name) == pytest.approx(getattr(alone, name), abs=1e-5)


def test_one_output_carries_nothing():
    outputs, labels = np.random.default_rng(0).normal(size=(100, 1, 7)), np.ones((100, 1))
    seen = noisy_information(outputs, labels, relative_scale(outputs, 0.1))
    assert not np.any([seen.input_low, seen.input_high, seen.label_low, seen.label_high])


def test_binned_information_with_the_label_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(200, 1)), rng.integers(0, 2, 200).astype(float)
    cut = np.digitize(outputs[:, 0], np.linspace(outputs.min(), outputs.max(), 8)[1:-1])
    ours = binned_information(outputs, labels, bins=7)
    assert float(ours.label_low) == pytest.approx(mutual_info_score(labels, cut), abs=1e-12)
    assert float(ours.input_low) == pytest.approx(mutual_info_score(cut, cut), abs=1e-12)


def test_information_about_the_input_saturates_at_ln_n_in_a_wide_layer():
    """It then counts samples: 100 draws in 16 dimensions are told apart whatever they mean."""
    rng = np.random.default_rng(1)
    outputs, labels = rng.normal(size=(100, 16)), rng.integers(0, 2, 100).astype(float)
    noisy = noisy_information(outputs, labels, 0.1)
    cut = binned_information(outputs, labels, bins=30)
    # ln n is reached up to rounding.
    np.testing.assert_allclose([noisy.input_low, cut.input_low], np.log(100), rtol=1e-12)
    assert float(cut.label_low) == pytest.approx(np.log(2), rel=0.05)  # of labels that are noise


def test_noise_per_layer_breaks_the_data_processing_inequality():
    """The second layer is a function of the first, yet has more of the absolute estimate."""
    first = np.linspace(0, 1, 50)[:, None]
    labels = np.repeat([0.0, 1.0], 25)
    second = 100 * first
    before, after = (noisy_information(outputs, labels, 0.5) for outputs in (first, second))
    assert float(after.input_low) > float(before.input_high) + 2  # nats


def test_relative_noise_does_not_see_a_layer_s_scale():
    outputs, labels = np.random.default_rng(2).normal(size=(30, 4)), np.repeat([0.0, 1.0], 15)
    one, other = (
        noisy_information(k * outputs, labels, relative_scale(k * outputs, 0.3))
        for k in (1.0, 1000.0)
    )
    np.testing.assert_allclose(one.input_high, other.input_high, rtol=1e-10)


def test_a_constant_layer_has_no_information_by_relative_noise():
    outputs, labels = np.full((6, 2), 3.0), np.repeat([0.0, 1.0], 3)
    bounds = noisy_information(outputs, labels, relative_scale(outputs, 0.1))
    assert float(bounds.input_high) == pytest.approx(0, abs=1e-12)


def test_a_stack_is_its_networks_one_by_one():
    rng = np.random.default_rng(5)
    outputs, labels = rng.normal(size=(2, 3, 20, 4)), rng.integers(0, 2, (2, 3, 20)).astype(float)
    scale = relative_scale(outputs, 0.5)
    stacked = noisy_information(outputs, labels, scale), binned_information(outputs, labels, 5)
    for r in np.ndindex(2, 3):
        noisy = noisy_information(outputs[r], labels[r], scale[r])
        cut = binned_information(outputs[r], labels[r], 5)
        assert float(noisy.input_low) == pytest.approx(float(stacked[0].input_low[r]), abs=1e-12)
        assert float(noisy.label_high) == pytest.approx(float(stacked[0].label_high[r]), abs=1e-12)
        assert float(cut.label_low) == float(stacked[1].label_low[r])


def test_one_label_carries_no_information():
    outputs = np.random.default_rng(0).normal(size=(9, 2))
    assert float(noisy_information(outputs, np.ones(9), 0.1).label_high) == 0
    assert float(binned_information(outputs, np.ones(9), 4).label_high) == 0


def test_noise_must_be_positive():
    with pytest.raises(DomainError, match="a noise scale > 0, got 0"):
        noisy_information(np.ones((3, 1)), np.ones(3), 0.0)


def test_bins_must_be_positive():
    with pytest.raises(DomainError, match="bins ≥ 1, got 0"):
        binned_information(np.ones((3, 1)), np.ones(3), 0)


def test_labels_belong_to_the_samples():
    with pytest.raises(ShapeError, match=r"outputs \(..., n, m\) and labels \(..., n\)"):
        noisy_information(np.ones((3, 1)), np.ones(4), 1.0)
