"""From replicates to tables: replicates.csv, sweeps.csv, scores.csv, table1.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mini_exp.report import thesis
from mini_exp.report.tables import STAGES
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.study.labels import network_labels
from mini_exp.study.sweeps import rho_grid
from mini_exp.study.variant_replicates import VariantReplicates, widths_are

SWEEP_ARRAYS = ("widths", "exact_widths", "not_converged", "at_start", "bound_factor")


def replicates_table(
    variants: Mapping[str, Settings], study: Study, arrays: Mapping[str, Floats]
) -> pd.DataFrame:
    """replicates.csv: one row per variant and replicate.

    Of the sweep over ρ: ``within_bound`` (share of layers and ρ with L^(A) within the bound of
    C10), ``not_converged`` and ``at_start`` (numbers of ρ), ``full_from`` (smallest ρ from which on
    all widths are full), ``table1_rho`` (first ρ that gives the widths of Table 1); the last two
    also with the prefix ``exact_``. Empty where there is none.
    """
    frames = []
    for variant, settings in variants.items():
        prefix, rho = f"{variant}.", rho_grid(settings, study)
        own = {
            name.removeprefix(prefix): values
            for name, values in arrays.items()
            if name.startswith(prefix)
        }
        n = len(own["diverged"])
        columns: dict[str, object] = {"variant": [variant] * n, "replicate": np.arange(n)}
        columns |= {name: values for name, values in own.items() if name not in SWEEP_ARRAYS}
        within = (own["bound_factor"] <= study.rules.bound_factor).mean(axis=(1, 2))
        columns["within_bound"] = np.where(own["diverged"] == 1, np.nan, within)
        columns["not_converged"] = own["not_converged"].sum(axis=1)
        columns["at_start"] = own["at_start"].sum(axis=1)
        for kind in ("", "exact_"):
            widths = own[f"{kind}widths"]
            full = widths_are(widths, settings.model.widths)
            to_the_end = np.logical_and.accumulate(full[:, ::-1], axis=1)[:, ::-1]
            columns[f"{kind}full_from"] = _first(to_the_end, rho)
            columns[f"{kind}table1_rho"] = _first(widths_are(widths, thesis.WIDTHS), rho)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _first(which: npt.NDArray[np.bool_], rho: Floats) -> Floats:
    return np.where(which.any(axis=1), rho[which.argmax(axis=1)], np.nan)


def sweeps_table(replicates: Sequence[VariantReplicates]) -> pd.DataFrame:
    """Median and 5–95 % band of m̂ over the replicates, per ρ and layer, as solved and exactly."""
    rows = []
    for own in replicates:
        for solver, name in (("own", "widths"), ("exact", "exact_widths")):
            quantiles = np.quantile(own.sweep(name), (0.05, 0.5, 0.95), axis=0)  # (3, K, L)
            rows += [
                (own.variant, solver, rho, layer, *quantiles[:, k, layer - 1])
                for k, rho in enumerate(own.rho)
                for layer in range(1, quantiles.shape[2] + 1)
            ]
    header = ["variant", "solver", "rho", "layer", "quantile_05", "median", "quantile_95"]
    return pd.DataFrame(rows, columns=header)


def table1_distribution(replicates: Sequence[VariantReplicates]) -> pd.DataFrame:
    """Where each of Table 1's six numbers falls among the replicates."""
    rows: list[dict[str, object]] = []
    for own in replicates:
        for measure, published in (("loss", thesis.LOSS), ("accuracy", thesis.ACCURACY)):
            for stage in STAGES:
                values = own.column(f"{stage}_test_{measure}")
                # Mid-rank: accuracies are tied.
                below = (values < published[stage]).mean() + (values == published[stage]).mean() / 2
                quantiles = {f"quantile_{q:02d}": np.quantile(values, q / 100) for q in (5, 50, 95)}
                rows.append(
                    {
                        "variant": own.variant,
                        "measure": f"test {measure}",
                        "stage": stage,
                        "thesis": published[stage],
                        "percentile": 100 * below,
                        "mean": values.mean(),
                        **quantiles,
                    }
                )
    return pd.DataFrame(rows)


def nearest_replicate(own: VariantReplicates) -> int:
    """The replicate nearest to all six numbers of Table 1, in standard deviations of each."""
    distance = np.zeros(len(own.rows))
    for measure, published in (("loss", thesis.LOSS), ("accuracy", thesis.ACCURACY)):
        for stage in STAGES:
            values = own.column(f"{stage}_test_{measure}")
            spread = values.std()
            distance += ((values - published[stage]) / (spread if spread > 0 else 1.0)) ** 2
    return int(own.rows["replicate"].iloc[int(distance.argmin())])


def scores_table(replicates: Sequence[VariantReplicates]) -> pd.DataFrame:
    """Mean population scores of every stage and control, and paired differences to the original."""
    labels = network_labels({own.variant: own.settings for own in replicates})
    rows = []
    for own in replicates:
        for network in labels:
            row: dict[str, object] = {"variant": own.variant, "what": network}
            for measure in ("loss", "accuracy"):
                column = f"{network}_population_{measure}"
                if column not in own.rows:  # a support vector machine has no loss
                    continue
                for label, interval in (
                    (measure, own.mean(own.column(column))),
                    (f"{measure}_minus_original", own.difference(network, "original", measure)),
                ):
                    row[label] = interval.estimate
                    row[f"{label}_low"], row[f"{label}_high"] = interval.low, interval.high
            rows.append(row)
    return pd.DataFrame(rows)
