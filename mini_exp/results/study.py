"""The tables of ``mini-exp study``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mini_exp.results.result_files import ResultFiles

if TYPE_CHECKING:
    import pandas as pd

STUDY = ("claims.csv", "scores.csv", "sweeps.csv", "table1.csv", "replicates.csv")


@dataclass(frozen=True)
class Study:
    """The tables of ``mini-exp study``."""

    _files: ResultFiles

    @cached_property
    def claims(self) -> pd.DataFrame:
        """``claims.csv``: a verdict per claim of the thesis and variant, with its evidence."""
        return self._files.frame("claims.csv")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """``scores.csv``: mean loss and accuracy on the population, with intervals."""
        return self._files.frame("scores.csv")

    @cached_property
    def sweeps(self) -> pd.DataFrame:
        """``sweeps.csv``: quantiles of the widths over ρ."""
        return self._files.frame("sweeps.csv")

    @cached_property
    def table1(self) -> pd.DataFrame:
        """``table1.csv``: where the thesis's Table 1 lies among the replicates."""
        return self._files.frame("table1.csv")

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """``replicates.csv``: a row per variant and replicate."""
        return self._files.frame("replicates.csv")
