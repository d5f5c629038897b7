"""The section of `diagnose`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mini_exp.tasks.section import Positive, PositiveFloat, Section, Widths

Threshold = Annotated[float, Field(ge=0, lt=1)]


class Noise(Section):
    """Standard deviation of the noise that makes information between layers finite (2.1)."""

    absolute: PositiveFloat = Field(0.1, description="in the units of the outputs")
    relative: PositiveFloat = Field(0.1, description="as a share of a layer's own spread")


class DiagnoseRules(Section):
    """When a statement counts as holding; fixed before the replicates run."""

    explained: float = Field(
        0.9, gt=0, le=1, description="W1: this share of a fall of the loss counts as all of it"
    )
    negligible: Threshold = Field(
        0.01, description="accuracies, and cosines, that differ by less differ by nothing"
    )
    chance: PositiveFloat = Field(
        2.0, description="an alignment counts from this many times a random direction's"
    )
    correlated: Threshold = Field(
        0.8, description="W7: a rank correlation above this makes two measures nearly one"
    )
    euler_digits: Annotated[int, Field(ge=1, le=15)] = Field(
        9, description="W8: digits of the largest |f| to which x·∇f = f has to hold"
    )
    ceiling: Threshold = Field(
        0.05, description="W9: a ceiling binds where the accuracy comes this close to it"
    )
    halved: Threshold = Field(
        0.5, description="W14: a training loss that more epochs bring below this share of it"
    )
    majority: float = Field(
        0.5, gt=0, lt=1, description="a share holds if its interval lies above this"
    )
    phase: PositiveFloat = Field(
        0.05, description="W15, W16: nats by which information has to change over the training"
    )
    saturated: float = Field(
        0.99, gt=0, le=1, description="W17: share of ln n from which information counts samples"
    )
    similar: float = Field(
        0.9, gt=0, le=1, description="W19: CKA from which two representations are nearly one"
    )
    noise: float = Field(
        0.3, ge=0.1, le=1, description="W49: noise, as a share of a layer's spread, to adjust for"
    )
    noise_loss: Threshold = Field(
        0.1, description="W49: the share of its accuracy above ½ that a network may lose to it"
    )


class Diagnose(Section):
    """Why pruning helps or hurts: instruments, interventions, statements."""

    replicates: Positive | None = Field(
        None, description="of every variant, beside the run; null: the run alone"
    )
    seed: int = Field(
        1702, ge=0, lt=2**63, description="of the replicates: rules were made looking at others"
    )
    n_population: Positive = Field(5000, description="draws that score every network")
    instruments: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="by name; null: all that are quick"
    )
    noise: Noise = Noise()
    bins: Annotated[int, Field(ge=2, le=10_000)] = Field(
        30, description="of every unit's outputs, for information by counting (2.1)"
    )
    first_widths: Widths = Field(
        (1, 2, 4, 8, 16), description="units of the first layer that compression leaves"
    )
    weight_decay: Annotated[tuple[PositiveFloat, ...], Field(strict=False, min_length=1)] = Field(
        (0.1, 0.3, 1.0, 3.0, 10.0),
        description="strengths, chosen by accuracy on a draw for validation",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    resamples: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        2000, description="bootstrap resamples"
    )
    rules: DiagnoseRules = DiagnoseRules()
