"""What every set of images has: a training set, a validation set cut from it, a test set."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mini_exp.tasks.section import DataSection, Positive

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mini_exp.spectral import Integers


@dataclass(frozen=True)
class Images:
    """Images and their classes."""

    pixels: npt.NDArray[np.uint8]  # (n, channels, height, width)
    labels: Integers  # (n,)

    def __len__(self) -> int:
        return len(self.labels)


class ImageData(DataSection, abc.ABC):
    """Images in classes; a data set is a subclass with a ``kind`` of its own and ``load``."""

    task: ClassVar[str] = "mini_exp.tasks.images.task"
    data_step: ClassVar[str] = "load-images"
    report: ClassVar[str] = "mini_exp.report.images"
    repetition: ClassVar[Literal["study", "compare"]] = "compare"
    beyond: ClassVar[tuple[str, ...]] = ("compare",)
    shape: ClassVar[tuple[int, int, int]]  # channels, height, width
    n_outputs: ClassVar[int] = 10
    starter_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "half": {},
        "budget": {"width": {"choose": {"parameters": 0.25}}},
    }

    n_train: Positive | None = Field(None, description="training images; null: all that are left")
    n_validation: Positive = Field(287, description="validation images, cut from the training set")

    @abc.abstractmethod
    def load(self, rng: np.random.Generator) -> tuple[Images, Images]:
        """All training images and the test images."""

    @property
    @abc.abstractmethod
    def source(self) -> str:
        """What the images are, for every table."""
