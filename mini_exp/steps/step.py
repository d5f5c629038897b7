"""What a step is: it stands beside its ``run`` and says what that reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of an experiment.

    Attributes
    ----------
    module : str
        Whose ``run(settings, *inputs)`` returns the outputs, in order.
    settings : tuple of str
        Dotted keys, or whole sections, that it reads.
    inputs : tuple of str
        Files of the steps before it.
    outputs : mapping from file to the format that writes it
        A module of ``experiment.formats``.
    counts : str
        What it counts while it runs, if it does: ``run`` takes ``on_epoch``, too.
    scores : bool
        It reads ``data.scoring_keys``, too.
    per_variant : bool
        Else it runs once, over all variants: ``run(config, results, extra, records)`` returns the
        content of every file that it writes; ``settings`` are of the whole experiment.
    """

    module: str
    settings: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    counts: str = ""
    scores: bool = False
    per_variant: bool = True
