"""Mutual information of a layer's output, with noise added, with input and label (2.1.3).

A deterministic network on continuous inputs has I(T; X) = ∞. Every finite number belongs to noise
or bins that the estimator adds; therefore there are three, and none is reported alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from mini_exp.diagnostics.instruments.mutual_information import (
    Information,
    information_of_kernel,
    refuse_other_shapes,
)
from mini_exp.errors import DomainError
from mini_exp.spectral import Floats

SMALLEST_SCALE = 1e-75  # whose square is still a normal float64


def noisy_information(outputs: Floats, labels: Floats, scale: npt.ArrayLike) -> Information:
    """Bounds of I(T + sZ; X) and I(T + sZ; Y), Z ~ N(0, I), X uniform on the samples.

    T + sZ is a mixture of n Gaussians. With D_ij = ‖t_i − t_j‖² / s² its information about the
    component lies between −(1/n) Σ_i ln (1/n) Σ_j exp(−D_ij / 8) and the same with D_ij / 2.

    Parameters
    ----------
    outputs : (..., n, m) float64
    labels : (..., n) float64
        0 or 1.
    scale : (...) float64
        s > 0, in the units of the outputs. One number for all layers is the *absolute* scale;
        ``relative_scale`` gives each layer its own.

    Returns
    -------
    Information

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    O(n² m) time, O(n²) memory per leading index. Saturates at ln n where all outputs lie some 5 s
    apart: then it counts samples. Noise that each layer gets on its own breaks the data-processing
    inequality: a later layer that stretches its input has *more* of this information.

    References
    ----------
    Sørby (2019), (2.1.3). Kolchinsky and Tracey (2017), Entropy 19, 361, (10) and (12).

    Examples
    --------
    >>> far = noisy_information(np.array([[0.0], [99.0]]), np.array([0.0, 1.0]), 1.0)
    >>> bool(np.isclose(far.input_low, np.log(2))), bool(np.isclose(far.label_low, np.log(2)))
    (True, True)
    """
    refuse_other_shapes(outputs, labels)
    s = np.asarray(scale, dtype=np.float64)
    if not (np.isfinite(s) & (s > 0)).all():
        raise DomainError(f"information: expected a noise scale > 0, got {s.min()}")
    moved = outputs - outputs[..., :1, :]  # or what all share would cancel what tells them apart
    squared = np.square(moved).sum(-1)
    distance = squared[..., :, None] + squared[..., None, :] - 2 * moved @ moved.mT
    distance = np.maximum(distance, 0.0) / np.square(s)[..., None, None]
    wide = np.exp(-distance / 8)
    narrow = np.square(np.square(wide))  # exp(−D / 2); ``** 4`` takes five times as long
    low, high = information_of_kernel(wide, labels), information_of_kernel(narrow, labels)
    entropy = _binary_entropy(labels.mean(-1))
    return Information(
        input_low=low[0],
        input_high=high[0],
        label_low=np.clip(low[0] - high[1], 0.0, entropy),
        label_high=np.clip(high[0] - low[1], 0.0, entropy),
    )


def relative_scale(outputs: Floats, share: float) -> Floats:
    """s = share · √(mean variance of a unit): noise that grows and shrinks with the layer.

    Parameters
    ----------
    outputs : (..., n, m) float64
    share : float
        Positive.

    Returns
    -------
    (...) float64
        ``SMALLEST_SCALE`` where every unit is constant.

    Examples
    --------
    >>> float(relative_scale(np.array([[-2.0], [2.0]]), 0.1))
    0.2
    """
    spread = share * np.sqrt(outputs.var(axis=-2).mean(-1))
    return np.asarray(np.maximum(spread, SMALLEST_SCALE))


def _binary_entropy(p: Floats) -> Floats:
    return np.asarray(entr(p) + entr(1 - p))
