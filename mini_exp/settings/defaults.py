"""Defaults that differ between tasks, side by side; all others stand in their sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mini_exp.settings.merging import put
from mini_exp.tasks import DATA, MODELS
from mini_exp.tasks.images.image_data import ImageData
from mini_exp.tasks.mini.settings import Mini
from mini_exp.tasks.own.settings import OwnData
from mini_exp.tasks.section import DataSection, kind_of

COLUMNS: dict[str, type[DataSection]] = {"MINI": Mini, "images": ImageData, "your own": OwnData}
DIFFERENT: dict[str, tuple[Any, Any, Any]] = {
    "dtype": ("float64", "float32", "float32"),
    "train.epochs": (200, 30, 0),
    "covariance.n_samples": (None, 2000, 2000),
    "covariance.batch_size": (16_384, 100, 100),
    "covariance.flattened": (False, True, False),
    "width.regularizer": ("square", "abs", "abs"),
    "width.boundary": ("parameters", "output", "hidden"),
    "width.choose": ([8, 3, 3], {"keep": 0.5}, {"keep": 0.5}),
    "width.losses": ("spectral", "measured", "measured"),
    "compress.ridge": (0.0, 1e-6, 1e-6),
    "finetune.epochs": (200, 3, 3),
}
NARROWER: dict[type[DataSection], dict[str, dict[str, Any]]] = {
    Mini: {  # a stack of networks, trained by our own gradient
        "train.epochs": {"minimum": 1},
        "finetune.epochs": {"minimum": 1},
        "train.augment": {"const": False},
        "finetune.augment": {"const": False},
        "train.precision": {"const": "full"},
        "finetune.precision": {"const": "full"},
        "width.losses": {"const": "spectral"},
        "select.theta": {"type": "number"},
        "compress.recover.steps": {"const": 0},
    }
}
"""What a task refuses of values that others take, as JSON Schema; ``Settings`` says why."""


def data_class(given: Mapping[str, Any]) -> type[DataSection] | None:
    """The section that a file means by what it says of ``data``; None where there is none such."""
    kind = given.get("kind", kind_of(DATA[0]))
    return next((section for section in DATA if kind_of(section) == kind), None)


def defaults_of(section: type[DataSection]) -> dict[str, Any]:
    """Defaults of experiments on such data, with the first network that fits it."""
    model = next((model for model in MODELS if model.fits(section)), MODELS[0])
    defaults = {"data": {"kind": kind_of(section)}, "model": {"kind": kind_of(model)}}
    defaults |= different_defaults(section)
    return defaults


def different_defaults(section: type[DataSection]) -> dict[str, Any]:
    """The section's column of ``DIFFERENT``, as an experiment file has it."""
    column = next(i for i, task in enumerate(COLUMNS.values()) if issubclass(section, task))
    defaults: dict[str, Any] = {}
    for key, values in DIFFERENT.items():
        put(defaults, key.split("."), values[column])
    return defaults
