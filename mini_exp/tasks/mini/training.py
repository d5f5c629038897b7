"""Training and scoring a stack of R MiniModels at once, with gradient and Adam written out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from mini_exp.errors import TrainingError
from mini_exp.spectral import Floats
from mini_exp.tasks.mini.network import MiniModel
from mini_exp.tasks.mini.stacked_linear import StackedLinear
from mini_exp.tasks.task import History, OnEpoch, Samples
from mini_exp.tasks.threads import one_thread

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-7
LARGEST = 1e50  # of weights and outputs: squares of second moments overflow not far beyond

SCORED_AT_ONCE = 16_384  # samples, of all networks together: what a processor's cache holds


def sample_orders(
    generators: Sequence[np.random.Generator], epochs: int, n: int
) -> npt.NDArray[np.int64]:
    """Every replicate's own random order of the n samples in every epoch: (R, epochs, n)."""
    unshuffled = np.tile(np.arange(n), (epochs, 1))
    return np.stack([rng.permuted(unshuffled, axis=1) for rng in generators])


@torch.no_grad()
def training_epochs(
    networks: MiniModel,
    x: Floats,
    y: Floats,
    orders: npt.NDArray[np.int64],
    batch_size: int,
    learning_rate: float,
    weight_decay: float = 0.0,
) -> Iterator[MiniModel]:
    """Minimise the mean binary cross-entropy with Adam; yield the networks after every epoch.

    The R networks are one batched computation over one vector of parameters: Adam is element-wise,
    so each network sees exactly the updates it would get alone.

    Parameters
    ----------
    networks : MiniModel
        A stack, the starting point; left as it is. Its device and dtype are used.
    x : (R, n, d) float64
    y : (R, n) float64
        0 or 1.
    orders : (R, epochs, n) int64
        As ``sample_orders`` gives them; the last batch of an epoch may be smaller.
    batch_size : int
        At least 1.
    learning_rate : float
        Positive. Betas and epsilon are Keras's defaults, 0.9, 0.999 and 1e-7.
    weight_decay : float
        At least 0. Decoupled from the gradient: every step first takes ``learning_rate`` times this
        share of every parameter away.

    Yields
    ------
    MiniModel
        Always the same tensors, overwritten by the next epoch.

    Notes
    -----
    Gradient and optimiser are written out: for networks this small PyTorch's own take more than
    twice as long, most of it overhead per call. The tests compare both.

    References
    ----------
    Sørby (2019), (1.3.2) and section 4.3; settings from the author's code. Adam: Kingma and Ba
    (2015), algorithm 1. Weight decay: Loshchilov and Hutter (2019), algorithm 2.
    """
    inputs, labels = _tensors(x, y, networks)
    n_replicates, n, dimension = inputs.shape
    rows, row_labels = inputs.reshape(-1, dimension), labels.reshape(-1)
    offsets = n * torch.arange(n_replicates, device=rows.device)[:, None]
    parameters, current = _packed(networks)
    gradient, slots = _packed(networks)
    mean, square = torch.zeros_like(parameters), torch.zeros_like(parameters)
    beta1, beta2 = ADAM_BETAS
    step = 0
    for epoch in range(orders.shape[1]):
        order = torch.from_numpy(orders[:, epoch]).to(rows.device) + offsets
        for batch in order.split(batch_size, dim=1):
            step += 1
            chosen = batch.reshape(-1)
            batch_x = rows.index_select(0, chosen).view(*batch.shape, dimension)
            batch_y = row_labels.index_select(0, chosen).view(batch.shape)
            _write_gradient(current, batch_x, batch_y, slots)
            mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            root = (square / (1 - beta2**step)).sqrt_().add_(ADAM_EPSILON)
            if weight_decay:
                parameters.mul_(1 - learning_rate * weight_decay)
            parameters.addcdiv_(mean, root, value=-learning_rate / (1 - beta1**step))
        yield current


@one_thread()
def trained_stack(
    networks: MiniModel,
    samples: Samples,
    orders: npt.NDArray[np.int64],
    batch_size: int,
    learning_rate: float,
    on_epoch: OnEpoch | None = None,
) -> tuple[MiniModel, History]:
    """Train on the training set and score both sets after every epoch.

    Parameters
    ----------
    networks, orders, batch_size, learning_rate
        As in ``training_epochs``.
    samples : dict
        ``train`` and ``test``, each (R, n, d) and (R, n).
    on_epoch : callable, optional
        Receives after every epoch how many are done, of how many, and the mean training loss of
        the networks.

    Returns
    -------
    networks : MiniModel
    history : dict of (R, epochs) float64
        ``loss``, ``accuracy``, ``test_loss``, ``test_accuracy``; not finite from the epoch on in
        which a network diverged.
    """
    epochs = training_epochs(networks, *samples["train"], orders, batch_size, learning_rate)
    train, test = (_tensors(*samples[split], networks) for split in ("train", "test"))
    recorded = []
    for current in epochs:
        networks = current
        recorded.append((*_scores(networks, *train), *_scores(networks, *test)))
        if on_epoch is not None:
            on_epoch(len(recorded), orders.shape[1], float(recorded[-1][0].mean()))
    columns = [np.stack(column, axis=-1) for column in zip(*recorded, strict=True)]
    names = ("loss", "accuracy", "test_loss", "test_accuracy")
    return networks, dict(zip(names, columns, strict=True))


def _packed(networks: MiniModel) -> tuple[Tensor, MiniModel]:
    """All parameters copied into one vector, and a model whose parameters are views of it."""
    weights = [layer.weight.detach() for layer in networks.stacked_layers]
    biases = [layer.bias for layer in networks.stacked_layers]  # an intercept gives them to some
    tensors = [*weights, *(bias.detach() for bias in biases if bias is not None)]
    vector = torch.cat([tensor.reshape(-1) for tensor in tensors])
    parts = vector.split([tensor.numel() for tensor in tensors])
    views = [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
    weight_views, bias_views = views[: len(weights)], iter(views[len(weights) :])
    layers = [
        StackedLinear(weight, None if bias is None else next(bias_views))
        for weight, bias in zip(weight_views, biases, strict=True)
    ]
    return vector, MiniModel(layers).requires_grad_(False)


def _write_gradient(networks: MiniModel, x: Tensor, y: Tensor, slots: MiniModel) -> None:
    """Back-propagation: the gradient of each network's mean loss, into ``slots``."""
    layers = networks.stacked_layers
    read = [x]  # by each layer
    for layer in layers[:-1]:
        read.append(torch.relu(layer(read[-1])))
    logits = layers[-1](read[-1])
    # Of the mean binary cross-entropy with respect to the logits.
    delta = (torch.sigmoid(logits) - y[:, :, None]) / x.shape[1]
    for i, slot in reversed(list(enumerate(slots.stacked_layers))):
        torch.bmm(delta.transpose(1, 2), read[i], out=slot.weight)
        if slot.bias is not None:
            torch.sum(delta, dim=1, out=slot.bias)
        if i:
            delta = torch.bmm(delta, layers[i].weight).mul_(read[i] > 0)


def checked(history: History) -> History:
    """The history itself, if every training loss is finite.

    Raises
    ------
    TrainingError
        Naming the first epoch after which a loss is not.
    """
    losses = history["loss"].reshape(-1, history["loss"].shape[-1])
    bad = ~np.isfinite(losses).all(axis=0)
    if bad.any():
        raise TrainingError(
            f"the loss became {losses[:, bad.argmax()].max()} in epoch {bad.argmax() + 1}; "
            "expected a finite one: lower the learning rate"
        )
    return history


def refuse_diverged(networks: MiniModel, x: Floats) -> None:
    """Raise TrainingError if ``diverged`` says so of a network, although its loss is finite."""
    if diverged(networks, x).any():
        raise TrainingError(f"weights or outputs grew beyond {LARGEST:g}; lower the learning rate")


@torch.no_grad()
def diverged(networks: MiniModel, x: Floats) -> npt.NDArray[np.bool_]:
    """Which networks have a weight, or an output on x, that is not finite or beyond ``LARGEST``.

    Parameters
    ----------
    networks : MiniModel
    x : (..., n, d) float64

    Returns
    -------
    (...) bool
    """
    parameters = list(networks.parameters())
    inputs = torch.from_numpy(x).to(parameters[0].device, parameters[0].dtype)
    tensors = [parameter.flatten(parameters[0].ndim - 2) for parameter in parameters]
    for layer in networks.stacked_layers:
        outputs = layer(inputs)
        tensors.append(outputs.flatten(-2))
        inputs = torch.relu(outputs)
    sound = [(tensor.abs() <= LARGEST).all(-1) for tensor in tensors]
    return np.asarray(~torch.stack(sound).all(0).cpu().numpy())


def scores(networks: MiniModel, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Mean binary cross-entropy and accuracy of every network.

    Parameters
    ----------
    networks : MiniModel
    x : (..., n, d) float64
        Or (1, n, d): one sample for all networks.
    y : (..., n) float64
        0 or 1.

    Returns
    -------
    loss : (...) float64
        In nats. From the logits, without clipping the probability.
    accuracy : (...) float64
        Predicts 1 where the probability exceeds ½.

    Examples
    --------
    >>> one = MiniModel([StackedLinear(torch.ones(1, 2, dtype=torch.float64))])
    >>> loss, accuracy = scores(one, np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([1.0, 1.0]))
    >>> round(float(loss), 7), float(accuracy)
    (0.4100376, 0.5)
    """
    return _scores(networks, *_tensors(x, y, networks))


@one_thread()
@torch.no_grad()
def _scores(networks: MiniModel, x: Tensor, y: Tensor) -> tuple[Floats, Floats]:
    leading = networks.stacked_layers[0].weight.shape[:-2]
    loss, correct = np.zeros(leading), np.zeros(leading)
    at_once = max(SCORED_AT_ONCE // max(math.prod(leading), 1), 1)
    for part_x, part_y in zip(x.split(at_once, dim=-2), y.split(at_once, dim=-1), strict=True):
        logits = networks(part_x)[..., 0]
        target = part_y.expand_as(logits)
        losses = binary_cross_entropy_with_logits(logits, target, reduction="none")
        loss += losses.sum(-1).double().cpu().numpy()
        correct += ((logits > 0) == (target > 0.5)).sum(-1).cpu().numpy()
    return loss / x.shape[-2], correct / x.shape[-2]


def _tensors(x: Floats, y: Floats, networks: MiniModel) -> tuple[Tensor, Tensor]:
    like = networks.stacked_layers[0].weight
    return (
        torch.from_numpy(x).to(like.device, like.dtype),
        torch.from_numpy(y).to(like.device, like.dtype),
    )
