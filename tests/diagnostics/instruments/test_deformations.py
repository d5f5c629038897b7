"""Shifts and deformations, and networks whose symmetry is known."""

import numpy as np
import pytest
import torch
from scipy.ndimage import shift as scipy_shift
from torch import nn

from mini_exp.diagnostics.instruments.deformations import (
    deformed,
    equivariance_error,
    relative_change,
    shifted,
)
from mini_exp.errors import DomainError, ShapeError

IMAGES = torch.randn(5, 2, 8, 7, generator=torch.Generator().manual_seed(0))
INSIDE = nn.functional.pad(IMAGES, (3, 3, 3, 3))  # zeros around: no border is touched


@pytest.mark.parametrize(("down", "right"), [(0, 1), (2, 0), (-1, -2), (3, -1)])
def test_a_shift_is_scipy_s(down, right):
    expected = scipy_shift(IMAGES.numpy(), (0, 0, down, right), order=0, cval=0.0)
    np.testing.assert_array_equal(shifted(IMAGES, down, right).numpy(), expected)


def test_a_convolution_commutes_with_shifts_away_from_borders():
    convolution = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    assert equivariance_error(convolution, INSIDE, 1, -1) < 1e-6  # float32


def test_a_full_connection_does_not_commute_with_shifts():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(2 * 56, 56), nn.Unflatten(1, (1, 8, 7)))
    assert equivariance_error(linear, IMAGES, 1, 0) > 0.5


def test_the_mean_over_positions_is_invariant():
    pooled = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1))
    assert relative_change(pooled, INSIDE, shifted(INSIDE, 1, 1)) < 1e-5  # float32


def test_a_constant_added_to_a_representation_is_no_stability():
    moved = shifted(IMAGES, 1, 0)
    plain = relative_change(lambda x: x, IMAGES, moved)
    assert relative_change(lambda x: x + 1000.0, IMAGES, moved) == pytest.approx(plain, rel=1e-3)


def test_a_deformation_of_a_ramp_moves_it_by_the_field():
    """On an image that is linear in the pixel, the change is the field itself."""
    ramp = torch.arange(40.0, dtype=torch.float64).expand(40, 40)[None, None].contiguous()
    both = torch.stack([ramp[0], ramp[0].mT])  # the field right, and down
    size = 1.5
    squares = []
    for seed in range(200):
        moved = deformed(both, size, torch.Generator().manual_seed(seed))
        squares.append((moved - both)[..., 5:-5, 5:-5].square().mean((1, 2, 3)))
    root = torch.stack(squares).mean(0).sum().sqrt()  # of both directions together
    assert float(root) == pytest.approx(size, rel=0.15)  # less at the middle than at corners


def test_a_larger_field_changes_more():
    changes = [
        relative_change(
            lambda x: x, INSIDE, deformed(INSIDE, size, torch.Generator().manual_seed(1))
        )
        for size in (0.0, 0.1, 0.5, 2.0)
    ]
    assert changes[0] < 1e-5
    assert (np.diff(changes) > 0).all()


def test_an_image_is_not_shifted_out_of_itself():
    with pytest.raises(DomainError, match="less than 8 × 7, got 8, 0"):
        shifted(IMAGES, 8, 0)


def test_images_have_four_axes():
    with pytest.raises(ShapeError, match=r"\(n, c, h, w\)"):
        shifted(IMAGES[0], 1, 0)


def test_a_deformation_has_a_size():
    with pytest.raises(DomainError, match="a size ≥ 0 pixels, got -1"):
        deformed(IMAGES, -1, torch.Generator())
