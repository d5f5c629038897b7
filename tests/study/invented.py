"""A study's results made up at random, for tests of what is made of them."""

import numpy as np

from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.study.summary import replicates_table
from mini_exp.study.variant_replicates import VariantReplicates

N, K = 60, 6
LOSS = {"original": 1.45, "compressed": 0.90, "finetuned": 0.87}
ACCURACY = {"original": 0.52, "compressed": 0.44, "finetuned": 0.60}
NETWORKS = [
    "original",
    "original_twice",
    "compressed",
    "finetuned",
    "scratch",
    "scratch_twice",
    "random_slice",
    "random_slice_finetuned",
    "random_reconstruct",
    "random_reconstruct_finetuned",
    "constant",
    "logistic_x",
    "logistic_mean",
    "svm_x",
    "svm_mean",
]
DIVERGED = 11

STUDY = Study(rho_num=K, resamples=100)
VARIANTS = {
    name: Settings.model_validate(settings)
    for name, settings in {
        "a": {
            "width": {"solver": "published", "boundary": "hidden"},
            "compress": {"weights": "slice"},
        },
        "b": {"width": {"rho": {"start": 2, "stop": 7, "num": 3}}},
        "two": {"model": {"widths": [6, 5]}, "width": {"choose": [3, 2]}},
    }.items()
}


def invented_arrays():
    """Random ones as `chunk` returns them, with widths that are often full or (8, 3, 3)."""
    rng = np.random.default_rng(12)
    arrays = {}
    for variant, settings in VARIANTS.items():
        own = {
            f"{network}_{split}_{measure}": np.round(rng.uniform(0.3, 1.6, N), 2)
            for network in NETWORKS
            for split in ("train", "test", "population")
            for measure in ("loss", "accuracy")
            if not (network.startswith("svm") and measure == "loss")
        }
        own |= {"information_1": rng.random(N)}
        full = np.array(settings.model.widths, dtype=float)
        choices = np.array([full, full, full - 1, [8, 3, 3][: len(full)]])
        for name in ("widths", "exact_widths"):
            own[name] = choices[rng.integers(0, len(choices), (N, K))]
        own["not_converged"] = rng.integers(0, 2, (N, K)).astype(float)
        own["at_start"] = rng.integers(0, 2, (N, K)).astype(float)
        own["bound_factor"] = 5 * rng.random((N, K, len(full)))
        for values in own.values():
            values[DIVERGED] = np.nan
        own["diverged"] = (np.arange(N) == DIVERGED).astype(float)
        own["parameters"] = np.full(N, 276.0)
        arrays |= {f"{variant}.{name}": values for name, values in own.items()}
    return arrays


def invented_replicates(arrays, names=tuple(VARIANTS), rows=None):
    """The replicates of some of the variants."""
    if rows is None:
        rows = replicates_table(VARIANTS, STUDY, arrays)
    return [VariantReplicates(name, VARIANTS[name], STUDY, rows, arrays) for name in names]
