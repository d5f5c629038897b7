"""Settings of experiments on MINI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from mini_exp.tasks.section import DataSection, ModelSection, Positive, Widths


class Mini(DataSection):
    """The synthetic data set MINI (4.3.1)."""

    task: ClassVar[str] = "mini_exp.tasks.mini.task"
    data_step: ClassVar[str] = "gen-mini"
    report: ClassVar[str] = "mini_exp.report.mini"
    repetition: ClassVar[Literal["study", "compare"]] = "study"
    beyond: ClassVar[tuple[str, ...]] = ("study", "diagnose")
    gathers: ClassVar[bool] = True
    shape: ClassVar[tuple[int, ...]] = (30,)
    n_outputs: ClassVar[int] = 1
    scoring_keys: ClassVar[tuple[str, ...]] = ("n_population",)  # drawn anew by what scores
    starter_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "without_bias": {},
        "with_bias": {"model": {"bias": True}},
    }

    kind: Literal["mini"] = Field("mini", description="synthetic samples of 30 numbers")
    n_train: Positive = Field(100, description="training samples")
    n_test: Positive = Field(100, description="test samples; the published run had 99")
    n_population: Positive = Field(100_000, description="draws that stand for the population")
    epsilon: float = Field(0.1, ge=0, le=1e100, description="ε: covariance of two coordinates of T")
    labels: Literal["thesis", "swapped"] = Field(
        "thesis", description="1 where X̄ ≥ −0.6 (4.3.1), or swapped as in the author's code"
    )


class FullyConnected(ModelSection):
    """MiniModel: ReLU layers and one sigmoid output."""

    shape: ClassVar[tuple[int | None, ...]] = (30,)

    kind: Literal["mlp"] = Field("mlp", description="fully connected layers")
    widths: Widths = Field((16, 12, 10), description="hidden widths")
    bias: bool = Field(False, description="with biases")
