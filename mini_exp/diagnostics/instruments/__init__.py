"""Instruments by name: a module each, imported when it is used.

A module has ``measure(stages, …) -> DataFrame`` with tidy rows (``rows.measured`` makes them; what
``rows.COLUMNS`` has and a frame has not is filled in). Arguments after ``stages`` that are called
as keys of ``diagnose`` get those keys' values. A module may also have

``OVER_REPLICATES = True``
    It is measured on the replicates, too, and not on the run alone.
``PACKAGES = ("ripser",)``
    What has to be installed, by an extra of ``EXTRAS``.
"""

from __future__ import annotations

INSTRUMENTS: dict[str, str] = {
    "confidence": "mini_exp.diagnostics.instruments.confidence",
    "alignment": "mini_exp.diagnostics.instruments.alignment",
    "homogeneity": "mini_exp.diagnostics.instruments.homogeneity",
}

EXTRAS = {"ripser": "topology", "gudhi": "topology"}
"""The extra of mini-exp that brings a package."""
