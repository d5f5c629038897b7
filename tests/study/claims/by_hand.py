"""Replicates made by hand, and the claims that they give."""

import numpy as np
import pandas as pd

from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.study.claims import all_claims
from mini_exp.study.costs import Costs
from mini_exp.study.variant_replicates import VariantReplicates
from tests.study.invented import NETWORKS

HOLDS, FAILS = "holds", "does not hold"
LETTER, EXPLAINED = "holds only in the letter", "explained"
N = 40
RHO = np.linspace(0.01, 0.1, 4)  # 0.01, 0.04, 0.07, 0.1
FULL, TABLE1, OTHER = (16, 12, 10), (8, 3, 3), (5, 4, 3)
PUBLISHED = {
    "width": {
        "solver": "published",
        "boundary": "hidden",
        "rho": {"start": 0.01, "stop": 0.1},
    },
    "compress": {"weights": "slice"},
}
STUDY = Study(resamples=100)
OVER_FIT = {"original_train_loss": 0.3, "original_population_loss": 0.6}
COSTS = Costs(375_750, 0.1, 1.0, 2000, 32_768, 10.0, 0.1, 400.0)


def replicates(n=N, **columns):
    """Every score of every network 0.5, and what is given instead."""
    values = {
        f"{network}_{split}_{measure}": 0.5
        for network in NETWORKS
        for split in ("train", "test", "population")
        for measure in ("loss", "accuracy")
    }
    values |= {"variant": "a", "diverged": 0.0, "within_bound": 1.0, **columns}
    return pd.DataFrame({"replicate": np.arange(n), **values})


def sweep(n=N, **arrays):
    """Widths (5, 4, 3) at each of the four ρ, and what is given instead."""
    usual = {
        "widths": np.broadcast_to(np.array(OTHER, dtype=float), (n, len(RHO), 3)),
        "exact_widths": np.broadcast_to(np.array(OTHER, dtype=float), (n, len(RHO), 3)),
        "at_start": np.zeros((n, len(RHO))),
        "not_converged": np.zeros((n, len(RHO))),
    }
    return usual | arrays


def widths_where(which, widths):
    """(n, 4, 3): the given widths where ``which`` (n, 4) is true, (5, 4, 3) elsewhere."""
    return np.where(np.asarray(which)[:, :, None], np.array(widths, dtype=float), OTHER)


def cells(rows, columns, n=N):
    """(n, 4): true in the first ``rows`` replicates at the given ρ."""
    which = np.zeros((n, len(RHO)), dtype=bool)
    which[:rows, columns] = True
    return which


def claims(rows=None, arrays=None, settings=PUBLISHED, study=STUDY, costs=COSTS):
    """The claims about one variant, by number."""
    arrays = sweep() if arrays is None else arrays
    rows = replicates(len(arrays["widths"])) if rows is None else rows
    named = {f"a.{name}": values for name, values in arrays.items()}
    study = study.model_copy(update={"rho_num": len(RHO)})
    own = VariantReplicates("a", Settings.model_validate(settings), study, rows, named)
    return {claim.claim: claim for claim in all_claims([own], costs)}


def alternating(low, high):
    """Half the replicates low, half high: an interval around the middle."""
    return np.where(np.arange(N) % 2, low, high)


LATE = cells(N, [3])  # the only ρ past 0.085, in every replicate
