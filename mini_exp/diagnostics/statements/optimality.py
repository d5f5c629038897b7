"""W35 to W40: what training finds among many solutions."""

from __future__ import annotations

import numpy as np

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


def global_optima(own: Evidence) -> Statement | None:
    """Share of runs at the optimum, over width."""
    if not own.has("optimality"):
        return None
    majority = own.diagnose.rules.majority
    question = Question(
        "W35",
        "bad local minima are met by small networks, and seldom by large ones: global optima are "
        "then easy to find",
        "004, A (theoretical findings); 003, 1.2 (folklore)",
        "share of runs of gradient descent on two-layer ReLU networks with weight decay whose "
        "loss is within 1 % of the best of all widths, over width; the dual of the convex program "
        "bounds how far that is from the optimum",
        f"holds if the interval at the largest width lies above {majority:g} and that at the "
        f"smallest below {1 - majority:g}",
    )
    shares, n = own.of_run_over("share at the optimum"), own.of_run_over("excess loss", column="n")
    gap = float(own.of_run("", "optimum gap")["estimate"])
    runs = int(n.iloc[0])
    first, last = (
        binomial_interval(round(share * runs), runs, own.diagnose.confidence)
        for share in (shares.iloc[0], shares.iloc[-1])
    )
    return question.answered(
        ALL,
        f"over width: {listed(shares)}, though the narrowest cannot reach it; best loss at most "
        f"{gap:.2%} above the proved bound",
        last,
        HOLDS if last.low > majority and first.high < 1 - majority else FAILS,
    )


def largest_margin(own: Evidence) -> Statement | None:
    """Logistic regression."""
    if not own.has("optimality"):
        return None
    question = Question(
        "W36",
        "gradient descent on logistic regression gives the classifier of the largest margin",
        "002, 1.6.1.2: “sgd on logistic reg. gives hard margin svm”",
        "cosine of the weights with those of a support vector machine without intercept, separable "
        "data, over steps; these are normalised, plain ones would need the exponential of as many",
        "holds if the smallest after the most steps is above 0.999",
        sort=THEOREM,
    )
    cosines = own.of_run_over("cosine with the largest margin")
    smallest = float(own.of_run_over("cosine with the largest margin", column="lower").iloc[-1])
    return question.answered(
        ALL,
        f"steps: mean cosine {listed(cosines)}; smallest at last {smallest:.5g}",
        exactly(smallest),
        HOLDS if smallest > 0.999 else FAILS,
    )


def smallest_norm(own: Evidence) -> Statement | None:
    """Least squares."""
    if not own.has("optimality"):
        return None
    question = Question(
        "W37",
        "from 0 gradient descent on least squares converges to the solution of smallest norm",
        "002, 1.6.1.2",
        "largest distance from the pseudo-inverse's solution, as a share of its norm, of gradient "
        "flow at t = 10⁶, 10 samples in 30 dimensions",
        "holds if it is below 1e-6",
        sort=THEOREM,
    )
    distance = float(own.of_run("", "distance to the smallest solution")["estimate"])
    return question.answered(
        ALL, f"distance {distance:.2g}", exactly(distance), HOLDS if distance < 1e-6 else FAILS
    )


def early_stopping(own: Evidence) -> Statement | None:
    """Ridge with λ = 1/t."""
    if not own.has("optimality"):
        return None
    question = Question(
        "W38",
        "early stopping is very similar to ridge regression: risks are close for λ = 1/t",
        "002, 1.6.1.2",
        "risk of gradient flow on least squares stopped at t over that of ridge regression with "
        "λ = 1/t, random weights and noise, over t",
        "holds if it stays below 1.69, the constant of the theorem (Ali et al. 2019), and above "
        "its reciprocal",
        sort=THEOREM,
    )
    shares = own.of_run_over("risk of early stopping")
    worst = float(shares.max())
    return question.answered(
        ALL,
        f"t: {listed(shares)}",
        exactly(worst),
        HOLDS if worst < 1.69 and float(shares.min()) > 1 / 1.69 else FAILS,
    )


def singular_values(own: Evidence) -> Statement | None:
    """A deep linear network."""
    if not own.has("optimality"):
        return None
    question = Question(
        "W39",
        "a deep linear network learns the largest singular values first",
        "002, 1.6.1.10",
        "steps until half of a singular value is learned, from a small start, over the value",
        "holds if they fall as the value grows, at every step",
        sort=THEOREM,
    )
    times = own.of_run_over("time to learn")
    return question.answered(
        ALL,
        f"value: steps {listed(times)}",
        exactly(float(times.iloc[-1])),
        HOLDS if np.all(np.diff(times.to_numpy()) < 0) else FAILS,
    )


def double_descent(own: Evidence) -> Statement | None:
    """Random features."""
    if not own.has("optimality"):
        return None
    question = Question(
        "W40",
        "above zero training error, more parameters reduce the test error again",
        "002, 1.6.1.7: “larger number of params reduces variance”",
        "median test error of the smallest least squares on random ReLU features, noisy linear "
        "target, over the number of features; as many as samples interpolate",
        "holds if the quartiles at the peak lie above those at the most features; only in the "
        "letter unless the latter's median also lies below the best with fewer features than "
        "samples",
    )
    errors, low, high = (
        own.of_run_over("test error of random features", column=column)
        for column in ("estimate", "lower", "upper")
    )
    peak, last = int(errors.to_numpy().argmax()), float(errors.iloc[-1])
    below = float(errors.iloc[:peak].min())
    falls = low.iloc[peak] > high.iloc[-1]
    return question.answered(
        ALL,
        f"features: {listed(errors)}; peak at {errors.index[peak]:g}",
        exactly(last),
        (HOLDS if last < below else LETTER) if falls else FAILS,
    )
