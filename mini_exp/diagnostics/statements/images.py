"""W43 to W46: symmetries of convolutions, generators and their pruning, soft rank."""

from __future__ import annotations

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements.statement import (
    ALL,
    FAILS,
    HOLDS,
    LETTER,
    Question,
    Statement,
    exactly,
    listed,
)
from mini_exp.report.intervals import Interval, binomial_interval


def invariance(own: Evidence) -> Statement | None:
    """Digits, moved by a pixel."""
    if not own.has("invariance"):
        return None
    rules = own.diagnose.rules
    question = Question(
        "W43",
        "convolutional networks are invariant to translations, and stable under deformations",
        "004, geometric stability",
        "share of seeds in which a shift by one pixel changes the logits of a network with "
        "convolutions less than those of one with full connections, digits; beside it accuracies, "
        "changes under deformations, and the first convolution's equivariance error",
        f"holds if the interval lies above {rules.majority:g} and the shift costs less than "
        f"{rules.negligible:g} of accuracy; only in the letter if just the first",
    )
    row = own.of_run("", "more stable")
    share = binomial_interval(
        round(row["estimate"] * row["n"]), int(row["n"]), own.diagnose.confidence
    )

    def mean(quantity: str, kind: str) -> float:
        return float(own.of_run("", f"{quantity} of {kind}")["estimate"])

    texts, costs = [], {}
    for kind in ("convolutions", "connections"):
        costs[kind] = mean("accuracy", kind) - mean("accuracy when shifted", kind)
        texts.append(
            f"{kind}: change by a shift {mean('change by a shift', kind):.3g}, by a deformation "
            f"{mean('change by a deformation', kind):.3g}, accuracy lost {costs[kind]:.3g}"
        )
    error = float(own.of_run("", "equivariance error of a convolution")["estimate"])
    stable = share.low > rules.majority
    unharmed = costs["convolutions"] < rules.negligible
    return question.answered(
        ALL,
        f"more stable {share}; {'; '.join(texts)}; equivariance error {error:.3g}",
        share,
        (HOLDS if unharmed else LETTER) if stable else FAILS,
    )


def generator(own: Evidence) -> Statement | None:
    """W₁ against its floor."""
    if not own.has("generators"):
        return None
    question = Question(
        "W44",
        "“the generator learns the distribution of the data”",
        "3.3",
        "exact W₁ between samples of a Wasserstein GAN's generator and of a ring of Gaussians; "
        "beside it the floor, W₁ between two samples of the data of the same size",
        "holds if the best generator is no farther than the farthest of two samples; only in the "
        "letter if the mean is within twice the floor's",
    )
    made, floor = own.of_run("", "W1 of the generator"), own.of_run("", "W1 floor")
    texts = [
        f"{name} {row['estimate']:.3g} [{row['lower']:.3g}, {row['upper']:.3g}]"
        for name, row in (("generator", made), ("floor", floor))
    ]
    if made["lower"] <= floor["upper"]:
        verdict = HOLDS
    else:
        verdict = LETTER if made["estimate"] <= 2 * floor["estimate"] else FAILS
    seen = Interval(*(float(made[name]) for name in ("estimate", "lower", "upper")))
    return question.answered(ALL, ", ".join(texts), seen, verdict)


def pruned_generator(own: Evidence) -> Statement | None:
    """Spectral against other rankings, at the smallest width."""
    if not own.has("generators"):
        return None
    question = Question(
        "W45",
        "spectral pruning keeps what a generator needs",
        "3.3 and 4: the method on a network that the thesis only presents",
        "W₁ of generators pruned by magnitude, or at random, − pruned spectrally, same widths, "
        "next layers reconstructed for all alike, at the smallest width",
        "holds if both intervals lie above 0; only in the letter if that of random units does",
    )
    gaps = {}
    for method in ("magnitude", "random"):
        values = [
            own.of_run_over(f"W1 gap {method}", column=column).iloc[0]
            for column in ("estimate", "lower", "upper")
        ]
        gaps[method] = Interval(*map(float, values))
    spectral = own.of_run_over("W1 pruned by spectral")
    return question.answered(
        ALL,
        f"magnitude − spectral {gaps['magnitude']}, random − spectral {gaps['random']}; spectral "
        f"over width {listed(spectral)}, whole "
        f"{own.of_run('', 'W1 of the generator')['estimate']:.3g}",
        gaps["magnitude"],
        HOLDS
        if min(gap.low for gap in gaps.values()) > 0
        else LETTER
        if gaps["random"].low > 0
        else FAILS,
    )


def soft_rank(own: Evidence) -> Statement | None:
    """The penalty of chapter 6."""
    if not own.has("soft rank"):
        return None
    rules = own.diagnose.rules
    question = Question(
        "W46",
        "small eigenvalues show redundancy, so that their number can serve as a penalty",
        "6: “might be used as some sort of penalty in the architecture gradient”",
        "Σ N(λ) of the layers' outputs and accuracy of a convolutional network on digits trained "
        "with γ Σ N(λ) added to the loss, over γ; beside it weight decay alone, at its own ranks",
        f"holds if some γ lowers the rank by a tenth and the accuracy by less than "
        f"{rules.negligible:g}; only in the letter if a larger γ collapses the network to an "
        "accuracy below a half",
    )
    ranks, accuracies = (
        own.of_run_over(f"{quantity} by penalty") for quantity in ("rank", "accuracy")
    )
    decayed = ", ".join(
        f"{rank:.3g} {share:.3g}"
        for rank, share in zip(
            own.of_run_over("rank by decay"), own.of_run_over("accuracy by decay"), strict=True
        )
    )
    useful = (ranks < 0.9 * ranks.iloc[0]) & (accuracies > accuracies.iloc[0] - rules.negligible)
    collapses = float(accuracies.iloc[-1]) < 0.5
    best = accuracies[useful].max() if useful.any() else accuracies.iloc[1:].max()
    beside = own.of_run_over("accuracy by penalty beside decay")
    return question.answered(
        ALL,
        f"γ: rank {listed(ranks)}; accuracy {listed(accuracies)}, with weight decay beside it "
        f"{listed(beside)}; weight decay alone, rank and accuracy: {decayed}",
        exactly(float(best)),
        (LETTER if collapses else HOLDS) if useful.any() else FAILS,
    )
