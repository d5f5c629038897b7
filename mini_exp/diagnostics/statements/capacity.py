"""W27, W28 and W41: capacity, and what it bounds."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import (
    ALL,
    FAILS,
    HOLDS,
    LETTER,
    THEOREM,
    Question,
    Statement,
    exactly,
    listed,
)
from mini_exp.report.intervals import binomial_interval


def gap_bound(own: Evidence) -> Statement | None:
    """√(N / m)."""
    if not own.has("capacity"):
        return None
    majority = own.diagnose.rules.majority
    question = Question(
        "W27",
        "test loss − training loss ≤ √(N/m), N the effective capacity, m the training samples",
        "003, 1.2, capacity",
        "share of original networks whose gap in loss is within the bound, N the number of "
        "parameters, for the text defines no other; beside it the mean gap in error",
        f"holds if the interval lies above {majority:g}; only in the letter if the bound is above "
        "1, which no gap in error exceeds",
    )
    gap, bound = own.column("original", "loss gap"), own.column("original", "bound")
    within = own.share(gap <= bound)
    mean = own.mean(gap)
    vacuous = float(bound[0]) >= 1
    return question.answered(
        own.variant,
        f"within {within}; bound {bound[0]:.3g}, mean gap in loss {mean}, in error "
        f"{own.mean(own.column('original', 'error gap'))}",
        within,
        (LETTER if vacuous else HOLDS) if within.low > majority else FAILS,
        mean,
    )


def two_layers(own: Evidence) -> Statement | None:
    """2n + d weights."""
    if not own.has("theory"):
        return None
    question = Question(
        "W28",
        "two layers with ReLU and 2n + d weights represent any function on n samples",
        "003, 1.2, excess capacity",
        "largest |f(x_i) − y_i| of the network that the proof builds, over random labels",
        "holds if it is below 1e-6, the rounding of a triangular system",
        sort=THEOREM,
    )
    residual = own.of_run_over("residual of two layers")
    worst = float(residual.max())
    return question.answered(
        ALL,
        f"{int(residual.index[0])} weights, largest residual {worst:.2g}",
        exactly(worst),
        HOLDS if worst < 1e-6 else FAILS,
    )


def random_labels(own: Evidence) -> Statement | None:
    """Labels that are coins."""
    if not own.has("random labels"):
        return None
    majority = own.diagnose.rules.majority
    question = Question(
        "W41",
        "a network can be trained with random labels and still be right on all training data",
        "003, 1.2, excess capacity",
        "share of new networks of the original's widths that fit the run's training inputs with "
        "random labels; beside it the median epochs to fit, over the share of random labels",
        f"holds if the interval lies above {majority:g}",
    )
    shares, epochs = own.of_run_over("share that fits"), own.of_run_over("epochs to fit")
    n = int(own.of_run_over("share that fits", column="n").iloc[-1])
    fits = binomial_interval(round(shares.iloc[-1] * n), n, own.diagnose.confidence)
    return question.answered(
        own.variant,
        f"fit {fits}; epochs by share of random labels {listed(epochs)}",
        fits,
        HOLDS if fits.low > majority else FAILS,
    )
