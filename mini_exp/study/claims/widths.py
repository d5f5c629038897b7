"""C5, C6 and C10: what the width problem (4.2.3) gives over ρ."""

from __future__ import annotations

import numpy as np

from mini_exp.report import thesis
from mini_exp.study.claims.claim import EXPLAINED, FAILS, HOLDS, LETTER, Claim, ruling
from mini_exp.study.variant_replicates import VariantReplicates, widths_are


def c5_jump(own: VariantReplicates) -> Claim | None:
    """Only the published solver is asked: the exact one has no starting point to return."""
    if own.settings.width.solver != "published":
        return None
    rules = own.study.rules
    full, exact_full = own.all_full("widths"), own.all_full("exact_widths")
    share = own.share(full.any(axis=1))
    late = own.share((full & (own.rho > rules.late_rho)).any(axis=1))
    at_start = float((own.sweep("at_start") == 1)[full].mean()) if full.any() else float("nan")
    explained = full.any() and at_start >= rules.explained and not exact_full.any()
    holds = late.low > rules.majority
    return ruling(
        "C5",
        "past ρ ≈ 0.09 the optimisation returns the original widths because λ = 0",
        own.variant,
        f"share of replicates with all widths full at some ρ: {share}, past ρ = "
        f"{rules.late_rho:g}: {late}; of those (replicate, ρ), share where the solver stopped at "
        f"its start: {at_start:.3g}; exact solver: all widths full in {int(exact_full.sum())} of "
        f"{exact_full.size}; SciPy reports no success in "
        f"{np.nanmean(own.sweep('not_converged')):.3g} of all sweeps' ρ",
        share,
        f"explained if at least {rules.explained:g} of the full widths are the solver at its "
        "starting point and the exact solver never returns them; otherwise holds if most "
        f"replicates show them past ρ = {rules.late_rho:g}",
        EXPLAINED if explained else HOLDS if holds else FAILS,
        "exact solver" if explained else "",
    )


def c6_widths_of_table1(own: VariantReplicates) -> Claim | None:
    """Asked of networks with as many layers as the thesis's."""
    if len(own.settings.model.widths) != len(thesis.WIDTHS):
        return None
    occurs, exact = (
        own.share(widths_are(own.sweep(name), thesis.WIDTHS).any(axis=1))
        for name in ("widths", "exact_widths")
    )
    majority = own.study.rules.majority
    grid = own.settings.width.rho
    return ruling(
        "C6",
        "a ρ of the range yields (8, 3, 3)",
        own.variant,
        f"share of replicates where one of {own.study.rho_num} ρ in [{grid.start:g}, "
        f"{grid.stop:g}] does: {occurs}; with the exact solver: {exact}",
        occurs,
        f"interval above {majority:g}; only in the letter unless the exact solver's is too",
        (HOLDS if exact.low > majority else LETTER) if occurs.low > majority else FAILS,
        "exact solver" if occurs.low > majority >= exact.low else "",
    )


def c10_degrees_of_freedom(own: VariantReplicates) -> Claim:
    """The first ⌈N(λ)⌉ units of the greedy path against the bound on L^(A)."""
    rules = own.study.rules
    share = own.mean(own.column("within_bound"))
    return ruling(
        "C10",
        "the degrees of freedom (4.2.1) are a usable stand-in for the width that (4.1.7) needs",
        own.variant,
        "share of layers and ρ where the greedy set of ⌈N(λ)⌉ units has L^(A) ≤ "
        f"{rules.bound_factor:g}λ: {share}",
        share,
        f"interval above {rules.usable:g} (the bound of Suzuki et al. promises 4λ for somewhat "
        "more units than N(λ))",
        HOLDS if share.low > rules.usable else FAILS,
    )
