"""What a reader takes away: the sentences at the top of each report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mini_exp.report.tables import STAGES
from mini_exp.settings.settings import Settings
from mini_exp.steps.evaluation import Evaluation

GUESS = float(np.log(2))  # loss of always answering ½


@dataclass(frozen=True)
class Improvements:
    """In how many variants a stage improved on the one before, on the population."""

    variants: int
    loss_compressed: int
    accuracy_compressed: int
    accuracy_finetuned: int
    beats_guess: int  # with a fine-tuned network's loss below ln 2


def improvements(evaluations: Mapping[str, Sequence[Evaluation]]) -> Improvements:
    """Counted over the variants."""
    scores = [
        {row.stage: row for row in rows if row.split == "population"}
        for rows in evaluations.values()
    ]
    return Improvements(
        variants=len(scores),
        loss_compressed=sum(s["compressed"].loss < s["original"].loss for s in scores),
        accuracy_compressed=sum(s["compressed"].accuracy > s["original"].accuracy for s in scores),
        accuracy_finetuned=sum(s["finetuned"].accuracy > s["compressed"].accuracy for s in scores),
        beats_guess=sum(s["finetuned"].loss < GUESS for s in scores),
    )


def mini_verdict(
    settings: Settings, counts: Improvements, claims: pd.DataFrame | None
) -> list[str]:
    """Of the run, of the thesis's conclusion, of its other claims: three sentences.

    Parameters
    ----------
    settings : Settings
        The main variant's.
    counts : Improvements
    claims : DataFrame or None
        The study's verdicts: ``claim``, ``variant``, ``verdict``.
    """
    of = counts.variants
    run = (
        f"Compressing MiniModel to {_widths(settings)} lowered the loss on fresh draws in "
        f"{_share(counts.loss_compressed, of)} of the {of} variants and raised the accuracy in "
        f"{_share(counts.accuracy_compressed, of)}; fine-tuning then raised the accuracy in "
        f"{_share(counts.accuracy_finetuned, of)} (one run, seed {settings.seed})."
    )
    if claims is None:
        return [
            run,
            f"After it {_share(counts.beats_guess, of)} of the networks have a loss below "
            "ln 2, which always answering ½ reaches without looking.",
            "One run from one seed shows what that seed gave and decides nothing about the "
            "method: `mini-exp study` repeats it many times.",
        ]
    conclusion = " and ".join(
        f"{verdict!s} for {_listed(part['variant'])}"
        for verdict, part in claims[claims["claim"] == "C9"].groupby("verdict", sort=False)
    )
    verdicts = claims.groupby("claim", sort=False)["verdict"].agg(set)
    throughout = _listed(verdicts.index[verdicts == {"holds"}])
    nowhere = _listed(verdicts.index[verdicts == {"does not hold"}])
    return [
        run,
        "Over the replicates of the study, beside controls, the thesis's conclusion that spectral "
        f"pruning gives better test performance (C9) {conclusion}.",
        f"Of its {len(verdicts)} claims those that hold throughout are {throughout or 'none'}, "
        f"those that hold nowhere {nowhere or 'none'}; the others hold for some variants, only in "
        "the letter, or have another explanation than the thesis gives.",
    ]


def images_verdict(evaluations: Mapping[str, Sequence[Evaluation]], compared: bool) -> list[str]:
    """One sentence on every variant, one on where the other pruners stand."""
    sentences = []
    for variant, rows in evaluations.items():
        test = {row.stage: row for row in rows if row.split == "test"}
        original, smaller, tuned = (test[stage] for stage in STAGES)
        share = smaller.parameters / original.parameters
        sentences.append(
            f"With {100 * share:.0f} % of the parameters ({variant}) the accuracy on {tuned.n} "
            f"test images is {100 * smaller.accuracy:.1f} % right after compression and "
            f"{100 * tuned.accuracy:.1f} % after fine-tuning, from {100 * original.accuracy:.1f} %."
        )
    where = "below" if compared else "not yet here: `mini-exp compare` makes it"
    return [*sentences, f"One network says little; the comparison over several is {where}."]


def _widths(settings: Settings) -> str:
    chosen = settings.width.choose
    return f"({', '.join(map(str, chosen))})" if isinstance(chosen, tuple) else "smaller widths"


def _share(count: int, of: int) -> str:
    return {0: "none", of: "all"}.get(count, str(count))


def _listed(names: Iterable[str]) -> str:
    """A, B and C."""
    *others, last = [*names] or [""]
    return f"{', '.join(others)} and {last}" if others else last
