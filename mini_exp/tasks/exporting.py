"""Networks for other programs: as ONNX, or as ``torch.export.load`` reads them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mini_exp.errors import ConfigError, NetworkError

OPSET = 18
PACKAGES = ("onnx", "onnxscript")

Form = Literal["onnx", "torch.export"]


def check_packages(form: Form) -> None:
    """Refuse ONNX where its packages are not installed.

    Raises
    ------
    ConfigError
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if form == "onnx" and missing:
        raise ConfigError(
            f"export: onnx needs {' and '.join(missing)}: pip install 'mini-exp[export]'"
        )


def exported(network: nn.Module, x: Tensor, form: Form) -> bytes:
    """A network in a form, for any number of samples of the shape of x (at least two).

    Raises
    ------
    ConfigError
        If the packages for it are not installed.
    NetworkError
        If PyTorch cannot express the network in it.
    """
    check_packages(form)
    try:
        with _quiet():
            return _onnx(network, x) if form == "onnx" else _archive(network, x)
    except Exception as error:  # whatever an exporter raises
        text = " ".join(str(error).split())[:300]
        raise NetworkError(
            f"{form} cannot express the network: {type(error).__name__}: {text}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters tell of their progress and of packages that they do without."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            yield
    finally:
        logger.setLevel(level)


def _program(network: nn.Module, x: Tensor) -> Any:
    """The network as PyTorch traces it, for any number of samples."""
    samples = torch.export.Dim("samples")
    with torch.no_grad():
        return torch.export.export(network, (x,), dynamic_shapes=({0: samples},))


def _archive(network: nn.Module, x: Tensor) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(_program(network, x), buffer)
    return buffer.getvalue()


def _onnx(network: nn.Module, x: Tensor) -> bytes:
    made = torch.onnx.export(
        _program(network, x),
        dynamo=True,
        opset_version=OPSET,
        input_names=["input"],
        output_names=["output"],
        verbose=False,
    )
    if made is None:
        raise RuntimeError("no program was made")
    content: bytes = made.model_proto.SerializeToString()
    return content
