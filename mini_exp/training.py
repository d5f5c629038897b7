"""Training and scoring R networks at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from mini_exp.errors import TrainingError
from mini_exp.networks import layer_outputs
from mini_exp.spectral import Floats
from mini_exp.types import Booleans, Dataset, History, Networks

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-7
LARGEST = 1e50  # of weights and outputs: squares of second moments overflow not far beyond
OnEpoch = Callable[[int, int, float], None]  # epochs done, of how many, training loss

SCORED_AT_ONCE = 16_384  # samples, of all networks together: what a processor's cache holds


def sample_orders(
    generators: Sequence[np.random.Generator], epochs: int, n: int
) -> npt.NDArray[np.int64]:
    """Every replicate's own random order of the n samples in every epoch: (R, epochs, n)."""
    unshuffled = np.tile(np.arange(n), (epochs, 1))
    return np.stack([rng.permuted(unshuffled, axis=1) for rng in generators])


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread.

    These matrices are too small to share: with more, one busy core holds up every product.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def training_epochs(
    networks: Networks,
    x: Floats,
    y: Floats,
    orders: npt.NDArray[np.int64],
    batch_size: int,
    learning_rate: float,
) -> Iterator[Networks]:
    """Minimise the mean binary cross-entropy with Adam; yield the networks after every epoch.

    The R networks are one batched computation over one vector of parameters: Adam is element-wise,
    so each network sees exactly the updates it would get alone.

    Parameters
    ----------
    networks : Networks
        Starting point, left as it is; its device and dtype are used.
    x : (R, n, d) float64
    y : (R, n) float64
        0 or 1.
    orders : (R, epochs, n) int64
        As ``sample_orders`` gives them; the last batch of an epoch may be smaller.
    batch_size : int
        At least 1.
    learning_rate : float
        Positive. Betas and epsilon are Keras's defaults, 0.9, 0.999 and 1e-7.

    Yields
    ------
    Networks
        Always the same tensors, overwritten by the next epoch.

    Notes
    -----
    Gradient and optimiser are written out: for networks this small PyTorch's own take more than
    twice as long, most of it overhead per call. The tests compare both.

    References
    ----------
    Sørby (2019), (1.3.2) and section 4.3; settings from the author's code. Adam: Kingma and Ba
    (2015), algorithm 1.
    """
    inputs, labels = _tensors(x, y, networks.weights[0])
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
            parameters.addcdiv_(mean, root, value=-learning_rate / (1 - beta1**step))
        yield current


@one_thread()
def trained_networks(
    networks: Networks,
    dataset: Dataset,
    orders: npt.NDArray[np.int64],
    batch_size: int,
    learning_rate: float,
    on_epoch: OnEpoch | None = None,
) -> tuple[Networks, History]:
    """Train on the training set and score both sets after every epoch.

    Parameters
    ----------
    networks, orders, batch_size, learning_rate
        As in ``training_epochs``.
    dataset : Dataset
    on_epoch : callable, optional
        Receives after every epoch how many are done, of how many, and the mean training loss of
        the networks.

    Returns
    -------
    networks : Networks
    history : History
        Not finite from the epoch on in which a network diverged.
    """
    epochs = training_epochs(
        networks, dataset.x_train, dataset.y_train, orders, batch_size, learning_rate
    )
    like = networks.weights[0]
    train = _tensors(dataset.x_train, dataset.y_train, like)
    test = _tensors(dataset.x_test, dataset.y_test, like)
    scores = []
    for current in epochs:
        networks = current
        scores.append((*_scores(networks, *train), *_scores(networks, *test)))
        if on_epoch is not None:
            on_epoch(len(scores), orders.shape[1], float(scores[-1][0].mean()))
    return networks, History(*(np.stack(column, axis=1) for column in zip(*scores, strict=True)))


def _packed(networks: Networks) -> tuple[Tensor, Networks]:
    """All parameters copied into one vector, and networks whose tensors are views of it."""
    tensors = (*networks.weights, *networks.biases)
    vector = torch.cat([tensor.reshape(-1) for tensor in tensors])
    parts = vector.split([tensor.numel() for tensor in tensors])
    views = [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
    n_layers = len(networks.weights)
    return vector, Networks(tuple(views[:n_layers]), tuple(views[n_layers:]))


def _write_gradient(networks: Networks, x: Tensor, y: Tensor, slots: Networks) -> None:
    """Back-propagation: the gradient of each network's mean loss, into ``slots``."""
    outputs = layer_outputs(networks, x)
    # Of the mean binary cross-entropy with respect to the logits.
    delta = (torch.sigmoid(outputs[-1]) - y[:, :, None]) / x.shape[1]
    for layer in reversed(range(len(outputs))):
        read = outputs[layer - 1] if layer else x
        torch.bmm(delta.transpose(1, 2), read, out=slots.weights[layer])
        if slots.biases:
            torch.sum(delta, dim=1, out=slots.biases[layer])
        if layer:
            delta = torch.bmm(delta, networks.weights[layer]).mul_(read > 0)


def checked(history: History) -> History:
    """The history itself, if every training loss is finite.

    Raises
    ------
    TrainingError
        Naming the first epoch after which a loss is not.
    """
    bad = ~np.isfinite(history.loss).all(axis=0)
    if bad.any():
        raise TrainingError(
            f"the loss became {history.loss[:, bad.argmax()].max()} in epoch {bad.argmax() + 1}; "
            "expected a finite one: lower the learning rate"
        )
    return history


def refuse_diverged(networks: Networks, x: Floats) -> None:
    """Raise TrainingError if ``diverged`` finds a network so, although its loss is finite."""
    if diverged(networks, x).any():
        raise TrainingError(f"weights or outputs grew beyond {LARGEST:g}; lower the learning rate")


def diverged(networks: Networks, x: Floats) -> Booleans:
    """Which networks have a weight, or an output on x, that is not finite or beyond ``LARGEST``.

    Parameters
    ----------
    networks : Networks
    x : (R, n, d) float64

    Returns
    -------
    (R,) bool
    """
    inputs = torch.from_numpy(x).to(networks.weights[0].device, networks.weights[0].dtype)
    with torch.no_grad():
        tensors = [*networks.weights, *networks.biases, *layer_outputs(networks, inputs)]
    sound = [(tensor.abs() <= LARGEST).flatten(1).all(1) for tensor in tensors]
    return np.asarray(~torch.stack(sound).all(0).cpu().numpy())


def scores(networks: Networks, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Mean binary cross-entropy and accuracy of every network.

    Parameters
    ----------
    networks : Networks
    x : (R, n, d) float64
        Or (1, n, d): one sample for all networks.
    y : (R, n) float64
        0 or 1.

    Returns
    -------
    loss : (R,) float64
        In nats. From the logits, without clipping the probability.
    accuracy : (R,) float64
        Predicts 1 where the probability exceeds ½.

    Examples
    --------
    >>> one = Networks((torch.ones(1, 1, 2, dtype=torch.float64),), ())
    >>> scores(one, np.array([[[1.0, 1.0], [0.0, 0.0]]]), np.array([[1.0, 1.0]]))
    (array([0.4100376]), array([0.5]))
    """
    return _scores(networks, *_tensors(x, y, networks.weights[0]))


@one_thread()
@torch.no_grad()
def _scores(networks: Networks, x: Tensor, y: Tensor) -> tuple[Floats, Floats]:
    loss, correct = np.zeros(len(networks.weights[0])), np.zeros(len(networks.weights[0]))
    at_once = max(SCORED_AT_ONCE // len(loss), 1)
    for part_x, part_y in zip(x.split(at_once, dim=1), y.split(at_once, dim=1), strict=True):
        logits = layer_outputs(networks, part_x)[-1][..., 0]
        target = part_y.expand_as(logits)
        losses = binary_cross_entropy_with_logits(logits, target, reduction="none")
        loss += losses.sum(1).double().cpu().numpy()
        correct += ((logits > 0) == (target > 0.5)).sum(1).cpu().numpy()
    return loss / x.shape[1], correct / x.shape[1]


def _tensors(x: Floats, y: Floats, like: Tensor) -> tuple[Tensor, Tensor]:
    return (
        torch.from_numpy(x).to(like.device, like.dtype),
        torch.from_numpy(y).to(like.device, like.dtype),
    )
