"""CIFAR-10 as a data set of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mini_exp.tasks.images.image_data import ImageData, Images

if TYPE_CHECKING:
    import numpy as np


class Cifar10(ImageData):
    """CIFAR-10: 50 000 training and 10 000 test images."""

    shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)

    kind: Literal["cifar10"] = Field("cifar10", description="CIFAR-10")
    root: str = Field("data/cifar10", description="folder of CIFAR-10's binary files")
    download: bool = Field(False, description="fetch CIFAR-10 into root if it is not there")
    reencoded: bool = Field(False, description="they were re-encoded with loss; tables say so")

    def load(self, rng: np.random.Generator) -> tuple[Images, Images]:
        from mini_exp.tasks.images.cifar10_files import cifar10_images, download_cifar10

        if self.download:
            download_cifar10(Path(self.root))
        return cifar10_images(Path(self.root))

    @property
    def source(self) -> str:
        """Where the images come from.

        Examples
        --------
        >>> Cifar10(reencoded=True).source
        'CIFAR-10, re-encoded with loss: accuracies are not those of the official images'
        """
        if self.reencoded:
            return "CIFAR-10, re-encoded with loss: accuracies are not those of the official images"
        return "CIFAR-10"
