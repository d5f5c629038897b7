"""From rows to tables: stages.csv, interventions.csv."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mini_exp.diagnostics.evidence import Evidence

STAGE_KEYS = ["variant", "instrument", "stage", "layer", "quantity", "at"]
TRIAL_KEYS = ["variant", "arm", "network", "first_width", "weight_decay"]


def stages_table(
    evidence: Sequence[Evidence], run: pd.DataFrame, replicates: pd.DataFrame
) -> pd.DataFrame:
    """stages.csv: every quantity of every stage, of the run and as a mean over the replicates.

    ``estimate``, ``lower``, ``upper`` and ``n`` are the run's; ``mean`` with ``low`` and ``high``
    the replicates', of which there are ``replicates``.
    """
    by_variant = {own.variant: own for own in evidence}
    means = [
        (*key, *_interval(by_variant[str(key[0])], part["estimate"]), len(part))
        for key, part in _parts(replicates, STAGE_KEYS)
    ]
    summed = pd.DataFrame(means, columns=[*STAGE_KEYS, "mean", "low", "high", "replicates"])
    of_run = run.drop(columns="replicate")
    summed = summed.astype({key: of_run[key].dtype for key in STAGE_KEYS})
    table = of_run.merge(summed, on=STAGE_KEYS, how="left")
    return table[[*STAGE_KEYS, "estimate", "lower", "upper", "n", *summed.columns[-4:]]]


def interventions_table(evidence: Sequence[Evidence], interventions: pd.DataFrame) -> pd.DataFrame:
    """interventions.csv: mean scores of every intervention's networks over the replicates.

    Per score ``mean``, ``low`` and ``high``; ``replicates`` counts those that did not diverge. An
    empty ``weight_decay`` is the strength that each replicate chose.
    """
    by_variant = {own.variant: own for own in evidence}
    rows = [
        (*key, measure, *_interval(by_variant[str(key[0])], part[measure]), part[measure].count())
        for key, part in _parts(interventions, TRIAL_KEYS)
        for measure in ("loss", "accuracy", "train_loss")
    ]
    return pd.DataFrame(rows, columns=[*TRIAL_KEYS, "measure", "mean", "low", "high", "replicates"])


def _parts(rows: pd.DataFrame, keys: list[str]) -> list[tuple[tuple[object, ...], pd.DataFrame]]:
    return [(tuple(key), part) for key, part in rows.groupby(keys, dropna=False, sort=False)]


def _interval(own: Evidence, values: pd.Series) -> tuple[float, float, float]:
    interval = own.mean(values.to_numpy(dtype=float))
    return interval.estimate, interval.low, interval.high
