"""The smaller network: readers work on the estimate of all channels from the kept ones."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import nn

from mini_exp.errors import DomainError
from mini_exp.pruning import surgery
from mini_exp.pruning.batch_norm import renew_batch_norm
from mini_exp.pruning.calibration import Batches, small_example
from mini_exp.pruning.folding import fold, shift
from mini_exp.pruning.graph import Reader, Slot
from mini_exp.pruning.moments import TensorMoments, reader_moments
from mini_exp.pruning.narrow_norms import restrict_norms
from mini_exp.pruning.norm_fits import moments_behind_norms, norm_fits, rescale_norms
from mini_exp.pruning.selection import Selection
from mini_exp.pruning.trace import independent_copy
from mini_exp.pruning.verification import agreement
from mini_exp.pruning.widths import is_number
from mini_exp.spectral import Integers
from mini_exp.spectral.reconstruction import reconstruction_matrix
from mini_exp.spectral.ridge import cross_validated_ridge


@dataclass(frozen=True)
class Compression:
    """How the smaller network's weights are made.

    Attributes
    ----------
    weights : {"reconstruct", "slice"}
        Fold A_J into the readers (4.1.1), or only drop columns.
    ridge : float or "auto"
        w of A_J in units of tr(Σ) / m; "auto" is each layer's own, by cross-validation.
    intercept : bool
        Estimate with a constant as well, which goes into the readers' biases.
    refit : bool
        Solve for every weight of a reader over its patches instead of for channels.
    sequential : bool
        Estimate the original's channels from those that the network already pruned has.
    """

    weights: Literal["reconstruct", "slice"] = "reconstruct"
    ridge: float | Literal["auto"] = 1e-6
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
        ridge = 0.0 if self.ridge == "auto" else self.ridge
        if not (is_number(ridge) and np.isfinite(ridge) and ridge >= 0):
            raise DomainError(f"ridge: expected a finite number ≥ 0 or 'auto', got {self.ridge!r}")


def compressed_network(
    network: nn.Module,
    selection: Selection,
    moments: Mapping[str, TensorMoments],
    batches: Batches,
    compression: Compression,
) -> tuple[nn.Module, float]:
    """A copy of the network with only the selected channels, checked against one with zeros.

    Parameters
    ----------
    network : nn.Module
        Not changed.
    selection : Selection
    moments : mapping
        As ``reader_moments`` returns it, by channel.
    batches : iterable or function
        Calibration batches, gone through again for batch norms, for norms over fewer channels, and
        for ``refit`` and ``sequential``.
    compression : Compression

    Returns
    -------
    network : nn.Module
        In the mode of the given one; batch norms behind what became smaller have statistics of
        the batches, unless the outputs of the held-out tenth were nearer with the old ones.
    agreement : float
        As ``verification.agreement`` gives it.

    Raises
    ------
    NetworkError
        If the smaller network does not do what the same network with zeros does.

    References
    ----------
    Sørby (2019), (4.1.1) and (4.1.2), per channel.
    """
    masked = masked_network(network, selection, moments, batches, compression)
    smaller = surgery.smaller_network(masked, selection)
    error = agreement(smaller, masked, small_example(network, batches))
    renew_batch_norm(smaller, masked, network, batches)
    return smaller, error


def with_norm_fits(network: nn.Module, selection: Selection, batches: Batches) -> Selection:
    """The selection with the factors of the norms that are over fewer channels."""
    kept = surgery.kept_of_norms(selection)
    return replace(selection, norms=norm_fits(network, kept, batches))


def masked_network(
    network: nn.Module,
    selection: Selection,
    moments: Mapping[str, TensorMoments],
    batches: Batches,
    compression: Compression,
) -> nn.Module:
    """A copy of the network of the same size, with the smaller one's outputs.

    Its readers have new weights, and zeros for the channels that are not selected.
    """
    masked = independent_copy(network)
    kept = surgery.kept_of_norms(selection)
    rescale_norms(masked, selection.norms)
    restrict_norms(masked, kept)
    if compression.weights == "reconstruct":
        refit, sequential = compression.refit, compression.sequential
        normalised = _normalised_readers(selection)
        behind: Mapping[str, TensorMoments] = {}
        if normalised and not sequential:
            behind = moments_behind_norms(network, masked, kept, normalised, batches, refit)
        for readers in _readers_in_turn(selection, normalised if sequential else ()):
            if sequential:
                moments = reader_moments(masked, readers, batches, refit, network)
            elif refit:
                moments = reader_moments(network, readers, batches, by_weight=True)
            for reader in (reader for reader in readers if reader.folds):
                _reconstruct(masked, selection, reader, moments, behind, compression)
    surgery.mask(masked, selection)
    return masked


def _normalised_readers(selection: Selection) -> list[Reader]:
    """Readers of what norms are over fewer channels of."""
    reduced = [own.group for own in selection.groups if own.width < own.group.width]
    return list(
        dict.fromkeys(reader for group in reduced if group.norms for reader in group.readers)
    )


def _readers_in_turn(selection: Selection, apart: Container[Reader]) -> list[list[Reader]]:
    """Readers of what is reduced, each with the last of the groups that it reads.

    Some are apart but for those that read the same tensor.
    """
    last: dict[Reader, int] = {}
    for i, kept in enumerate(selection.groups):
        if kept.width < kept.group.width:
            last |= dict.fromkeys(kept.group.readers, i)
    turns: dict[tuple[int, str], list[Reader]] = {}
    for reader, i in sorted(last.items(), key=lambda item: item[1]):
        turns.setdefault((i, reader.tensor if reader in apart else ""), []).append(reader)
    return list(turns.values())


def _reconstruct(
    network: nn.Module,
    selection: Selection,
    reader: Reader,
    moments: Mapping[str, TensorMoments],
    behind: Mapping[str, TensorMoments],
    compression: Compression,
) -> None:
    """Fold A_J into a reader, which gets zeros for all channels but the kept ones."""
    key = reader.weight if compression.refit else reader.tensor
    own = moments.get(key)
    if own is None:  # not run on these batches
        return
    channels = _kept_channels(selection, reader)
    units = _units(channels, own.mean.shape[-1] * max(reader.groups, 1) // reader.channels)
    if key in behind and _has_nothing_else(behind[key], units):
        own = behind[key]
    second, cross, square = own.estimated(compression.intercept)
    ridge = compression.ridge
    if ridge == "auto":
        n_free = int(compression.intercept)
        ridge = cross_validated_ridge(second, units, own.n_rows, cross, square, n_free)
    matrix = reconstruction_matrix(second, units, ridge, cross)
    if compression.intercept:
        kept_mean = np.take_along_axis(own.mean, units, axis=-1)
        offset = own.target_mean - (matrix @ kept_mean[..., None])[..., 0]
        shift(network, reader, offset, compression.refit)
    fold(network, reader, matrix, units, compression.refit)


def _has_nothing_else(moments: TensorMoments, units: Integers) -> bool:
    """Whether all but some units are zero, as behind a norm over fewer channels."""
    squares = np.diagonal(moments.second_sum, axis1=-2, axis2=-1)
    kept = np.take_along_axis(squares, units, axis=-1)
    return bool(np.count_nonzero(squares) == np.count_nonzero(kept))


def _kept_channels(selection: Selection, reader: Reader) -> Integers:
    """Channels of a reader that stay, of all groups that it reads and of none: (..., k)."""
    slots = [
        surgery.KeptSlot(
            Slot(reader.weight, reader.input_axis, reader.channels, reading.places),
            kept.index_set,
            kept.group.name,
        )
        for kept in selection.groups
        for reading in kept.group.readings
        if reading.reader == reader
    ]
    stays = surgery.stays(slots)
    if reader.groups > 1:
        stays = stays.reshape(reader.groups, -1)
    return np.nonzero(stays)[-1].reshape(*stays.shape[:-1], -1)


def _units(index_set: Integers, per_channel: int) -> Integers:
    """All units of the kept channels, channel-major: (..., k · per_channel).

    Examples
    --------
    >>> _units(np.array([0, 2]), 3)
    array([0, 1, 2, 6, 7, 8])
    """
    units = index_set[..., None] * per_channel + np.arange(per_channel)
    return units.reshape(*index_set.shape[:-1], -1)
