"""What is known of one variant: instruments on run and replicates, interventions, intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mini_exp.report.intervals import (
    Interval,
    bootstrap_interval,
    rank_correlation_interval,
    share_interval,
)
from mini_exp.settings.diagnose import Diagnose
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.study.networks import study_widths

UNDECAYED = 0.0
CHOSEN = float("nan")
"""In place of a strength of weight decay: the one that validation chose."""


class Evidence:
    """The rows of one variant, as columns over its replicates, and intervals over them.

    Parameters
    ----------
    variant : str
    settings : Settings
    diagnose : Diagnose
    run : DataFrame
        Rows of all variants' runs: ``rows.COLUMNS`` and ``instrument``.
    replicates : DataFrame
        The same of the replicates; empty where there are none.
    interventions : DataFrame
        ``trials.COLUMNS`` of all variants; empty where there are none.
    """

    def __init__(
        self,
        variant: str,
        settings: Settings,
        diagnose: Diagnose,
        run: pd.DataFrame,
        replicates: pd.DataFrame,
        interventions: pd.DataFrame,
    ) -> None:
        self.variant, self.settings, self.diagnose = variant, settings, diagnose
        self._run = run[run["variant"] == variant]
        self._replicates = replicates[replicates["variant"] == variant]
        trials = interventions[interventions["variant"] == variant]
        keys = (
            trials[["arm", "network", "first_width"]]
            .astype({"first_width": int})
            .assign(decay=trials["weight_decay"].map(_strength))
        )
        by_key = trials.sort_values("replicate").groupby([keys[name] for name in keys], sort=False)
        self._trials: dict[Any, pd.DataFrame] = dict(iter(by_key))

    @property
    def n_replicates(self) -> int:
        """How many replicates were seen; 0 where only the run was."""
        return int(self._replicates["replicate"].nunique())

    @property
    def has_trials(self) -> bool:
        """Whether there were interventions."""
        return bool(self._trials)

    @property
    def thesis_width(self) -> int:
        """What compression leaves of the first layer: 8 in the thesis."""
        return study_widths(self.settings)[0]

    @property
    def whole_width(self) -> int:
        """Of the first layer before compression."""
        widths: tuple[int, ...] = self.settings.model.widths
        return widths[0]

    def has(self, instrument: str) -> bool:
        """Whether an instrument was used."""
        return bool((self._run["instrument"] == instrument).any())

    def of_run(self, stage: str, quantity: str, layer: int = 0) -> pd.Series:
        """The run's row of a quantity."""
        rows = _of(self._run, stage, quantity, layer)
        return rows.iloc[0]

    def of_run_over(
        self, quantity: str, stage: str = "", column: str = "estimate", layer: int = 0
    ) -> pd.Series:
        """The run's values of a quantity over what it is a function of, ascending."""
        rows = self._run
        own = rows[
            (rows["stage"] == stage)
            & (rows["quantity"] == quantity)
            & (rows["layer"] == layer)
            & rows["at"].notna()
        ]
        return own.set_index("at")[column].sort_index()

    def over_picks(self, quantity: str) -> Floats:
        """A quantity of the original's first layer in the order of picking: (R, m)."""
        rows = self._rows
        own = rows[(rows["quantity"] == quantity) & rows["at"].notna()]
        return own.pivot(index="replicate", columns="at", values="estimate").to_numpy()

    def column(self, stage: str, quantity: str, layer: int = 0) -> Floats:
        """A quantity over the replicates, or of the run where there are none: (R,)."""
        own = _of(self._rows, stage, quantity, layer).set_index("replicate")["estimate"]
        return own.reindex(np.unique(self._rows["replicate"])).to_numpy(dtype=np.float64)

    def change(self, after: str, before: str, quantity: str, layer: int = 0) -> Interval:
        """Mean of a quantity at one stage minus that at another, replicate by replicate."""
        return self.mean(self.column(after, quantity, layer) - self.column(before, quantity, layer))

    def trial(
        self,
        network: str,
        measure: str = "accuracy",
        *,
        arm: str = "as it is",
        width: int | None = None,
        decay: float = UNDECAYED,
    ) -> Floats:
        """Scores of an intervention's network over the replicates: (R,).

        ``width`` is that of the whole network where it is not given; ``decay`` a strength of weight
        decay, or ``CHOSEN``.
        """
        own = self._trials[arm, network, width or self.whole_width, _strength(decay)]
        return own[measure].to_numpy(dtype=np.float64)

    def mean(self, values: Floats) -> Interval:
        """Mean over the replicates with its bootstrap interval; without bounds for one."""
        diagnose = self.diagnose
        return bootstrap_interval(values, diagnose.confidence, diagnose.resamples, diagnose.seed)

    def share(self, which: npt.ArrayLike) -> Interval:
        """Share of the replicates with Wilson's interval."""
        return share_interval(np.asarray(which, dtype=bool), self.diagnose.confidence)

    def correlation(self, a: Floats, b: Floats) -> Interval:
        """Spearman's correlation over the replicates."""
        return rank_correlation_interval(a, b, self.diagnose.confidence)

    @property
    def _rows(self) -> pd.DataFrame:
        return self._replicates if self.n_replicates else self._run


def _of(rows: pd.DataFrame, stage: str, quantity: str, layer: int) -> pd.DataFrame:
    return rows[
        (rows["stage"] == stage)
        & (rows["quantity"] == quantity)
        & (rows["layer"] == layer)
        & rows["at"].isna()
    ]


def _strength(decay: float) -> str:
    """A strength as a key: NaN is not equal to itself."""
    return f"{decay:g}"
