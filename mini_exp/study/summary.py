"""From replicates to tables: replicates.csv, distributions, paired differences, claims.md."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from mini_exp.config import Config
from mini_exp.report import document, thesis
from mini_exp.report.tables import STAGES, markdown
from mini_exp.spectral import Floats
from mini_exp.study.claims import Claim, mean_interval

SWEEP_ARRAYS = ("widths", "exact_widths", "not_converged", "at_start")
SUMMARIZED = {
    "original": "original",
    "compressed": "compressed",
    "finetuned": "fine-tuned",
    "original_400": "original, twice the epochs",
    "random_slice": "random units, sliced",
    "random_slice_finetuned": "random units, sliced, fine-tuned",
    "random_reconstruct": "random units, reconstructed",
    "random_reconstruct_finetuned": "random units, reconstructed, fine-tuned",
    "scratch_200": "(8, 3, 3) from scratch",
    "scratch_400": "(8, 3, 3) from scratch, twice the epochs",
    "constant": "constant predictor",
    "logistic_x": "logistic regression on X",
    "logistic_mean": "logistic regression on X̄",
    "svm_x": "support vector machine on X",
    "svm_mean": "support vector machine on X̄",
}


def rho_grids(config: Config) -> dict[str, Floats]:
    """The values of ρ of every variant's sweep in the study."""
    return {
        variant: np.linspace(s.width.rho.start, s.width.rho.stop, config.study.rho_num)
        for variant, s in config.variants.items()
    }


def replicates_table(config: Config, arrays: Mapping[str, Floats]) -> pd.DataFrame:
    """replicates.csv: one row per variant and replicate.

    Of the sweep over ρ: ``not_converged`` and ``at_start`` (numbers of ρ), ``full_from`` (smallest
    ρ from which on all widths are full), ``table1_rho`` (first ρ that gives (8, 3, 3)); the last
    two also with the prefix ``exact_``. Empty where there is none.
    """
    frames = []
    for variant, rho in rho_grids(config).items():
        prefix = f"{variant}."
        own = {
            name.removeprefix(prefix): values
            for name, values in arrays.items()
            if name.startswith(prefix)
        }
        n = len(own["diverged"])
        columns: dict[str, object] = {"variant": [variant] * n, "replicate": np.arange(n)}
        columns |= {name: values for name, values in own.items() if name not in SWEEP_ARRAYS}
        columns["not_converged"] = own["not_converged"].sum(axis=1)
        columns["at_start"] = own["at_start"].sum(axis=1)
        for kind in ("", "exact_"):
            widths = own[f"{kind}widths"]
            full = np.equal(widths, config.variants[variant].model.widths).all(axis=2)
            to_the_end = np.logical_and.accumulate(np.asarray(full)[:, ::-1], axis=1)[:, ::-1]
            columns[f"{kind}full_from"] = _first(to_the_end, rho)
            at_table1 = (
                np.asarray(np.equal(widths, thesis.WIDTHS).all(axis=2))
                if widths.shape[2] == len(thesis.WIDTHS)
                else np.zeros(full.shape, dtype=bool)
            )
            columns[f"{kind}table1_rho"] = _first(at_table1, rho)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _first(which: np.ndarray, rho: Floats) -> Floats:
    return np.where(which.any(axis=1), rho[which.argmax(axis=1)], np.nan)


def sweeps_table(config: Config, arrays: Mapping[str, Floats]) -> pd.DataFrame:
    """Median and 5–95 % band of m̂ over the replicates, per ρ and layer, as solved and exactly."""
    rows = []
    for variant, rho in rho_grids(config).items():
        for solver, name in (("own", "widths"), ("exact", "exact_widths")):
            low, median, high = np.nanquantile(
                arrays[f"{variant}.{name}"], (0.05, 0.5, 0.95), axis=0
            )
            for k, value in enumerate(rho):
                rows += [
                    (
                        variant,
                        solver,
                        value,
                        layer + 1,
                        low[k, layer],
                        median[k, layer],
                        high[k, layer],
                    )
                    for layer in range(median.shape[1])
                ]
    header = ["variant", "solver", "rho", "layer", "quantile_05", "median", "quantile_95"]
    return pd.DataFrame(rows, columns=header)


def table1_distribution(config: Config, rows: pd.DataFrame) -> pd.DataFrame:
    """Where each of Table 1's six numbers falls among the replicates."""
    found = []
    for variant in config.variants:
        own = rows[(rows["variant"] == variant) & (rows["diverged"] == 0)]
        for measure, published in (("loss", thesis.LOSS), ("accuracy", thesis.ACCURACY)):
            for stage in STAGES:
                values = own[f"{stage}_test_{measure}"].to_numpy()
                # Mid-rank: accuracies are tied.
                below = (values < published[stage]).mean() + (values == published[stage]).mean() / 2
                found.append(
                    {
                        "variant": variant,
                        "measure": f"test {measure}",
                        "stage": stage,
                        "thesis": published[stage],
                        "percentile": 100 * below,
                        "mean": values.mean(),
                        **{f"quantile_{q:02d}": np.quantile(values, q / 100) for q in (5, 50, 95)},
                    }
                )
    return pd.DataFrame(found)


def nearest_replicate(rows: pd.DataFrame, variant: str) -> int:
    """The replicate nearest to all six numbers of Table 1, in standard deviations of each."""
    own = rows[(rows["variant"] == variant) & (rows["diverged"] == 0)]
    distance = np.zeros(len(own))
    for measure, published in (("loss", thesis.LOSS), ("accuracy", thesis.ACCURACY)):
        for stage in STAGES:
            values = own[f"{stage}_test_{measure}"].to_numpy()
            spread = values.std()
            distance += ((values - published[stage]) / (spread if spread > 0 else 1.0)) ** 2
    return int(own["replicate"].iloc[int(distance.argmin())])


def scores_table(config: Config, rows: pd.DataFrame) -> pd.DataFrame:
    """Mean population scores of every stage and control, and paired differences to the original."""
    found = []
    for variant, settings in config.variants.items():
        own = rows[(rows["variant"] == variant) & (rows["diverged"] == 0)]
        for name in SUMMARIZED:
            row: dict[str, object] = {"variant": variant, "what": name}
            for measure in ("loss", "accuracy"):
                column = f"{name}_population_{measure}"
                if column not in own:  # a support vector machine has no loss
                    continue
                values = own[column].to_numpy()
                difference = values - own[f"original_population_{measure}"].to_numpy()
                for label, sample in ((measure, values), (f"{measure}_minus_original", difference)):
                    interval = mean_interval(sample, config.study, settings.seed)
                    row |= {
                        label: interval.estimate,
                        f"{label}_low": interval.low,
                        f"{label}_high": interval.high,
                    }
            found.append(row)
    return pd.DataFrame(found)


def claims_markdown(
    config: Config,
    rows: pd.DataFrame,
    claims: Sequence[Claim],
    scores: pd.DataFrame,
    distribution: pd.DataFrame,
) -> str:
    """claims.md: verdicts first, then what they rest on."""
    counts = rows.groupby("variant")["diverged"].agg(["size", "sum"]).loc[list(config.variants)]
    n = int(counts["size"].iloc[0])
    numbers = list(dict.fromkeys(c.claim for c in claims))
    seeds = ", ".join(sorted({str(s.seed) for s in config.variants.values()}))
    verdicts = markdown(
        ["", "Claim", *config.variants, "all"],
        [
            [
                number,
                next(c.statement for c in claims if c.claim == number),
                *(_verdict(claims, number, variant) for variant in (*config.variants, "all")),
            ]
            for number in numbers
        ],
        2 + len(config.variants) + 1,
    )
    score_cells = [
        [
            row["variant"],
            SUMMARIZED[row["what"]],
            *(
                _interval(row, label)
                for label in ("loss", "accuracy", "loss_minus_original", "accuracy_minus_original")
            ),
        ]
        for row in scores.to_dict(orient="records")
    ]
    distribution_cells = [
        [
            row["variant"],
            row["measure"],
            STAGES[row["stage"]],
            f"{row['thesis']:.2f}",
            f"{row['percentile']:.1f}",
            f"{row['mean']:.2f}",
            *(f"{row[f'quantile_{q}']:.2f}" for q in ("05", "50", "95")),
        ]
        for row in distribution.to_dict(orient="records")
    ]
    nearest = ", ".join(
        f"{nearest_replicate(rows, variant)} ({variant})" for variant in config.variants
    )
    diverged = ", ".join(f"{variant} {int(counts['sum'][variant])}" for variant in config.variants)
    return document.template("study.md").render(
        n=n,
        seeds=seeds,
        confidence=f"{100 * config.study.confidence:g}",
        n_population=config.study.n_population,
        diverged=diverged,
        verdicts=verdicts,
        claims=[[c for c in claims if c.claim == number] for number in numbers],
        distribution=markdown(
            [
                "Variant",
                "Measure",
                "Stage",
                "Thesis",
                "Percentile",
                "Mean",
                "5 %",
                "Median",
                "95 %",
            ],
            distribution_cells,
            3,
        ),
        nearest=nearest,
        scores=markdown(
            ["Variant", "What", "Loss", "Accuracy", "Loss − original", "Accuracy − original"],
            score_cells,
            2,
        ),
    )


def _verdict(claims: Sequence[Claim], number: str, variant: str) -> str:
    return next((c.verdict for c in claims if (c.claim, c.variant) == (number, variant)), "")


def _interval(row: Mapping[Hashable, object], label: str) -> str:
    value, low, high = (
        float(str(row.get(key, "nan"))) for key in (label, f"{label}_low", f"{label}_high")
    )
    return "" if np.isnan(value) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
