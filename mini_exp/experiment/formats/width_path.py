"""λ, N(λ) and m̂ of every layer for every ρ, as CSV."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import pandas as pd

from mini_exp.experiment.formats import table
from mini_exp.spectral.width_path import WidthPath


def to_bytes(path: WidthPath) -> bytes:
    columns: dict[str, Any] = {"rho": path.rho}
    layers = range(path.lambda_.shape[1])
    columns |= {f"lambda_{layer + 1}": path.lambda_[:, layer] for layer in layers}
    columns |= {f"dof_{layer + 1}": path.degrees_of_freedom[:, layer] for layer in layers}
    columns |= {f"width_{layer + 1}": path.width[:, layer] for layer in layers}
    columns |= {"objective": path.objective, "converged": path.converged}
    return table.to_bytes(pd.DataFrame(columns))


def from_bytes(content: bytes) -> WidthPath:
    frame = table.from_bytes(content)
    layers = range(1, sum(str(name).startswith("lambda_") for name in frame) + 1)

    def per_layer(kind: str, dtype: type) -> npt.NDArray[Any]:
        return frame[[f"{kind}_{layer}" for layer in layers]].to_numpy(dtype=dtype)

    return WidthPath(
        frame["rho"].to_numpy(dtype=float),
        per_layer("lambda", float),
        per_layer("dof", float),
        per_layer("width", int),
        frame["objective"].to_numpy(dtype=float),
        frame["converged"].to_numpy(dtype=bool),
    )
