"""Step report: tables, figures and the report, from what the other steps saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mini_exp.steps.step import Step

if TYPE_CHECKING:
    from mini_exp.settings.config import Config
    from mini_exp.steps.record import StepRecord

STEP = Step(
    module=__name__,
    settings=("name", "variants", "study", "compare", "diagnose"),
    inputs=(
        "dataset.npz",
        "history.csv",
        "covariance.npz",
        "widths.csv",
        "selection.json",
        "finetune_history.csv",
        "evaluation.csv",
    ),
    outputs={},  # the pages tell
    per_variant=False,
)


def run(
    config: Config,
    results: Mapping[str, Mapping[str, Any]],
    extra: Mapping[str, bytes],
    records: Sequence[StepRecord],
) -> dict[str, bytes]:
    """Return the content of every file of the report.

    Parameters
    ----------
    config : Config
    results : mapping from variant to its artifacts by file name
    extra : mapping from path to content
        What other commands publish for this report.
    records : sequence of StepRecord
        How the steps were run.

    Returns
    -------
    dict
        From path (relative to the experiment's directory) to content.
    """
    import importlib

    pages: dict[str, bytes] = importlib.import_module(config.first.data.report).pages(
        config, results, extra, records
    )
    return pages
