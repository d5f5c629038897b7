"""What a study writes: tables, figures, verdicts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import pandas as pd

from mini_exp.errors import ArtifactError
from mini_exp.experiment.formats import table
from mini_exp.report import drawing
from mini_exp.settings.config import Config
from mini_exp.settings.sections import Study
from mini_exp.spectral import Floats
from mini_exp.study import figures, summary
from mini_exp.study.claims import all_claims
from mini_exp.study.costs import Costs
from mini_exp.study.variant_replicates import VariantReplicates
from mini_exp.study.verdict_page import claims_markdown

FIGURES = ("table1_distributions", "stages", "widths_over_rho", "jump")
TAKEN_UP = ("claims.md", "claims.csv", *(f"figures/{name}.png" for name in FIGURES))
"""What the experiment's report takes up."""


def study_pages(
    config: Config, study: Study, arrays: Mapping[str, Floats], costs: Costs
) -> dict[str, bytes]:
    """Every file of ``study/``, by its path in it.

    Raises
    ------
    ArtifactError
        If every replicate of a variant diverged.
    """
    rows = summary.replicates_table(config.variants, study, arrays)
    if (rows["diverged"] == 1).groupby(rows["variant"]).all().any():
        raise ArtifactError("study: every replicate of a variant diverged; lower the learning rate")
    replicates = [
        VariantReplicates(variant, settings, study, rows, arrays)
        for variant, settings in config.variants.items()
    ]
    sweeps = summary.sweeps_table(replicates)
    scores = summary.scores_table(replicates)
    distribution = summary.table1_distribution(replicates)
    claims = all_claims(replicates, costs)
    drawn = {
        "table1_distributions": figures.table1_distributions(replicates),
        "stages": figures.stages(replicates),
        "widths_over_rho": figures.widths_over_rho(replicates, sweeps),
        "jump": figures.jump(replicates),
    }
    return {
        "replicates.csv": table.to_bytes(rows),
        "sweeps.csv": table.to_bytes(sweeps),
        "scores.csv": table.to_bytes(scores),
        "table1.csv": table.to_bytes(distribution),
        "claims.csv": table.to_bytes(pd.DataFrame(map(dataclasses.asdict, claims))),
        "claims.md": claims_markdown(replicates, claims, scores, distribution).encode(),
        "config.yaml": config.as_yaml().encode(),
        "costs.json": (json.dumps(dataclasses.asdict(costs), indent=1) + "\n").encode(),
        **drawing.figure_files({f"figures/{name}": drawn[name] for name in FIGURES}),
    }
