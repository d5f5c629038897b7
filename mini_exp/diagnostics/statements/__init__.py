"""Verdicts on statements of the texts, by rules fixed in the config."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.statements import (
    alignment,
    capacity,
    confidence,
    curvature,
    homogeneity,
    images,
    information,
    interventions,
    margin,
    optimality,
    search,
    similarity,
    theory,
    topology,
)
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
    information.drift,
    information.compression,
    information.saturation,
    information.explains_accuracy,
    similarity.representations,
    similarity.barrier,
    similarity.kernel_drift,
    similarity.kernel_accuracy,
    curvature.sharpness,
    capacity.gap_bound,
    margin.margin,
    margin.noise,
    topology.topology,
    capacity.random_labels,
    search.search,
)
OF_NO_VARIANT: tuple[Callable[[Evidence], Statement | None], ...] = (
    curvature.step_size,
    curvature.rate,
    curvature.saddles,
    capacity.two_layers,
    theory.mixing,
    theory.vc_dimension,
    theory.no_free_lunch,
    theory.worse_elsewhere,
    optimality.global_optima,
    optimality.largest_margin,
    optimality.smallest_norm,
    optimality.early_stopping,
    optimality.singular_values,
    optimality.double_descent,
    topology.shapes,
    images.invariance,
    images.generator,
    images.pruned_generator,
    images.soft_rank,
    search.shared_weights,
)
"""Asked once: their instruments look at no network."""


def all_statements(evidence: Sequence[Evidence]) -> list[Statement]:
    """Every statement, for every variant that it can be asked of, in the order of their numbers."""
    asked = [question(own) for question in OF_A_VARIANT for own in evidence]
    asked += [question(evidence[0]) for question in OF_NO_VARIANT]
    statements = [statement for statement in asked if statement is not None]
    return sorted(statements, key=lambda statement: int(statement.number.removeprefix("W")))
