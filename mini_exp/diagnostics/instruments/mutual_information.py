"""What an estimator of a layer's mutual information gives (2.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

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


def refuse_other_shapes(outputs: Floats, labels: Floats) -> None:
    """Raise ShapeError unless there is a label for every sample."""
    if outputs.ndim < 2 or labels.ndim < 1 or outputs.shape[-2] != labels.shape[-1]:
        raise ShapeError(
            "information: expected outputs (..., n, m) and labels (..., n), "
            f"got {outputs.shape} and {labels.shape}"
        )
