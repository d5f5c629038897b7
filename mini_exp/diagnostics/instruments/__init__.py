"""Instruments by name: a module each, imported when it is used.

A module has ``measure(stages, …) -> DataFrame`` with tidy rows (``rows.measured`` makes them; what
``rows.COLUMNS`` has and a frame has not is filled in). Arguments after ``stages`` that are called
as keys of ``diagnose`` get those keys' values. A module may also have

``OVER_REPLICATES = True``
    It is measured on the replicates, too, and not on the run alone.
``SLOW = True``
    It is measured where it is asked for by name only.
``PACKAGES = ("ripser",)``
    What has to be installed, by an extra of ``EXTRAS``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from mini_exp.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from mini_exp.diagnostics.stages import Stages
    from mini_exp.settings.diagnose import Diagnose

INSTRUMENTS: dict[str, str] = {
    "confidence": "mini_exp.diagnostics.instruments.confidence",
    "alignment": "mini_exp.diagnostics.instruments.alignment",
    "homogeneity": "mini_exp.diagnostics.instruments.homogeneity",
    "information": "mini_exp.diagnostics.instruments.information",
    "similarity": "mini_exp.diagnostics.instruments.similarity",
    "curvature": "mini_exp.diagnostics.instruments.curvature",
    "capacity": "mini_exp.diagnostics.instruments.capacity",
    "theory": "mini_exp.diagnostics.instruments.theory",
    "descent": "mini_exp.diagnostics.instruments.descent",
    "margin": "mini_exp.diagnostics.instruments.margin",
    "homology": "mini_exp.diagnostics.instruments.homology",
    "optimality": "mini_exp.diagnostics.instruments.optimality",
    "random labels": "mini_exp.diagnostics.instruments.random_labels",
    "shapes": "mini_exp.diagnostics.instruments.shapes",
    "invariance": "mini_exp.diagnostics.instruments.invariance",
    "generators": "mini_exp.diagnostics.instruments.generators",
    "soft rank": "mini_exp.diagnostics.instruments.soft_rank",
    "search": "mini_exp.diagnostics.instruments.search",
    "shared weights": "mini_exp.diagnostics.instruments.shared_weights",
}

EXTRAS = {"ripser": "topology", "gudhi": "topology", "optuna": "search"}
"""The extra of mini-exp that brings a package."""


def instrument(name: str) -> ModuleType:
    """The module of an instrument."""
    return importlib.import_module(INSTRUMENTS[name])


def chosen_instruments(names: Sequence[str] | None) -> list[str]:
    """The instruments of these names, or all that are quick, when they can be used.

    Raises
    ------
    ConfigError
        If there is none of such a name, naming the nearest, or a package that one needs is not
        installed, with the line that brings it.
    """
    if names is None:
        names = [name for name in INSTRUMENTS if not getattr(instrument(name), "SLOW", False)]
    for name in names:
        if name not in INSTRUMENTS:
            close = difflib.get_close_matches(name, INSTRUMENTS, n=1)
            what = f"did you mean {close[0]!r}?" if close else f"expected {', '.join(INSTRUMENTS)}"
            raise ConfigError(f"diagnose.instruments: no instrument {name!r}; {what}")
        for package in getattr(instrument(name), "PACKAGES", ()):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(
                    f"diagnose.instruments: {name} needs {package}: "
                    f"pip install 'mini-exp[{EXTRAS[package]}]'"
                )
    return list(dict.fromkeys(names))


def over_replicates(names: Sequence[str]) -> list[str]:
    """Those of the instruments that are measured on the replicates, too."""
    return [name for name in names if getattr(instrument(name), "OVER_REPLICATES", False)]


def seen(name: str, stages: Stages, diagnose: Diagnose) -> pd.DataFrame:
    """What an instrument gives, in all columns and with its name, without what diverged."""
    from mini_exp.diagnostics.rows import completed

    measure = instrument(name).measure
    keys = inspect.signature(measure).parameters.keys() & type(diagnose).model_fields.keys()
    given = measure(stages, **{key: getattr(diagnose, key) for key in keys})
    rows = completed(given, stages.variant)
    rows = rows[~stages.diverged[rows["replicate"]]]
    return rows.assign(replicate=rows["replicate"] + stages.first, instrument=name)
