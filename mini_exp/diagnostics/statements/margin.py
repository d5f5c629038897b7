"""W33 and W34: classification margins, and the topology of the data."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.stages import STAGES
from mini_exp.diagnostics.statements.statement import FAILS, HOLDS, Question, Statement, exactly


def margin(own: Evidence) -> Statement | None:
    """Sample by sample, by what is proved."""
    if not own.has("margin"):
        return None
    majority = own.diagnose.rules.majority
    question = Question(
        "W33",
        "networks that generalise better have larger margins",
        "004, classification margin",
        "share of training samples of the run whose exact L∞ margin is proved to be larger in the "
        "fine-tuned than in the original network: its lower bound above the other's upper bound; "
        "beside it the medians",
        f"holds if the interval lies above {majority:g}; the two networks of one run are compared",
    )
    low = own.of_run_over("margin", "finetuned", "lower")
    high = own.of_run_over("margin", "original", "upper")
    larger = own.share(low.to_numpy() > high.to_numpy())
    medians = [own.of_run(stage, "median margin") for stage in ("original", "finetuned")]
    return question.answered(
        own.variant,
        f"larger {larger}; median original [{medians[0]['lower']:.3g}, {medians[0]['upper']:.3g}], "
        f"fine-tuned [{medians[1]['lower']:.3g}, {medians[1]['upper']:.3g}]",
        larger,
        HOLDS if larger.low > majority else FAILS,
    )


def topology(own: Evidence) -> Statement | None:
    """Whether MINI has holes that a network could fail to express."""
    if not own.has("homology"):
        return None
    question = Question(
        "W34",
        "topological features of the data limit what the network learns",
        "2.3: “too few hidden units cannot express all the topological holes in the data”",
        "longest bar of dimension 1 of the run's training inputs, in median distances, against the "
        "5th to 95th percentile of Gaussian samples with the same mean and covariance; beside it "
        "the last hidden layer by stage",
        "holds if the data's bar is longer than the 95th percentile; otherwise there is nothing to "
        "express: the instrument explains nothing here",
    )
    bar, noise = own.of_run("", "bar 1"), own.of_run("", "bar 1 of a Gaussian")
    last = len(own.settings.model.widths)
    layers = {stage: own.of_run(stage, "bar 1", last)["estimate"] for stage in STAGES}
    length = float(bar["estimate"])
    return question.answered(
        own.variant,
        f"data {length:.3g}, Gaussian {noise['estimate']:.3g} [{noise['lower']:.3g}, "
        f"{noise['upper']:.3g}]; last layer "
        + ", ".join(f"{stage} {value:.3g}" for stage, value in layers.items()),
        exactly(length),
        HOLDS if length > noise["upper"] else FAILS,
    )
