"""Verdicts on statements of the texts, by rules fixed in the config."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements import alignment, confidence, homogeneity, interventions
from mini_exp.diagnostics.statements.statement import Statement

OF_A_VARIANT: tuple[Callable[[Evidence], Statement | None], ...] = (
    confidence.over_confidence,
    confidence.entropy,
    alignment.picked_first,
    alignment.fine_tuning,
    alignment.lime,
    alignment.baseline,
    alignment.mediator,
    homogeneity.euler,
    homogeneity.ceiling,
    interventions.uncentred,
    interventions.along_the_mean,
    interventions.one_unit,
    interventions.weight_decay,
    interventions.more_epochs,
)


def all_statements(evidence: Sequence[Evidence]) -> list[Statement]:
    """Every statement, for every variant that it can be asked of, in the order of ``OF_…``."""
    asked = [question(own) for question in OF_A_VARIANT for own in evidence]
    return [statement for statement in asked if statement is not None]
