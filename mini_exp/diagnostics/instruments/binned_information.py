"""Mutual information of a layer's output, cut in bins, with input and label (2.1.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.diagnostics.instruments.mutual_information import Information, refuse_other_shapes
from mini_exp.errors import DomainError
from mini_exp.spectral import Floats


def binned_information(outputs: Floats, labels: Floats, bins: int) -> Information:
    """I(T̂; X) = H(T̂) and I(T̂; Y) = H(T̂) − H(T̂ | Y), every unit cut in bins of equal width.

    The bins of a layer span its outputs from the smallest to the largest.

    Parameters
    ----------
    outputs : (..., n, m) float64
    labels : (..., n) float64
        0 or 1.
    bins : int
        At least 1.

    Returns
    -------
    Information
        Exact for the cut outputs: low and high are the same.

    Raises
    ------
    DomainError, ShapeError

    Notes
    -----
    O(n m + n ln n). Saturates at ln n where no two samples share all bins.

    References
    ----------
    Shwartz-Ziv and Tishby (2017), section 3.1 (30 bins).

    Examples
    --------
    >>> outputs = np.array([[0.0], [0.1], [0.9], [1.0]])
    >>> cut = binned_information(outputs, np.array([0.0, 0.0, 1.0, 1.0]), bins=2)
    >>> bool(np.isclose(cut.input_low, np.log(2))), bool(np.isclose(cut.label_low, np.log(2)))
    (True, True)
    """
    refuse_other_shapes(outputs, labels)
    if bins < 1:
        raise DomainError(f"information: expected bins ≥ 1, got {bins}")
    low = outputs.min(axis=(-2, -1), keepdims=True)
    width = np.maximum(np.ptp(outputs, axis=(-2, -1), keepdims=True), np.finfo(np.float64).tiny)
    cut = np.minimum(((outputs - low) / width * bins).astype(np.int64), bins - 1)
    flat_labels = np.broadcast_to(labels, cut.shape[:-1]).reshape(-1, cut.shape[-2])
    pairs = [
        _cut_information(one, own)
        for one, own in zip(cut.reshape(-1, *cut.shape[-2:]), flat_labels, strict=True)
    ]
    about_input, about_label = np.array(pairs).T.reshape(2, *outputs.shape[:-2])
    return Information(about_input, about_input, about_label, about_label)


def _cut_information(cut: npt.NDArray[np.int64], labels: Floats) -> tuple[float, float]:
    words = np.unique(cut, axis=0, return_inverse=True)[1].reshape(-1)
    given = [
        (labels == label).mean() * _entropy(words[labels == label]) for label in np.unique(labels)
    ]
    return _entropy(words), max(_entropy(words) - sum(given), 0.0)


def _entropy(words: npt.NDArray[np.int64]) -> float:
    share = np.unique(words, return_counts=True)[1] / len(words)
    return float(-(share * np.log(share)).sum())
