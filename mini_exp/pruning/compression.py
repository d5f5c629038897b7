"""The smaller network: readers work on the estimate of all channels from the kept ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from mini_exp.errors import DomainError
from mini_exp.pruning import surgery
from mini_exp.pruning.calibration import Batches, reestimate_batch_norm
from mini_exp.pruning.graph import Reader
from mini_exp.pruning.moments import TensorMoments, reader_moments
from mini_exp.pruning.selection import GroupSelection, Selection
from mini_exp.pruning.widths import is_number
from mini_exp.spectral import Integers
from mini_exp.spectral.reconstruction import reconstruction_matrix


@dataclass(frozen=True)
class Compression:
    """How the smaller network's weights are made.

    Attributes
    ----------
    weights : {"reconstruct", "slice"}
        Fold A_J into the readers (4.1.1), or only drop columns.
    ridge : float
        w of A_J in units of tr(Σ) / m.
    intercept : bool
        Estimate with a constant as well, which goes into the readers' biases.
    refit : bool
        Solve for every weight of a reader over its patches instead of for channels.
    sequential : bool
        Estimate the original's channels from those that the network already pruned has.
    """

    weights: Literal["reconstruct", "slice"] = "reconstruct"
    ridge: float = 1e-6
    intercept: bool = False
    refit: bool = False
    sequential: bool = False

    def __post_init__(self) -> None:
        if self.weights not in ("reconstruct", "slice"):
            raise DomainError(f"weights: expected 'reconstruct' or 'slice', got {self.weights!r}")
        options = {name: getattr(self, name) for name in ("intercept", "refit", "sequential")}
        for name, value in options.items():
            if not isinstance(value, bool):
                raise DomainError(f"{name}: expected True or False, got {value!r}")
        if self.weights == "slice" and any(options.values()):
            used = " and ".join(name for name, value in options.items() if value)
            raise DomainError(f"{used}: expected weights 'reconstruct', got 'slice'")
        if not (is_number(self.ridge) and np.isfinite(self.ridge) and self.ridge >= 0):
            raise DomainError(f"ridge: expected a finite number ≥ 0, got {self.ridge!r}")


def compressed_network(
    network: nn.Module,
    selection: Selection,
    moments: Mapping[str, TensorMoments],
    batches: Batches,
    compression: Compression,
) -> nn.Module:
    """A copy of the network with only the selected channels.

    Parameters
    ----------
    network : nn.Module
        Not changed.
    selection : Selection
    moments : mapping
        As ``reader_moments`` returns it, by channel.
    batches : iterable
        Calibration batches, gone through again for batch norms, and for ``refit`` and
        ``sequential``.
    compression : Compression

    Returns
    -------
    nn.Module
        In the mode of the given one; batch norms have statistics of the batches.

    References
    ----------
    Sørby (2019), (4.1.1) and (4.1.2), per channel.
    """
    smaller = copy.deepcopy(network)
    reduced = [kept for kept in selection.groups if kept.width < kept.group.width]
    for kept in reduced:
        readers = kept.group.readers
        if compression.weights == "slice":
            for reader in readers:
                surgery.slice_reader(smaller, reader, kept.index_set)
        else:
            if compression.sequential:
                moments = reader_moments(smaller, readers, batches, compression.refit, network)
            elif compression.refit:
                moments = reader_moments(network, readers, batches, by_weight=True)
            for reader in readers:
                _reconstruct(smaller, kept, reader, moments, compression)
        surgery.shrink(smaller, kept, selection.rescale_dropout)
    if reduced:
        reestimate_batch_norm(smaller, batches)
    return smaller


def _reconstruct(
    network: nn.Module,
    kept: GroupSelection,
    reader: Reader,
    moments: Mapping[str, TensorMoments],
    compression: Compression,
) -> None:
    """Fold A_J into a reader, which reads the kept channels from here on."""
    own = moments[reader.module if compression.refit else reader.tensor]
    second, cross = own.centred() if compression.intercept else (own.second_moment(), own.cross)
    units = _units(kept.index_set, own.mean.shape[-1] // kept.group.width)
    matrix = reconstruction_matrix(second, units, compression.ridge, cross)
    if compression.intercept:
        kept_mean = np.take_along_axis(own.mean, units, axis=-1)
        offset = own.target_mean - (matrix @ kept_mean[..., None])[..., 0]
        surgery.shift(network, reader, offset, compression.refit)
    surgery.fold(network, reader, matrix, compression.refit)


def _units(index_set: Integers, per_channel: int) -> Integers:
    """All units of the kept channels, channel-major: (..., k · per_channel).

    Examples
    --------
    >>> _units(np.array([0, 2]), 3)
    array([0, 1, 2, 6, 7, 8])
    """
    units = index_set[..., None] * per_channel + np.arange(per_channel)
    return units.reshape(*index_set.shape[:-1], -1)
