"""Settings of the networks for images; a new one is an ``ImageModel`` of a kind of its own."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from mini_exp.tasks.section import ModelSection, Positive

if TYPE_CHECKING:
    from torch import nn


class ImageModel(ModelSection, abc.ABC):
    """A network that classifies images."""

    @abc.abstractmethod
    def network(self) -> nn.Module:
        """It, untrained; weights are drawn from PyTorch's generator."""


class DigitsCNN(ImageModel):
    """The thesis's CNN, made small for digits."""

    shape: ClassVar[tuple[int | None, ...]] = (1, 8, 8)

    kind: Literal["digits_cnn"] = Field("digits_cnn", description="the thesis's CNN, made small")

    def network(self) -> nn.Module:
        from mini_exp.tasks.images.networks import digits_cnn

        return digits_cnn()


class ThesisCNN(ImageModel):
    """The thesis's CIFAR-10 network."""

    shape: ClassVar[tuple[int | None, ...]] = (3, 32, 32)

    kind: Literal["thesis_cnn"] = Field("thesis_cnn", description="the thesis's CNN for CIFAR-10")

    def network(self) -> nn.Module:
        from mini_exp.tasks.images.networks import thesis_cnn

        return thesis_cnn()


class ResNetModel(ImageModel):
    """A CIFAR ResNet."""

    shape: ClassVar[tuple[int | None, ...]] = (3, None, None)

    kind: Literal["resnet"] = Field("resnet", description="a CIFAR ResNet")
    depth: Positive = Field(20, description="6n + 2")

    @model_validator(mode="after")
    def _depth_of_a_resnet(self) -> ResNetModel:
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(f"expected a depth of 6n + 2 ≥ 8, got {self.depth}")
        return self

    def network(self) -> nn.Module:
        from mini_exp.tasks.images.networks import ResNet

        return ResNet(self.depth)
