"""Sections of an experiment file that mean the same for every task."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from mini_exp.tasks.section import Positive, PositiveFloat, Section, Widths

Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**15)]  # multiply-accumulates are many


def _amount(value: Any) -> str:
    return "count" if isinstance(value, int) and not isinstance(value, bool) else "share"


Amount: TypeAlias = Annotated[
    Annotated[Count, Tag("count")] | Annotated[Share, Tag("share")], Discriminator(_amount)
]
"""An integer counts; a float in (0, 1] is a share."""


class Covariance(Section):
    """Second moments of what every layer reads (appendix 8.1), over training samples."""

    scale: Literal["sum", "mean"] = Field(
        "mean", description="mean over the samples (8.1), or their sum (the author's)"
    )
    n_samples: Positive | None = Field(
        description="calibration samples, at most the training set; null: all of it"
    )
    batch_size: Positive = Field(description="samples at a time")
    flattened: bool = Field(
        description="also the spectra of whole layers, every pixel a unit, through n × n"
    )


class Rho(Section):
    """Regular grid of ρ (4.2.3)."""

    start: PositiveFloat = Field(1.0, description="the smallest ρ")
    stop: PositiveFloat = Field(10.0, description="the largest ρ")
    num: Positive = Field(91, description="how many, both ends included")

    @model_validator(mode="after")
    def _ordered(self) -> Rho:
        if self.stop < self.start or (self.num > 1 and self.stop == self.start):
            raise ValueError(f"expected start < stop, got {self.start} and {self.stop}")
        return self


class Choose(Section):
    """How the widths are chosen: exactly one of these."""

    keep: Share | None = Field(None, description="this share of every layer")
    parameters: Amount | None = Field(
        None,
        description="the best widths within these: an integer (400) counts them, a float "
        "(0.25, 1.0) is a share",
    )
    flops: Amount | None = Field(None, description="the same for multiply-accumulates of a sample")
    information: Share | None = Field(None, description="α: per layer, the fewest units with 𝒞 ≥ α")
    rho: PositiveFloat | None = Field(None, description="the widths that this ρ gives")

    @model_validator(mode="after")
    def _one(self) -> Choose:
        if [getattr(self, key) is None for key in self.model_fields_set] != [False]:
            raise ValueError(
                f"expected exactly one of {', '.join(type(self).model_fields)}, got "
                f"{', '.join(sorted(self.model_fields_set)) or 'none'}"
            )
        return self

    @model_serializer(mode="wrap")
    def _the_given_one(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


Choice: TypeAlias = Annotated[
    Annotated[Widths, Tag("widths")] | Annotated[Choose, Tag("rule")],
    Discriminator(lambda value: "widths" if isinstance(value, list | tuple) else "rule"),
]


class Width(Section):
    """The width problem (4.2.1–4.2.3) over ρ, and the widths to use."""

    solver: Literal["published", "exact"] = Field(
        "exact", description="the author's Newton-CG, or the certified global minimum"
    )
    regularizer: Literal["square", "abs"] = Field(description="R(p) = p² or |p|")
    boundary: Literal["hidden", "output", "parameters"] = Field(
        description="(4.2.2): only hidden widths, the output's too, or all"
    )
    rho: Rho = Rho()
    choose: Choice = Field(description="explicit widths, or a rule")
    losses: Literal["measured", "spectral"] = Field(
        description="what a budget sums up: what the outputs lose, or λ (4.2.1)"
    )

    @model_validator(mode="after")
    def _published_is_hidden(self) -> Width:
        if self.solver == "published" and self.boundary != "hidden":
            raise ValueError(
                f"expected boundary: hidden, all that the published solver knows, got "
                f"{self.boundary!r}"
            )
        return self


def _spelling(value: Any) -> str:
    return "word" if isinstance(value, str) and value.isalpha() else "number"


Theta: TypeAlias = Annotated[
    Annotated[float, Field(ge=0, le=1), Tag("number")] | Annotated[Literal["auto"], Tag("word")],
    Discriminator(_spelling),
]


class Select(Section):
    """Greedy selection of units (4.1.7)."""

    scope: Literal["complement", "full"] = Field(
        "full", description="F: the units outside J with unit weight (published), or all units"
    )
    theta: Theta = Field(0.5, description="θ: 1 units alone, 0 what is read of them; auto: ½ or 1")
    tied: bool = Field(True, description="also channels tied by skip connections")


class Recover(Section):
    """The smaller network learns the original's outputs, without labels."""

    steps: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        0, description="of Adam, on 100 samples each, at two rates (200, say); 0: none"
    )
    n_samples: Positive | None = Field(
        None, description="training samples; null: those of covariance"
    )
    over: Literal["all", "readers"] = Field(
        "all", description="all weights, or those that read what became smaller"
    )
    loss: Literal["auto", "kl", "squared error"] = Field(
        "auto", description="of the outputs: kl for logits, squared error for others"
    )


class Compress(Section):
    """The smaller network's weights (4.1.1, 4.1.2)."""

    weights: Literal["slice", "reconstruct"] = Field(
        "reconstruct", description="copy the kept rows and columns, or fold A_J into the next layer"
    )
    ridge: float = Field(ge=0, description="w, in units of tr(Σ) / m")
    intercept: bool = Field(False, description="estimate with a constant, too")
    refit: bool = Field(False, description="solve for every weight over its patches")
    sequential: bool = Field(False, description="estimate from the network pruned so far")
    rescale_dropout: bool = Field(False, description="dropout times the kept share")
    recover: Recover = Recover()

    def of_weights(self) -> dict[str, Any]:
        """How the weights are made: what ``pruning.compression.Compression`` takes."""
        return self.model_dump(exclude={"rescale_dropout", "recover"})

    @model_validator(mode="after")
    def _slices_are_not_estimated(self) -> Compress:
        if self.weights == "slice" and (self.intercept or self.refit or self.sequential):
            raise ValueError("expected weights: reconstruct for intercept, refit or sequential")
        return self


class Compare(Section):
    """`compare`: other ways to prune, at the same widths, on the same networks."""

    networks: Annotated[int, Field(ge=2, le=1000)] = Field(3, description="trained from scratch")
    keep: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        (0.75, 0.5, 0.25), description="shares of every group to keep"
    )
    parameters: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        (0.25,), description="shares of the parameters, with the best widths"
    )
    flops: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        (), description="shares of the multiply-accumulates, with the best widths"
    )
    theta: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(strict=False, min_length=1)
    ] = Field(
        (0.0, 0.5, 1.0), description="θ of spectral pruning; select.theta is always among them"
    )
    controls: bool = Field(
        True, description="also random units, other θ, sliced weights, training from scratch"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")


class Rules(Section):
    """When a claim of the thesis counts as holding; fixed before the study runs."""

    majority: float = Field(
        0.5, gt=0, lt=1, description="a share holds if its interval lies above this"
    )
    good_training_loss: PositiveFloat = Field(
        0.35, description="C2: a training loss below this is good (half of ln 2)"
    )
    explained: float = Field(
        0.95, gt=0, le=1, description="C5: share of the jumps that are the solver at its start"
    )
    late_rho: PositiveFloat = Field(0.085, description="C5: a jump beyond this ρ is a late one")
    usable: float = Field(
        0.95, gt=0, le=1, description="C10: share of layers and ρ with L^(A) within the bound"
    )
    bound_factor: PositiveFloat = Field(4.0, description="C10: the bound is this times λ")
    slow_seconds: PositiveFloat = Field(
        60.0, description="C7, C8: what takes longer than this is expensive"
    )
    slow_gigabytes: PositiveFloat = Field(
        4.0, description="C8: what needs more memory than this is expensive"
    )


class Study(Section):
    """The replication study."""

    n_population: Positive = Field(5000, description="draws that score every network")
    rho_num: Annotated[int, Field(ge=2)] = Field(19, description="values of ρ per sweep")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    resamples: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        2000, description="bootstrap resamples"
    )
    rules: Rules = Rules()
