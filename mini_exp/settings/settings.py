"""All settings of one variant, whatever the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mini_exp.settings.defaults import data_class, defaults_of
from mini_exp.settings.merging import merged
from mini_exp.settings.sections import Choose, Compress, Covariance, Select, Width
from mini_exp.tasks import DATA, MODELS
from mini_exp.tasks.mini.settings import FullyConnected, Mini
from mini_exp.tasks.own.settings import Arrays, PythonModel
from mini_exp.tasks.section import Section, Train, kind_of

if TYPE_CHECKING:  # which has no union of what a tuple holds
    Data = Any
    Model = Any
else:
    Data = Annotated[Union[DATA], Discriminator("kind")]  # noqa: UP007
    Model = Annotated[Union[MODELS], Discriminator("kind")]  # noqa: UP007


class Settings(Section):
    """All settings of one variant; what is left out has the task's default."""

    seed: int = Field(1701, ge=0, lt=2**63, description="of every random number")
    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")] = Field(
        "cpu", description="cpu or cuda"
    )
    dtype: Literal["float64", "float32"] = Field(description="of the networks while they train")
    data: Data
    model: Model
    train: Train
    covariance: Covariance
    width: Width
    select: Select = Select()
    compress: Compress
    finetune: Train = Field(description="The same for the smaller network.")
    export: Literal["onnx", "torch.export"] | None = Field(
        None, description="write the smaller network for other programs, too"
    )

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked_for(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}

    def number_of_theta(self) -> float:
        """θ where it has to be a number.

        Raises
        ------
        ValueError
        """
        theta = self.select.theta
        if isinstance(theta, str):
            raise ValueError(f"select.theta: expected a number here, got {theta!r}")
        return theta

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        data = given.get("data", {})
        section = data_class(data) if isinstance(data, Mapping) else None
        return merged(defaults_of(section or DATA[0]), given)

    @model_validator(mode="after")
    def _model_fits_data(self) -> Settings:
        data = type(self.data)
        if not self.model.fits(data):
            fitting = [kind_of(model) for model in MODELS if model.fits(data)]
            expected = " or ".join(fitting) or f"a network for samples of shape {data.shape}"
            raise ValueError(
                f"model.kind: expected {expected} for {self.data.kind}, got {self.model.kind!r}"
            )
        return self

    @model_validator(mode="after")
    def _boundary_is_known(self) -> Settings:
        if not self.data.shape and self.width.boundary != "hidden":
            raise ValueError(
                f"width.boundary: expected hidden for {self.data.kind}, since only your network's "
                f"hidden widths are counted, got {self.width.boundary!r}"
            )
        return self

    @model_validator(mode="after")
    def _training_fits_data(self) -> Settings:
        for name in ("train", "finetune"):
            train: Train = getattr(self, name)
            if not (train.epochs or isinstance(self.model, PythonModel)):
                raise ValueError(f"{name}.epochs: expected at least 1, got 0")
            if not isinstance(self.data, Mini | Arrays):
                continue
            if train.augment:
                raise ValueError(f"{name}.augment: expected false but on images, got true")
            if train.precision != "full" and isinstance(self.data, Mini):
                raise ValueError(
                    f"{name}.precision: expected 'full' but on images, got {train.precision!r}"
                )
        return self

    @model_validator(mode="after")
    def _repair_fits_data(self) -> Settings:
        if isinstance(self.data, Mini):
            if self.compress.recover.steps:
                raise ValueError(
                    "compress.recover.steps: expected 0 for mini, whose networks are a stack, got "
                    f"{self.compress.recover.steps}"
                )
            if self.width.losses != "spectral":
                raise ValueError("width.losses: expected 'spectral' for mini, got 'measured'")
            self.number_of_theta()
        return self

    @model_validator(mode="after")
    def _chosen_widths_fit(self) -> Settings:
        chosen = self.width.choose
        if isinstance(chosen, Choose):
            if chosen.rho is not None and self.covariance.flattened:
                raise ValueError(
                    "width.choose.rho: expected covariance.flattened: false, since a whole layer's "
                    "width is no number of channels"
                )
        elif isinstance(self.model, FullyConnected):
            widths = self.model.widths
            if len(chosen) != len(widths):
                raise ValueError(
                    f"width.choose: expected {len(widths)} widths, one per hidden layer, "
                    f"got {len(chosen)}"
                )
            for layer, (kept, width) in enumerate(zip(chosen, widths, strict=True), start=1):
                if kept > width:
                    raise ValueError(
                        f"width.choose: expected at most {width} units in layer {layer}, got {kept}"
                    )
        return self
