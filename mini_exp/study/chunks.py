"""Finished chunks of replicates on disk, so that what is interrupted goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mini_exp.experiment.code import code_hashes
from mini_exp.experiment.ledger import Ledger
from mini_exp.files import npz_arrays, npz_bytes
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""By name; chunks are joined along axis 0."""


class Chunks:
    """Chunks of replicates start … stop − 1.

    Parameters
    ----------
    folder : Path
    made_for : mapping
        Settings and code that they depend on; what was made for others does not count.
    """

    def __init__(self, folder: Path, made_for: Mapping[str, Any]) -> None:
        self._ledger = Ledger(folder, made_for)

    def has(self, start: int, stop: int) -> bool:
        """Whether a chunk is there as it was added."""
        return self._ledger.has(_name(start, stop))

    def add(self, start: int, stop: int, arrays: Arrays) -> None:
        """Write a finished chunk."""
        self._ledger.add(_name(start, stop), npz_bytes(arrays))

    def arrays(self, ranges: Sequence[tuple[int, int]]) -> dict[str, npt.NDArray[Any]]:
        """These chunks, one after the other.

        Raises
        ------
        ArtifactError
            If one has been damaged.
        """
        parts = [npz_arrays(self._ledger.content(_name(*wanted))) for wanted in ranges]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def study_chunks(variants: Mapping[str, Settings], study: Study, folder: Path) -> Chunks:
    """The study's, for these settings and the present code.

    What only sums up (confidence, resamples, rules) leaves them as they are.
    """
    made_for = {
        "settings": {name: s.model_dump(mode="json") for name, s in variants.items()},
        "n_population": study.n_population,
        "rho_num": study.rho_num,
        "code": code_hashes("mini_exp.study.replicates"),
    }
    return Chunks(folder, made_for)


def _name(start: int, stop: int) -> str:
    return f"{start:06d}-{stop:06d}.npz"
