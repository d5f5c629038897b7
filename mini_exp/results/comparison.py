"""The tables of ``mini-exp compare``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mini_exp.results.result_files import ResultFiles

if TYPE_CHECKING:
    import pandas as pd

COMPARISON = (
    "networks.csv",
    "summary.csv",
    "differences.csv",
    "budgets.csv",
    "certificates.csv",
)


@dataclass(frozen=True)
class Comparison:
    """The tables of ``mini-exp compare``.

    Columns ``rule``, ``share`` and ``exact`` say which widths; ``method``, ``theta`` and
    ``weights`` how the network was pruned to them.
    """

    _files: ResultFiles

    @cached_property
    def networks(self) -> pd.DataFrame:
        """``networks.csv``: a row per network, widths, method and stage."""
        return self._files.frame("networks.csv")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """``summary.csv``: means over the networks, with half-widths of their intervals."""
        return self._files.frame("summary.csv")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """``differences.csv``: the method against each other one, network by network."""
        return self._files.frame("differences.csv")

    @cached_property
    def budgets(self) -> pd.DataFrame:
        """``budgets.csv``: the best widths against uniform ones within the same budget."""
        return self._files.frame("budgets.csv")

    @cached_property
    def certificates(self) -> pd.DataFrame:
        """``certificates.csv``: what can have been lost, known without labels, and what was."""
        return self._files.frame("certificates.csv")
