"""W23 to W26: curvature, step sizes, rates and saddle points."""

from __future__ import annotations

import numpy as np

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.instruments.descent import DIMENSIONS, STARTS
from mini_exp.diagnostics.statements.statement import (
    ALL,
    FAILS,
    HOLDS,
    THEOREM,
    Question,
    Statement,
    exactly,
    listed,
)
from mini_exp.report.intervals import binomial_interval


def sharpness(own: Evidence) -> Statement | None:
    """Whether flat minima generalise, among replicates."""
    if not (own.has("curvature") and own.has("confidence")):
        return None
    question = Question(
        "W23",
        "flatter networks generalise better",
        "003, 1.1: curvature of the landscape; explains Table 1",
        "rank correlation over replicates of the largest eigenvalue of the training loss's Hessian "
        "with the population accuracy, fine-tuned networks; beside it the original ones, and the "
        "mean eigenvalue by stage",
        "holds if the interval lies below 0; otherwise the instrument explains nothing here",
    )
    pairs = {
        stage: own.correlation(own.column(stage, "sharpness"), own.column(stage, "accuracy"))
        for stage in ("finetuned", "original")
    }
    means = [
        f"{stage} {own.mean(own.column(stage, 'sharpness'))}"
        for stage in ("original", "compressed", "finetuned")
    ]
    tuned = pairs["finetuned"]
    return question.answered(
        own.variant,
        f"fine-tuned {tuned}, original {pairs['original']}; eigenvalue {', '.join(means)}",
        tuned,
        HOLDS if tuned.high < 0 else FAILS,
    )


def step_size(own: Evidence) -> Statement | None:
    """2/β on a quadratic."""
    if not own.has("descent"):
        return None
    question = Question(
        "W24",
        "a higher β, the bound of the curvature, needs a lower learning rate",
        "003, 1.1, critical points",
        "growth of ‖θ‖ per step of gradient descent on a quadratic with largest eigenvalue β, with "
        "steps c · 2/β; from a trained network, which is no minimum, the same would test nothing",
        "holds if it shrinks for every c < 1 and grows for every c > 1",
        sort=THEOREM,
    )
    growth = own.of_run_over("growth per step")
    below, above = growth[growth.index < 1], growth[growth.index > 1]
    return question.answered(
        ALL,
        ", ".join(f"c = {c:g}: {value:.4g}" for c, value in growth.items()),
        exactly(float(growth[growth.index > 1].min())),
        HOLDS if (below < 1).all() and (above > 1).all() else FAILS,
    )


def rate(own: Evidence) -> Statement | None:
    """O(β/ε²)."""
    if not own.has("descent"):
        return None
    question = Question(
        "W25",
        "after O(β/ε²) steps gradient descent is at a critical point",
        "003, 1.1, critical points",
        "steps to ‖∇f‖ ≤ ε on 1 − cos θ from θ = 3, as a share of 2β (f(θ₀) − min f) / ε²",
        "holds if the share is at most 1 for every ε; “critical” then means a small gradient only",
        sort=THEOREM,
    )
    shares = own.of_run_over("steps of the bound")
    return question.answered(
        ALL,
        ", ".join(f"ε = {epsilon:g}: {share:.2g}" for epsilon, share in shares.items()),
        exactly(float(shares.max())),
        HOLDS if (shares <= 1).all() else FAILS,
    )


def saddles(own: Evidence) -> Statement | None:
    """Noise against a saddle's stable set."""
    if not own.has("descent"):
        return None
    question = Question(
        "W26",
        "noisy gradient descent leaves saddle points, and does so better than plain descent",
        "003, 1.1, saddle points",
        "share of runs on ‖x‖²/2 + ρ (y⁴/4 − y²/2) that end at a minimum, over dimensions and the "
        "ratio ρ of the curvatures: perturbed from the saddle's stable set; beside it plain from "
        "there, and plain from random points",
        "holds if the interval of the smallest perturbed share lies above a half and plain descent "
        "from the stable set always ends in the saddle",
    )
    perturbed, plain, elsewhere = (
        np.concatenate(
            [own.of_run_over(f"left the saddle in {d} dimensions {name}") for d in DIMENSIONS]
        )
        for name in ("perturbed", "plain", "at random")
    )
    steps = "; ".join(
        f"{d} dimensions {listed(own.of_run_over(f'steps to leave in {d} dimensions'))}"
        for d in DIMENSIONS
    )
    share = binomial_interval(round(perturbed.min() * STARTS), STARTS, own.diagnose.confidence)
    return question.answered(
        ALL,
        f"perturbed {share}; plain from the stable set {plain.max():g}, from random points "
        f"{elsewhere.min():g}: plain descent fails on a set of measure zero only; steps to get "
        f"halfway out over ρ: {steps}",
        share,
        HOLDS if share.low > 0.5 and plain.max() == 0 else FAILS,
    )
