"""How the steps were run, as the report tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StepRecord:
    """One step, over the variants.

    Attributes
    ----------
    name : str
        Its command.
    settings : tuple of str
        Dotted keys, or whole sections, that it reads; ``data.scoring_keys`` are named one by one.
    outputs : tuple of str
        Files that it writes.
    seconds : mapping from variant to float
        How long it took.
    finished : mapping from variant to str
        When it was done, in UTC.
    """

    name: str
    settings: tuple[str, ...]
    outputs: tuple[str, ...]
    seconds: Mapping[str, float]
    finished: Mapping[str, str]

    def undated(self) -> StepRecord:
        """The same without what no second run repeats."""
        return dataclasses.replace(self, seconds={}, finished={})
