"""Second moments and spectra of every layer, and the sums that they are made of, in an npz file.

``sigma_ℓ``, ``eigenvalues_ℓ``, ``eigenvectors_ℓ`` and, of whole layers, ``flattened_ℓ`` and
``n_units_ℓ`` belong to the ℓ-th of ``layers``; ``second_sum/…``, ``first_sum/…`` and ``n_rows/…``
to a tensor that a layer reads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mini_exp.files import npz_arrays, npz_bytes
from mini_exp.pruning.flattened import CalibrationMoments
from mini_exp.pruning.moments import TensorMoments
from mini_exp.pruning.recipe import GroupMoments

PER_TENSOR = ("second_sum", "first_sum", "n_rows")


def to_bytes(moments: CalibrationMoments) -> bytes:
    groups = moments.groups
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "layers": np.array(list(groups.sigma)),
        "n_samples": np.array(moments.n_samples),
    }
    for number, name in enumerate(groups.sigma, start=1):
        arrays[f"sigma_{number}"] = groups.sigma[name]
        arrays[f"eigenvalues_{number}"] = groups.eigenvalues[name]
        arrays[f"eigenvectors_{number}"] = groups.eigenvectors[name]
        if name in moments.flattened:
            arrays[f"flattened_{number}"] = moments.flattened[name]
            arrays[f"n_units_{number}"] = np.array(moments.n_units[name])
    for tensor, one in groups.tensors.items():
        arrays |= {f"{kind}/{tensor}": np.asarray(getattr(one, kind)) for kind in PER_TENSOR}
    return npz_bytes(arrays)


def from_bytes(content: bytes) -> CalibrationMoments:
    arrays = npz_arrays(content)
    names = [str(name) for name in arrays["layers"]]

    def per_layer(kind: str) -> dict[str, npt.NDArray[np.float64]]:
        keys = {name: f"{kind}_{number}" for number, name in enumerate(names, start=1)}
        return {name: arrays[key] for name, key in keys.items() if key in arrays}

    tensors = [key.removeprefix("n_rows/") for key in arrays if key.startswith("n_rows/")]
    groups = GroupMoments(
        {
            tensor: TensorMoments(
                arrays[f"second_sum/{tensor}"],
                arrays[f"first_sum/{tensor}"],
                int(arrays[f"n_rows/{tensor}"]),
            )
            for tensor in tensors
        },
        per_layer("sigma"),
        per_layer("eigenvalues"),
        per_layer("eigenvectors"),
    )
    n_units = {name: int(count) for name, count in per_layer("n_units").items()}
    return CalibrationMoments(groups, per_layer("flattened"), n_units, int(arrays["n_samples"]))
