"""What passes from step to step. Axis 0 of every array is the replicate, R in the shapes below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp.spectral import Floats, Integers

if TYPE_CHECKING:
    from torch import Tensor

    from mini_exp.pruning.statistics import Moments

Booleans: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Dataset:
    """Inputs and 0/1 labels of a training and a test set."""

    x_train: Floats  # (R, n_train, d)
    y_train: Floats  # (R, n_train)
    x_test: Floats  # (R, n_test, d)
    y_test: Floats  # (R, n_test)


@dataclass(frozen=True)
class Networks:
    """R fully connected networks of one architecture; ReLU between layers, logits out."""

    weights: tuple[Tensor, ...]  # layer i: (R, width_out, width_in)
    biases: tuple[Tensor, ...]  # layer i: (R, width_out); empty when there are none

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of input, hidden layers and output."""
        return (self.weights[0].shape[2], *(weight.shape[1] for weight in self.weights))

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of one network."""
        return sum(tensor[0].numel() for tensor in (*self.weights, *self.biases))


@dataclass(frozen=True)
class History:
    """Loss (mean binary cross-entropy, nats) and accuracy after every epoch, each (R, epochs)."""

    loss: Floats
    accuracy: Floats
    test_loss: Floats
    test_accuracy: Floats


@dataclass(frozen=True)
class SecondMoments:
    """Second moment of every hidden layer's output and its spectrum."""

    sigma: tuple[Floats, ...]  # layer: (R, m, m)
    eigenvalues: tuple[Floats, ...]  # layer: (R, m), descending
    eigenvectors: tuple[Floats, ...]  # layer: (R, m, m), in columns
    n_samples: int


@dataclass(frozen=True)
class WidthPath:
    """Solution of the width problem for every ρ; L hidden layers, K values of ρ."""

    rho: Floats  # (K,)
    lambda_: Floats  # (R, K, L)
    degrees_of_freedom: Floats  # (R, K, L)
    width: Integers  # (R, K, L)
    objective: Floats  # (R, K)
    converged: Booleans  # (R, K)


@dataclass(frozen=True)
class LayerSelection:
    """The greedy path of one hidden layer of m units, to its end, and what its index sets cost.

    The losses belong to the index set after pick 1 … m. ``exhaustive`` holds, under the same
    names, the best value that any index set of that size reaches; it is empty when the layer is
    too wide to enumerate.
    """

    index_path: Integers  # (R, m)
    information_ratio: Floats  # (R, m)
    output_scale: Floats  # (R,): the factor that brings WᵀW to trace m
    losses: dict[str, Floats]  # name: (R, m)
    exhaustive: dict[str, Floats]  # name: (R, m)


@dataclass(frozen=True)
class Selection:
    """Which units stay: the first ``widths[l]`` of each layer's path."""

    widths: tuple[int, ...]
    layers: tuple[LayerSelection, ...]

    def index_set(self, layer: int) -> Integers:
        """The kept units of hidden layer ``layer`` (0-based), ascending: (R, width)."""
        kept = self.layers[layer].index_path[:, : self.widths[layer]].copy()
        kept.sort(axis=1)
        return kept


@dataclass(frozen=True)
class Evaluation:
    """Scores of one network on one sample."""

    stage: str  # original, compressed, finetuned
    split: str  # train, test, population
    loss: float
    accuracy: float
    parameters: int
    n: int


@dataclass(frozen=True)
class StepRecord:
    """How a step was run: what it reads of the config, what it writes, and per variant when."""

    name: str
    settings: tuple[str, ...]  # dotted keys, or whole sections
    outputs: tuple[str, ...]
    seconds: dict[str, float]
    finished: dict[str, str]  # in UTC


@dataclass(frozen=True)
class Images:
    """Images and their classes. Axis 0 is the image: there is no replicate axis."""

    pixels: npt.NDArray[np.uint8]  # (n, channels, height, width)
    labels: Integers  # (n,)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageSplits:
    """Three disjoint sets of images: every choice is made on the second, the third scores it."""

    train: Images
    validation: Images
    test: Images


@dataclass(frozen=True)
class NetworkState:
    """Parameters and buffers of one PyTorch network, by name."""

    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class ImageHistory:
    """Scores of one network after every epoch: mean cross-entropy (nats), accuracy."""

    loss: Floats  # (epochs,), of the training batches, as they came
    validation_loss: Floats  # (epochs,)
    validation_accuracy: Floats  # (epochs,)


@dataclass(frozen=True)
class ImageMoments:
    """What the calibration images say of every group of channels."""

    moments: dict[str, Moments]  # by tensor, see pruning.statistics
    eigenvalues: dict[str, Floats]  # by group: (m,), descending, of its channels
    flattened: dict[str, Floats]  # by group: (n,), descending, of all its units
    n_units: dict[str, int]  # by group: channels times positions
    n_images: int
