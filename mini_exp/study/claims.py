"""Verdicts on the thesis's claims C1–C10, from the replicates, by rules fixed in the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy.stats

from mini_exp.config import Config, Settings, Study
from mini_exp.datasets.mini import DIMENSION
from mini_exp.report import thesis
from mini_exp.seeds import generator
from mini_exp.spectral import Floats
from mini_exp.study.costs import Costs

HOLDS = "holds"
FAILS = "does not hold"
LETTER = "holds only in the letter"
EXPLAINED = "explained"

CONTROLS = (
    "original_400",
    "random_slice_finetuned",
    "random_reconstruct_finetuned",
    "scratch_400",
)


@dataclass(frozen=True)
class Claim:
    """One claim about one variant."""

    claim: str
    statement: str
    variant: str
    evidence: str
    estimate: float
    low: float
    high: float
    rule: str
    verdict: str
    control: str


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def mean_interval(values: Floats, study: Study, seed: int) -> Interval:
    """Mean of the replicates with its percentile bootstrap interval (scipy.stats.bootstrap).

    Parameters
    ----------
    values : (R,) float64
        NaN for diverged replicates, which are left out; they are counted elsewhere.
    study : Study
        Confidence and number of resamples.
    seed : int

    Examples
    --------
    >>> mean_interval(np.array([1.0, 1.0, 1.0]), Study(), 0)
    Interval(estimate=1.0, low=1.0, high=1.0)
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        mean = float(known.mean()) if len(known) else float("nan")
        return Interval(mean, float("nan"), float("nan"))
    found = scipy.stats.bootstrap(
        (known,),
        np.mean,
        confidence_level=study.confidence,
        n_resamples=study.resamples,
        method="percentile",
        batch=100,  # bounds the memory at 100 resamples of all replicates
        rng=generator(seed, "bootstrap"),
    ).confidence_interval
    return Interval(float(known.mean()), float(found.low), float(found.high))


def share_interval(which: np.ndarray, study: Study) -> Interval:
    """Share of true entries with its Wilson interval.

    Examples
    --------
    >>> share_interval(np.array([True] * 9 + [False]), Study())
    Interval(estimate=0.9, low=0.5958..., high=0.9821...)
    """
    found = scipy.stats.binomtest(int(which.sum()), len(which)).proportion_ci(
        study.confidence, method="wilson"
    )
    return Interval(float(which.mean()), float(found.low), float(found.high))


class _Replicates:
    """The replicates of one variant, and the paired differences between their columns."""

    def __init__(self, variant: str, settings: Settings, study: Study, rows: pd.DataFrame) -> None:
        self.variant, self.settings, self.study = variant, settings, study
        self.rows = rows[rows["diverged"] == 0]

    def column(self, name: str) -> Floats:
        return self.rows[name].to_numpy(dtype=np.float64)

    def difference(self, after: str, before: str, measure: str) -> Interval:
        """Mean of after − before, on the population, replicate by replicate."""
        values = self.column(f"{after}_population_{measure}") - self.column(
            f"{before}_population_{measure}"
        )
        return mean_interval(values, self.study, self.settings.seed)


def all_claims(
    config: Config,
    rows: pd.DataFrame,
    arrays: Mapping[str, Floats],
    rho: Mapping[str, Floats],
    costs: Costs,
) -> list[Claim]:
    """Every claim, for every variant that it can be asked of.

    Parameters
    ----------
    config : Config
    rows : DataFrame
        replicates.csv.
    arrays : mapping
        ``<variant>.<name>`` as ``replicates.chunk`` returns them.
    rho : mapping from variant to (K,) values of ρ
    costs : Costs
    """
    found = []
    for variant, settings in config.variants.items():
        own = rows[rows["variant"] == variant]
        replicates = _Replicates(variant, settings, config.study, own)
        known = (own["diverged"] == 0).to_numpy()
        sweep = {
            name: arrays[f"{variant}.{name}"][known]
            for name in ("widths", "exact_widths", "at_start", "not_converged")
        }
        found += [
            _c1(replicates),
            _c2(replicates),
            _c3(replicates),
            _c4(replicates),
            _c5(replicates, sweep, rho[variant]),
            _c6(replicates, sweep),
            _c9(replicates),
            _c10(replicates),
        ]
    found += [_c7(config, costs), _c8(config, costs)]
    return sorted((claim for claim in found if claim is not None), key=lambda c: int(c.claim[1:]))


def _c1(r: _Replicates) -> Claim | None:
    if r.settings.model.bias:
        return None
    sizes = (DIMENSION, *r.settings.model.widths, 1)
    count = sum(a * b for a, b in pairwise(sizes))
    n = r.settings.data.n_train
    return Claim(
        "C1",
        "MiniModel without biases has 802 parameters, far more than the 100 training samples",
        r.variant,
        f"{count} parameters, {n} training samples",
        count,
        count,
        count,
        "exactly 802, and more than the samples",
        HOLDS if count == 802 and count > n else FAILS,
        "",
    )


def _c2(r: _Replicates) -> Claim:
    rules = r.study.rules
    train = r.column("original_train_loss")
    over_fits = (train < rules.good_training_loss) & (
        r.column("original_population_loss") > r.column("constant_population_loss")
    )
    share = share_interval(over_fits, r.study)
    return Claim(
        "C2",
        "training gives a good training loss but a poor test loss, and never reaches loss 0",
        r.variant,
        f"share of replicates that over-fit {share}; smallest training loss {train.min():.2g}, "
        f"mean {train.mean():.2g}",
        share.estimate,
        share.low,
        share.high,
        f"share with training loss below {rules.good_training_loss:g} and a population loss above "
        f"the constant predictor's: interval above {rules.majority:g}; every training loss above 0",
        HOLDS if share.low > rules.majority and train.min() > 0 else FAILS,
        "constant predictor",
    )


def _c3(r: _Replicates) -> Claim:
    change = r.difference("compressed", "original", "loss")
    guess = r.difference("compressed", "constant", "loss")
    random = r.difference("compressed", f"random_{r.settings.compress.weights}", "loss")
    improves = change.high < 0
    beaten = [
        text
        for text, interval in (
            ("always answering the training share", guess),
            ("a random index set, compressed the same way", random),
        )
        if not interval.high < 0
    ]
    return Claim(
        "C3",
        "compressing to (8, 3, 3) improves the test loss at once",
        r.variant,
        f"population loss, compressed − original: {change}; − constant: {guess}; "
        f"− random units: {random}",
        change.estimate,
        change.low,
        change.high,
        "interval of compressed − original below 0; only in the letter unless it is also below 0 "
        "against the constant predictor and against random units, compressed the same way",
        (LETTER if beaten else HOLDS) if improves else FAILS,
        f"no better than: {'; '.join(beaten)}" if improves and beaten else "",
    )


def _c4(r: _Replicates) -> Claim:
    loss = r.difference("finetuned", "compressed", "loss")
    accuracy = r.difference("finetuned", "compressed", "accuracy")
    scratch = r.difference("finetuned", "scratch_400", "accuracy")
    improves = loss.high < 0 and accuracy.low > 0
    return Claim(
        "C4",
        "fine-tuning improves the test loss further, and improves the accuracy",
        r.variant,
        f"population, fine-tuned − compressed: loss {loss}, accuracy {accuracy}; accuracy − the "
        f"same widths from scratch, 400 epochs: {scratch}",
        loss.estimate,
        loss.low,
        loss.high,
        "interval of the loss difference below 0 and of the accuracy difference above 0; only in "
        "the letter unless its accuracy also exceeds that of training from scratch",
        (HOLDS if scratch.low > 0 else LETTER) if improves else FAILS,
        "scratch_400" if improves and not scratch.low > 0 else "",
    )


def _c5(r: _Replicates, sweep: Mapping[str, Floats], rho: Floats) -> Claim | None:
    if r.settings.width.solver != "published":
        return None
    full = _all_full(sweep["widths"], r.settings)
    exact_full = _all_full(sweep["exact_widths"], r.settings)
    share = share_interval(np.asarray(full.any(axis=1)), r.study)
    at_start = float((sweep["at_start"] == 1)[full].mean()) if full.any() else float("nan")
    late = share_interval(np.asarray((full & (rho > 0.085)).any(axis=1)), r.study)
    explained = full.any() and at_start >= r.study.rules.explained and not exact_full.any()
    holds = late.low > r.study.rules.majority
    return Claim(
        "C5",
        "past ρ ≈ 0.09 the optimisation returns the original widths because λ = 0",
        r.variant,
        f"share of replicates with all widths full at some ρ: {share}, past ρ = 0.085: {late}; of "
        f"those (replicate, ρ), share where the solver stopped at its start: {at_start:.3g}; exact "
        f"solver: all widths full in {int(exact_full.sum())} of {exact_full.size}; SciPy "
        f"reports no success in {np.nanmean(sweep['not_converged']):.3g} of all sweeps' ρ",
        share.estimate,
        share.low,
        share.high,
        f"explained if at least {r.study.rules.explained:g} of the full widths are the solver at "
        "its starting point and the exact solver never returns them; otherwise holds if most "
        "replicates show them past ρ = 0.085",
        EXPLAINED if explained else HOLDS if holds else FAILS,
        "exact solver" if explained else "",
    )


def _c6(r: _Replicates, sweep: Mapping[str, Floats]) -> Claim | None:
    if len(r.settings.model.widths) != len(thesis.WIDTHS):
        return None
    occurs = share_interval(np.asarray(_at_table1(sweep["widths"]).any(axis=1)), r.study)
    exact = share_interval(np.asarray(_at_table1(sweep["exact_widths"]).any(axis=1)), r.study)
    majority = r.study.rules.majority
    grid = r.settings.width.rho
    return Claim(
        "C6",
        "a ρ of the range yields (8, 3, 3)",
        r.variant,
        f"share of replicates where one of {r.study.rho_num} ρ in [{grid.start:g}, {grid.stop:g}] "
        f"does: {occurs}; with the exact solver: {exact}",
        occurs.estimate,
        occurs.low,
        occurs.high,
        f"interval above {majority:g}; only in the letter unless the exact solver's is too",
        (HOLDS if exact.low > majority else LETTER) if occurs.low > majority else FAILS,
        "exact solver" if occurs.low > majority >= exact.low else "",
    )


def _c7(config: Config, costs: Costs) -> Claim:
    slow = config.study.rules.slow_seconds
    return Claim(
        "C7",
        "greedy selection needs (m̂+1)(m − m̂/2) evaluations of 𝒞(J), 375 750 for m = 1000 and "
        "m̂ = 500, each up to seconds",
        "all",
        f"{costs.evaluations} evaluations; one by the formula {costs.naive_seconds:.2g} s, all "
        f"{costs.evaluations * costs.naive_seconds / 3600:.2g} h; by rank-one updates "
        f"{costs.greedy_seconds:.2g} s for the same picks",
        costs.greedy_seconds,
        costs.greedy_seconds,
        costs.greedy_seconds,
        f"holds if the fastest known way takes more than {slow:g} s; only in the letter if just "
        "the formula does",
        HOLDS
        if costs.greedy_seconds > slow
        else LETTER
        if costs.evaluations * costs.naive_seconds > slow
        else FAILS,
        "rank-one updates",
    )


def _c8(config: Config, costs: Costs) -> Claim:
    rules = config.study.rules
    expensive = (
        costs.gram_seconds > rules.slow_seconds or costs.gram_gigabytes > rules.slow_gigabytes
    )
    return Claim(
        "C8",
        "the covariance of a 32 × 32 × 32 output (32 768², about 10⁹ elements) is too expensive",
        "all",
        f"its non-zero spectrum from the Gram matrix of {costs.gram_samples} synthetic samples: "
        f"{costs.gram_seconds:.2g} s, {costs.gram_gigabytes:.2g} GB",
        costs.gram_seconds,
        costs.gram_seconds,
        costs.gram_seconds,
        f"holds if it takes more than {rules.slow_seconds:g} s or {rules.slow_gigabytes:g} GB",
        HOLDS if expensive else FAILS,
        "Gram matrix",
    )


def _c9(r: _Replicates) -> Claim:
    loss = r.difference("finetuned", "original", "loss")
    accuracy = r.difference("finetuned", "original", "accuracy")
    beside = {name: r.difference("finetuned", name, "accuracy") for name in CONTROLS}
    improves = loss.high < 0 and accuracy.low > 0
    equal = [name for name, interval in beside.items() if not interval.low > 0]
    return Claim(
        "C9",
        "spectral pruning compresses a network to better test performance",
        r.variant,
        f"population, fine-tuned − original: loss {loss}, accuracy {accuracy}; accuracy − "
        + ", − ".join(f"{name}: {interval}" for name, interval in beside.items()),
        accuracy.estimate,
        accuracy.low,
        accuracy.high,
        "interval of the loss difference below 0 and of the accuracy difference above 0; only in "
        f"the letter unless its accuracy also exceeds that of each of {', '.join(CONTROLS)}",
        (LETTER if equal else HOLDS) if improves else FAILS,
        ", ".join(equal) if improves else "",
    )


def _c10(r: _Replicates) -> Claim:
    share = mean_interval(r.column("within_bound"), r.study, r.settings.seed)
    usable = r.study.rules.usable
    return Claim(
        "C10",
        "the degrees of freedom (4.2.1) are a usable stand-in for the width that (4.1.7) needs",
        r.variant,
        f"share of layers and ρ where the greedy set of ⌈N(λ)⌉ units has L^(A) ≤ 4λ: {share}",
        share.estimate,
        share.low,
        share.high,
        f"interval above {usable:g} (the bound of Suzuki et al. promises 4λ for somewhat more "
        "units than N(λ))",
        HOLDS if share.low > usable else FAILS,
        "",
    )


def _all_full(widths: Floats, settings: Settings) -> np.ndarray:
    return np.asarray(np.equal(widths, settings.model.widths).all(axis=2))


def _at_table1(widths: Floats) -> np.ndarray:
    return np.asarray(np.equal(widths, thesis.WIDTHS).all(axis=2))
