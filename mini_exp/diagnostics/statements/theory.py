"""W29 to W32: mixing complexity, VC dimension, no free lunch."""

from __future__ import annotations

import numpy as np

from mini_exp.diagnostics.evidence import Evidence
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


def mixing(own: Evidence) -> Statement | None:
    """The thresholds against the text's own definition."""
    if not own.has("theory"):
        return None
    question = Question(
        "W29",
        "thresholds have MC = O(1), “which means that it is mixing”",
        "1.4, after definition 1.4.6",
        "mixing complexity of thresholds by definition 1.4.6, exact up to 17 hypotheses, beyond "
        "within bounds; beside it that of parities",
        "holds if MC / √|H| does not fall with |H|, as MC = Ω(√|H|) asks; does not hold if it "
        "falls at every step",
        sort=THEOREM,
    )
    of_thresholds, of_parities = (
        own.of_run_over(f"mixing complexity of {name}") for name in ("thresholds", "parities")
    )
    per_root = of_thresholds.to_numpy() / np.sqrt(of_thresholds.index.to_numpy())
    return question.answered(
        ALL,
        f"thresholds: {listed(of_thresholds)}; parities, which are mixing: {listed(of_parities)}",
        exactly(float(of_thresholds.max())),
        FAILS if np.all(np.diff(per_root) < 0) else HOLDS,
    )


def vc_dimension(own: Evidence) -> Statement | None:
    """The conclusion from theorem 1.1."""
    if not own.has("theory"):
        return None
    question = Question(
        "W30",
        "to need the least samples “we would want the VC-dimension to be big”",
        "1.4, after theorem 1.1",
        "samples that a learner needs on d shattered points for an expected loss of 0.1, over d",
        "holds if they fall with d; does not hold if they rise, as the theorem's own bounds do",
        sort=THEOREM,
    )
    needed = own.of_run_over("samples needed")
    return question.answered(
        ALL,
        f"d: samples {listed(needed)}",
        exactly(float(needed.iloc[-1])),
        HOLDS if needed.is_monotonic_decreasing else FAILS,
    )


def no_free_lunch(own: Evidence) -> Statement | None:
    """Theorem 3.1 by enumeration."""
    if not own.has("theory"):
        return None
    question = Question(
        "W31",
        "for every learner there is a function that it fails to learn: its expected loss is ≥ ¼",
        "3.1, theorem 3.1 and (3.1.2)",
        "the least loss on the worst function among all deterministic learners (m = 1), and of "
        "three learners for m ≤ 3, by enumeration of all functions and all samples",
        "holds if none is below ¼",
        sort=THEOREM,
    )
    best = float(own.of_run("", "best learner")["estimate"])
    worst = own.of_run_over("worst loss of nearest")
    least = own.of_run_over("least worst loss")
    return question.answered(
        ALL,
        f"best of all learners {best:g}; least possible over m {listed(least)}; nearest "
        f"neighbour {listed(worst)}",
        exactly(best),
        HOLDS if best >= 0.25 and (worst >= 0.25).all() else FAILS,
    )


def worse_elsewhere(own: Evidence) -> Statement | None:
    """What the text concludes from it."""
    if not own.has("theory"):
        return None
    question = Question(
        "W32",
        "what performs better than random search on a class “will perform worse on all other "
        "problems”",
        "3.1, after the proof",
        "a learner made for one function: share of all other functions on which it still beats "
        "guessing (m = 2), by enumeration",
        "holds if there is none; the theorem says that of the mean over the others alone",
        sort=THEOREM,
    )
    share = float(own.of_run("", "others learned better")["estimate"])
    return question.answered(
        ALL, f"share {share:.3g}", exactly(share), HOLDS if share == 0 else FAILS
    )
