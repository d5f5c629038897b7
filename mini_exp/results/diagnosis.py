"""The tables of ``mini-exp diagnose``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mini_exp.results.result_files import ResultFiles

if TYPE_CHECKING:
    import pandas as pd

DIAGNOSIS = ("stages.csv", "interventions.csv", "statements.csv", "replicates.csv")


@dataclass(frozen=True)
class Diagnosis:
    """The tables of ``mini-exp diagnose``."""

    _files: ResultFiles

    @cached_property
    def stages(self) -> pd.DataFrame:
        """``stages.csv``: every quantity of every stage, of the run and over the replicates."""
        return self._files.frame("stages.csv")

    @cached_property
    def interventions(self) -> pd.DataFrame:
        """``interventions.csv``: mean scores with one thing changed, beside controls."""
        return self._files.frame("interventions.csv")

    @cached_property
    def statements(self) -> pd.DataFrame:
        """``statements.csv``: a verdict per statement and variant, with its evidence."""
        return self._files.frame("statements.csv")

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """``replicates.csv``: a row per replicate, stage and quantity."""
        return self._files.frame("replicates.csv")
