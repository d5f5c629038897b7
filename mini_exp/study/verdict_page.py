"""claims.md: the study in words, verdicts first, then what they rest on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from mini_exp.report import document
from mini_exp.report.tables import STAGES, markdown
from mini_exp.study.claims.claim import Claim
from mini_exp.study.labels import network_labels
from mini_exp.study.summary import nearest_replicate
from mini_exp.study.variant_replicates import VariantReplicates

SCORES = ("loss", "accuracy", "loss_minus_original", "accuracy_minus_original")
SCORES_HEADER = ["Variant", "What", "Loss", "Accuracy", "Loss − original", "Accuracy − original"]
QUANTILES = {"quantile_05": "5 %", "quantile_50": "Median", "quantile_95": "95 %"}
DISTRIBUTION_HEADER = [
    "Variant",
    "Measure",
    "Stage",
    "Thesis",
    "Percentile",
    "Mean",
    *QUANTILES.values(),
]


def claims_markdown(
    replicates: Sequence[VariantReplicates],
    claims: Sequence[Claim],
    scores: pd.DataFrame,
    distribution: pd.DataFrame,
) -> str:
    """The text of claims.md.

    Parameters
    ----------
    replicates : one per variant
    claims : sequence of Claim
    scores, distribution : DataFrame
        As ``scores_table`` and ``table1_distribution`` return them.
    """
    study = replicates[0].study
    numbers = list(dict.fromkeys(claim.claim for claim in claims))
    return document.template("study.md").render(
        n=replicates[0].n_replicates,
        seeds=", ".join(sorted({str(own.settings.seed) for own in replicates})),
        confidence=f"{100 * study.confidence:g}",
        n_population=study.n_population,
        diverged=", ".join(f"{own.variant} {own.n_diverged}" for own in replicates),
        verdicts=_verdicts([own.variant for own in replicates], claims, numbers),
        claims=[[claim for claim in claims if claim.claim == number] for number in numbers],
        distribution=markdown(DISTRIBUTION_HEADER, _distribution_cells(distribution), 3),
        nearest=", ".join(f"{nearest_replicate(own)} ({own.variant})" for own in replicates),
        scores=markdown(SCORES_HEADER, _score_cells(replicates, scores), 2),
    )


def _verdicts(variants: Sequence[str], claims: Sequence[Claim], numbers: Sequence[str]) -> str:
    """The table of all verdicts."""
    columns = [*variants, "all"]
    statements = {claim.claim: claim.statement for claim in claims}
    verdicts = {(claim.claim, claim.variant): claim.verdict for claim in claims}
    cells = [
        [number, statements[number], *(verdicts.get((number, column), "") for column in columns)]
        for number in numbers
    ]
    return markdown(["", "Claim", *columns], cells, 2 + len(columns))


def _score_cells(replicates: Sequence[VariantReplicates], scores: pd.DataFrame) -> list[list[str]]:
    labels = network_labels({own.variant: own.settings for own in replicates})
    return [
        [row["variant"], labels[row["what"]], *(_interval(row, score) for score in SCORES)]
        for row in scores.to_dict(orient="records")
    ]


def _distribution_cells(distribution: pd.DataFrame) -> list[list[str]]:
    return [
        [
            row["variant"],
            row["measure"],
            STAGES[row["stage"]],
            f"{row['thesis']:.2f}",
            f"{row['percentile']:.1f}",
            f"{row['mean']:.2f}",
            *(f"{row[quantile]:.2f}" for quantile in QUANTILES),
        ]
        for row in distribution.to_dict(orient="records")
    ]


def _interval(row: Mapping[Hashable, object], label: str) -> str:
    value, low, high = (
        float(str(row.get(key, "nan"))) for key in (label, f"{label}_low", f"{label}_high")
    )
    return "" if np.isnan(value) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
