"""What an estimator of a layer's mutual information gives (2.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mini_exp.errors import ShapeError
from mini_exp.spectral import Floats


@dataclass(frozen=True)
class Information:
    """Bounds in nats for X uniform on the n samples: (...) each, equal where they are exact.

    Attributes
    ----------
    input_low, input_high : (...) float64
        Of I(T; X), within [0, ln n].
    label_low, label_high : (...) float64
        Of I(T; Y), within [0, H(Y)].
    """

    input_low: Floats
    input_high: Floats
    label_low: Floats
    label_high: Floats


def information_of_kernel(kernel: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """−(1/n) Σ_i ln (1/n) Σ_j k_ij, and the same with j among the samples of i's label.

    Parameters
    ----------
    kernel : (..., n, n) float64
        How alike two outputs are: in [0, 1], k_ii = 1. Where it is 1 for equal and 0 for other
        outputs this is their entropy H(T), and H(T | Y).
    labels : (..., n) float64

    Returns
    -------
    whole, given_label : (...) float64

    Examples
    --------
    >>> whole, given = information_of_kernel(np.eye(4), np.array([0.0, 0.0, 1.0, 1.0]))
    >>> bool(np.isclose(whole, np.log(4))), bool(np.isclose(given, np.log(2)))
    (True, True)
    """
    same = (labels[..., :, None] == labels[..., None, :]).astype(np.float64)
    share = kernel.mean(-1)
    among = (kernel * same).sum(-1) / same.sum(-1)
    return np.asarray(-np.log(share).mean(-1)), np.asarray(-np.log(among).mean(-1))


def refuse_other_shapes(outputs: Floats, labels: Floats) -> None:
    """Raise ShapeError unless there is a label for every sample."""
    if outputs.ndim < 2 or labels.ndim < 1 or outputs.shape[-2] != labels.shape[-1]:
        raise ShapeError(
            "information: expected outputs (..., n, m) and labels (..., n), "
            f"got {outputs.shape} and {labels.shape}"
        )
