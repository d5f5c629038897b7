"""Verdicts on the thesis's claims C1–C10, from the replicates, by rules fixed in the config."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mini_exp.study.claims.claim import Claim
from mini_exp.study.claims.compression import c3_compression, c4_fine_tuning, c9_conclusion
from mini_exp.study.claims.expense import c7_greedy_selection, c8_covariance
from mini_exp.study.claims.training import c1_parameters, c2_over_fitting
from mini_exp.study.claims.widths import c5_jump, c6_widths_of_table1, c10_degrees_of_freedom
from mini_exp.study.costs import Costs
from mini_exp.study.variant_replicates import VariantReplicates

OF_A_VARIANT: tuple[Callable[[VariantReplicates], Claim | None], ...] = (
    c1_parameters,
    c2_over_fitting,
    c3_compression,
    c4_fine_tuning,
    c5_jump,
    c6_widths_of_table1,
    c9_conclusion,
    c10_degrees_of_freedom,
)
OF_COSTS = (c7_greedy_selection, c8_covariance)


def all_claims(replicates: Sequence[VariantReplicates], costs: Costs) -> list[Claim]:
    """Every claim, for every variant that it can be asked of, in the order of their numbers."""
    asked = [question(own) for own in replicates for question in OF_A_VARIANT]
    claims = [claim for claim in asked if claim is not None]
    claims += [question(replicates[0].study.rules, costs) for question in OF_COSTS]
    return sorted(claims, key=lambda claim: int(claim.claim.removeprefix("C")))
