"""Shifts and smooth deformations of images, and how far a network's answers move (004)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

from mini_exp.errors import DomainError, ShapeError

Represent: TypeAlias = Callable[[Tensor], Tensor]
COARSE = 3  # points per side between which a deformation is smooth


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """T_v X(u) = X(u − v), zeros where the image comes from outside.

    Parameters
    ----------
    images : (n, c, h, w) tensor
    down, right : int
        v in pixels, smaller than the image.

    Raises
    ------
    DomainError, ShapeError

    References
    ----------
    Text 004, (3).

    Examples
    --------
    >>> shifted(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 1, 0).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0]
    """
    _refuse_others(images)
    height, width = images.shape[-2:]
    if abs(down) >= height or abs(right) >= width:
        raise DomainError(f"shift: expected less than {height} × {width}, got {down}, {right}")
    around = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
    top, left = max(-down, 0), max(-right, 0)
    return pad(images, around)[..., top : top + height, left : left + width]


def deformed(images: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """L_τ X(u) = X(u − τ(u)) with a smooth random field τ, one for each image.

    τ is normal on a grid of ``COARSE`` × ``COARSE`` points, bicubic in between, scaled to a root
    mean square of ``size``.

    Parameters
    ----------
    images : (n, c, h, w) tensor
    size : float
        In pixels, at least 0.
    generator : torch.Generator

    Returns
    -------
    (n, c, h, w) tensor
        Bilinear between pixels, zeros from outside.

    Raises
    ------
    DomainError, ShapeError

    References
    ----------
    Text 004, (4).

    Examples
    --------
    >>> image = torch.arange(9.0).view(1, 1, 3, 3)
    >>> bool(torch.allclose(deformed(image, 0.0, torch.Generator().manual_seed(0)), image))
    True
    """
    _refuse_others(images)
    if not size >= 0:
        raise DomainError(f"deformation: expected a size ≥ 0 pixels, got {size}")
    n, _, height, width = images.shape
    coarse = torch.randn(n, 2, COARSE, COARSE, generator=generator, dtype=images.dtype)
    field = interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    rms = field.square().sum(1).mean((-2, -1)).sqrt()
    field = field * (size / rms)[:, None, None, None]
    down, right = torch.meshgrid(
        torch.arange(height, dtype=images.dtype),
        torch.arange(width, dtype=images.dtype),
        indexing="ij",
    )
    # grid_sample takes (right, down) from −1 at the first pixel to 1 at the last.
    across = 2 * (right - field[:, 1]) / (width - 1) - 1
    along = 2 * (down - field[:, 0]) / (height - 1) - 1
    return grid_sample(images, torch.stack([across, along], dim=-1), align_corners=True)


@torch.no_grad()
def relative_change(represent: Represent, images: Tensor, moved: Tensor) -> float:
    """Mean over images of ‖f(X') − f(X)‖ / ‖f(X) − mean f‖: 0 is invariance.

    Against the spread of f over the images, since against ‖f‖ a constant added to f would count
    as stability.

    Parameters
    ----------
    represent : callable
        From (n, c, h, w) to (n, …).
    images, moved : (n, c, h, w) tensor

    Returns
    -------
    float

    References
    ----------
    Text 004, invariance.

    Examples
    --------
    >>> x = torch.tensor([[[[1.0]]], [[[3.0]]]])
    >>> relative_change(lambda images: images, x, x + 1)
    1.0
    """
    before, after = represent(images).flatten(1), represent(moved).flatten(1)
    spread = (before - before.mean(dim=0)).norm(dim=1)
    return float(((after - before).norm(dim=1).mean() / spread.mean()).item())


@torch.no_grad()
def equivariance_error(represent: Represent, images: Tensor, down: int, right: int) -> float:
    """‖f(T_v X) − T_v f(X)‖ / ‖T_v f(X)‖ of maps of the images' size: 0 is equivariance.

    Parameters
    ----------
    represent : callable
        From (n, c, h, w) to (n, c', h, w).
    images : (n, c, h, w) tensor
    down, right : int

    Returns
    -------
    float
        Borders count: a convolution is equivariant up to them.

    References
    ----------
    Text 004, equivariance.

    Examples
    --------
    >>> equivariance_error(lambda images: 2 * images, torch.ones(1, 1, 3, 3), 1, 0)
    0.0
    """
    expected = shifted(represent(images), down, right)
    error = represent(shifted(images, down, right)) - expected
    return float((error.norm() / expected.norm()).item())


def _refuse_others(images: Tensor) -> None:
    if images.ndim != 4:
        raise ShapeError(f"images: expected (n, c, h, w), got {tuple(images.shape)}")
