"""How well a network does: by the labels, and by what the original gives."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from mini_exp.errors import NetworkError
from mini_exp.pruning.calibration import eval_mode

SCORED_AT_ONCE = 500


def mean_loss(outputs: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy (nats) where y are classes, mean squared error where they are real values."""
    if y.is_floating_point():
        return functional.mse_loss(outputs, y.reshape(outputs.shape))
    return functional.cross_entropy(outputs, y)


@torch.no_grad()
def network_outputs(network: nn.Module, x: Tensor) -> Tensor:
    """(n, …) float64, in eval mode.

    Raises
    ------
    NetworkError
        If the network cannot be run on such samples, or gives no tensor.
    """
    with eval_mode(network):
        parts = [_run(network, part) for part in x.split(SCORED_AT_ONCE)]
    return torch.cat(parts).double()


def _run(network: nn.Module, x: Tensor) -> Tensor:
    try:
        outputs = network(x)
    except Exception as error:  # whatever somebody else's network raises
        text = " ".join(str(error).split())[:300]
        raise NetworkError(
            f"the network cannot be run on samples of shape {tuple(x.shape[1:])}: "
            f"{type(error).__name__}: {text}"
        ) from error
    if not isinstance(outputs, Tensor):
        raise NetworkError(
            f"the network: expected a tensor as its output, got {type(outputs).__name__}; let "
            "model.factory return a module that gives the one to be scored"
        )
    if outputs.ndim < 1 or len(outputs) != len(x):
        raise NetworkError(
            f"the network: expected an output per sample, got shape {tuple(outputs.shape)} for "
            f"{len(x)} samples"
        )
    return outputs


def check_outputs(network: nn.Module, x: Tensor, y: Tensor, n_classes: int) -> None:
    """Refuse a network whose outputs do not go with the labels.

    Parameters
    ----------
    network : nn.Module
    x, y : tensors
        Some samples; y has shape (n, 0) where there are no labels.
    n_classes : int
        One more than the largest class; 0 where labels are real values or missing.

    Raises
    ------
    NetworkError
    """
    outputs = network_outputs(network, x)
    shape = tuple(outputs.shape[1:])
    if y.shape[1:] == (0,):
        return
    if y.is_floating_point():
        if math.prod(shape) != math.prod(y.shape[1:]):
            raise NetworkError(
                f"the network: expected outputs of shape {tuple(y.shape[1:]) or (1,)}, as the real "
                f"values in y, got {shape}"
            )
    elif shape[1:] != tuple(y.shape[1:]) or not shape or shape[0] < n_classes:
        raise NetworkError(
            f"the network: expected logits of {n_classes} classes, got outputs of shape {shape}"
        )


def loss_and_accuracy(outputs: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy; NaN stands for what the labels do not give."""
    if y.shape[1:] == (0,):
        return math.nan, math.nan
    loss = float(mean_loss(outputs, y.double() if y.is_floating_point() else y))
    if y.is_floating_point():
        return loss, math.nan
    return loss, float((outputs.argmax(dim=1) == y).double().mean())


def fidelity_of(reference: Tensor, outputs: Tensor, classes: bool) -> tuple[float, float]:
    """How far outputs (n, …) are from the original's, and how often the largest one is the same.

    Of classes the mean of KL(p ‖ p̂) in nats over the samples, p = softmax over axis 1, and the
    share that agrees; of real values the mean squared error, and NaN.

    Examples
    --------
    >>> logits = torch.tensor([[0.0, 0.0]])
    >>> fidelity_of(logits, torch.tensor([[math.log(3.0), 0.0]]), classes=True)  # ln 2 − ln(3) / 2
    (0.1438..., 1.0)
    """
    if not classes:
        return float(functional.mse_loss(outputs, reference)), math.nan
    log_p, log_q = (x.double().log_softmax(dim=1) for x in (reference, outputs))
    divergence = functional.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
    agree = reference.argmax(dim=1) == outputs.argmax(dim=1)
    return max(float(divergence.mean()), 0.0), float(agree.double().mean())
