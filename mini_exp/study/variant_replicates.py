"""The replicates of one variant: what tables, figures and claims read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mini_exp.report import thesis
from mini_exp.report.intervals import Interval, bootstrap_interval, share_interval
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.spectral import Floats
from mini_exp.study.sweeps import rho_grid


class VariantReplicates:
    """The replicates of one variant that did not diverge, and intervals over them.

    Parameters
    ----------
    variant : str
    settings : Settings
    study : Study
    rows : DataFrame
        replicates.csv, of all variants.
    arrays : mapping
        ``<variant>.<name>`` as ``replicates.chunk`` returns them.

    Attributes
    ----------
    rows : DataFrame
        Of this variant's replicates that did not diverge.
    rho : (K,) float64
        The values of ρ of the sweep.
    n_replicates, n_diverged : int
    """

    def __init__(
        self,
        variant: str,
        settings: Settings,
        study: Study,
        rows: pd.DataFrame,
        arrays: Mapping[str, Floats],
    ) -> None:
        self.variant, self.settings, self.study = variant, settings, study
        own = rows[rows["variant"] == variant]
        self._kept = (own["diverged"] == 0).to_numpy()
        self._arrays = arrays
        self.rows = own[self._kept]
        self.rho = rho_grid(settings, study)
        self.n_replicates, self.n_diverged = len(own), len(own) - len(self.rows)

    @property
    def has_the_thesis_s_layers(self) -> bool:
        """Whether the thesis's numbers may be marked beside this network's."""
        return tuple(self.settings.model.widths) == thesis.MODEL

    def column(self, name: str) -> Floats:
        """A column of replicates.csv: (R,)."""
        return self.rows[name].to_numpy(dtype=np.float64)

    def sweep(self, name: str) -> Floats:
        """An array of the sweep over ρ: (R, K) or (R, K, L)."""
        return self._arrays[f"{self.variant}.{name}"][self._kept]

    def all_full(self, name: str) -> npt.NDArray[np.bool_]:
        """Where all widths of ``widths`` or ``exact_widths`` are those of the network: (R, K)."""
        return widths_are(self.sweep(name), self.settings.model.widths)

    def mean(self, values: Floats) -> Interval:
        """Mean over the replicates with its bootstrap interval."""
        study = self.study
        return bootstrap_interval(values, study.confidence, study.resamples, self.settings.seed)

    def share(self, which: npt.ArrayLike) -> Interval:
        """Share of the replicates with Wilson's interval; ``which`` is (R,) bool."""
        return share_interval(np.asarray(which, dtype=bool), self.study.confidence)

    def difference(self, after: str, before: str, measure: str) -> Interval:
        """Mean of after − before, on the population, replicate by replicate."""
        return self.mean(
            self.column(f"{after}_population_{measure}")
            - self.column(f"{before}_population_{measure}")
        )


def widths_are(widths: Floats, wanted: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Where all layers (..., L) have the wanted widths: (...); nowhere with another depth.

    Examples
    --------
    >>> widths_are(np.array([[8.0, 3.0], [8.0, 4.0]]), (8, 3))
    array([ True, False])
    """
    if widths.shape[-1] != len(wanted):
        return np.zeros(widths.shape[:-1], dtype=bool)
    return np.asarray(np.equal(widths, wanted).all(axis=-1))
