"""Settings of experiments on a network and samples of your own."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from mini_exp.tasks.section import DataSection, ModelSection, Positive, PositiveFloat, Section

if TYPE_CHECKING:
    import numpy as np

    from mini_exp.tasks.own.labelled import Labelled

Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
PositiveNumbers = Annotated[tuple[PositiveFloat, ...], Field(strict=False, min_length=1)]
FACTORY = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$"


class Normalise(Section):
    """(x − mean) / std; bytes are divided by 255 first."""

    mean: Numbers = Field((0.0,), description="one number, or one per channel")
    std: PositiveNumbers = Field((1.0,), description="one number, or one per channel")


class OwnData(DataSection, abc.ABC):
    """Samples of your own; a form of files is a subclass with a ``kind`` and ``load``."""

    task: ClassVar[str] = "mini_exp.tasks.own.task"
    data_step: ClassVar[str] = "load-data"
    report: ClassVar[str] = "mini_exp.report.own"
    repetition: ClassVar[None] = None
    fidelity: ClassVar[bool] = True
    shape: ClassVar[tuple[int, ...]] = ()  # the files tell
    n_outputs: ClassVar[int] = 0
    starter_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "half": {},
        "budget": {"width": {"choose": {"parameters": 0.25}}},
    }

    train: str
    test: str | None
    n_validation: Positive | None = Field(
        None, description="validation samples, cut from the training set; null: a fifth"
    )
    normalise: Normalise = Normalise()

    @abc.abstractmethod
    def load(self, rng: np.random.Generator) -> tuple[Labelled, Labelled, Labelled | None]:
        """Training set, validation set and, where there is one, test set."""

    @property
    @abc.abstractmethod
    def source(self) -> str:
        """What the samples are, for the report."""


class Folder(OwnData):
    """A folder of images."""

    kind: Literal["folder"] = Field("folder", description="a folder of images, one of each class")
    train: str = Field("data/train", description="class-named folders, or images without classes")
    test: str | None = Field(None, description="the same to test on; null: none")
    size: Positive | None = Field(
        None, description="scale the shorter side to it, keep the middle; null: as they are"
    )
    mixed_sizes: bool = Field(False, description="the files may differ in size; needs size")
    channels: Literal[1, 3] = Field(3, description="3 red, green, blue; 1 grey")

    @model_validator(mode="after")
    def _one_size(self) -> Folder:
        if self.mixed_sizes and self.size is None:
            raise ValueError("size: expected a number where data.mixed_sizes is true, got nothing")
        return self

    def load(self, rng: np.random.Generator) -> tuple[Labelled, Labelled, Labelled | None]:
        from mini_exp.tasks.own.folder import folder_samples

        return folder_samples(self, rng)

    def check(self, trained: Sequence[str] = ()) -> None:
        from mini_exp.tasks.own.folder import check_folder

        check_folder(self, trained)

    def files(self) -> dict[str, str | None]:
        from mini_exp.tasks.own.folder import folder_fingerprint

        folders = {"data.train": self.train, "data.test": self.test}
        return {key: folder_fingerprint(path) for key, path in folders.items() if path is not None}

    @property
    def source(self) -> str:
        """Where the images come from."""
        return f"images in {self.train}"


class Arrays(OwnData):
    """Files of arrays."""

    kind: Literal["arrays"] = Field(
        "arrays", description="npz files with x and, for labels, y; npy files of x"
    )
    train: str = Field("train.npz", description="x float or uint8, y classes or real values")
    validation: str | None = Field(None, description="null: cut from the training set")
    test: str | None = Field(None, description="the same to test on; null: none")
    loss: Literal["cross_entropy", "squared_error"] | None = Field(
        None, description="null: cross_entropy for classes, squared_error for real values"
    )

    def load(self, rng: np.random.Generator) -> tuple[Labelled, Labelled, Labelled | None]:
        from mini_exp.tasks.own.arrays import array_samples

        return array_samples(self, rng)

    def check(self, trained: Sequence[str] = ()) -> None:
        from mini_exp.tasks.own.arrays import check_arrays

        check_arrays(self, trained)

    def files(self) -> dict[str, str | None]:
        from pathlib import Path

        from mini_exp.files import sha256

        paths = (self.train, self.validation, self.test)
        return {path: sha256(Path(path)) for path in paths if path is not None}

    @property
    def source(self) -> str:
        """Where the arrays come from."""
        return f"arrays in {self.train}"


class PythonModel(ModelSection):
    """A network that a Python function makes."""

    shape: ClassVar[tuple[int | None, ...]] = ()

    kind: Literal["python"] = Field("python", description="a network that your function makes")
    factory: Annotated[str, Field(pattern=FACTORY)] = Field(
        "my_network:build", description="module:function, in this directory or installed"
    )
    arguments: dict[str, Any] = Field({}, description="what the function is called with")
    weights: str | None = Field(
        None, description="a state dict, .safetensors or .pt; null: as the function makes it"
    )

    def check(self) -> None:
        from mini_exp.tasks.own.factory import own_network

        own_network(self)

    def files(self) -> dict[str, str | None]:
        from mini_exp.tasks.own.factory import model_files

        return model_files(self)

    def remark(self) -> str:
        from mini_exp.tasks.own.factory import import_remark

        return import_remark(self)
