"""The bases of the sections of an experiment file, and the numbers that sections hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1, le=10_000_000)]  # above: a slip, not an experiment
PositiveFloat = Annotated[float, Field(gt=0)]
# Strict mode takes no list for a tuple, and YAML has only lists.
Widths = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]


class Section(BaseModel):
    """Unknown keys are refused, and nothing is converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataSection(Section):
    """What an experiment is on: the section of one kind of data, and what else its task has."""

    task: ClassVar[str]  # module with the functions of ``tasks.task.Task``
    data_step: ClassVar[str]  # command that makes the samples
    report: ClassVar[str]  # module that makes the report's pages
    repetition: ClassVar[Literal["study", "compare"] | None]  # what repeats the experiment
    beyond: ClassVar[tuple[str, ...]] = ()  # commands beyond one run, with sections of their own
    fidelity: ClassVar[bool] = False  # networks are scored against the original, too
    gathers: ClassVar[bool] = False  # its report takes up what other experiments publish
    shape: ClassVar[tuple[int, ...]]  # of a sample; () where the files tell
    n_outputs: ClassVar[int]  # of a network
    scoring_keys: ClassVar[tuple[str, ...]] = ()  # of the section, read by what scores
    starter_variants: ClassVar[Mapping[str, Mapping[str, Any]]]  # of a file that `init` writes

    kind: str

    def check(self, trained: Sequence[str] = ()) -> None:
        """Refuse files that cannot be used, before anything is written; keys that want labels."""

    def files(self) -> Mapping[str, str | None]:
        """What the samples depend on outside of the results: by name, SHA-256 or None."""
        return {}


class ModelSection(Section):
    """A network: the section of one kind."""

    shape: ClassVar[tuple[int | None, ...]]  # of a sample; None stands for any size

    kind: str

    def check(self) -> None:
        """Refuse what cannot be used, before anything is written."""

    def files(self) -> Mapping[str, str | None]:
        """What the network depends on outside of the results: by name, SHA-256 or None."""
        return {}

    def remark(self) -> str:
        """What `validate` says of it beside its settings."""
        return ""

    @classmethod
    def fits(cls, data: type[DataSection]) -> bool:
        """Whether the network takes such samples."""
        return len(cls.shape) == len(data.shape) and all(
            size in (None, given) for size, given in zip(cls.shape, data.shape, strict=True)
        )


def kind_of(section: type[DataSection] | type[ModelSection]) -> str:
    """What names a section among those of its sort."""
    return str(section.model_fields["kind"].default)


class Train(Section):
    """Adam on the mean cross-entropy."""

    epochs: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        description="passes over the training set; 0, of your own network: none"
    )
    batch_size: Positive = Field(32, description="samples per step; the last batch may be smaller")
    learning_rate: PositiveFloat = Field(
        1e-3, description="of Adam; on images at the start of a half cosine"
    )
    augment: bool = Field(False, description="mirror and shift the images")
    precision: Literal["full", "bfloat16"] = Field(
        "full", description="of the products: that of the networks, or bfloat16 on images"
    )
