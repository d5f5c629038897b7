"""What `diagnose` writes: tables, figures, verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from mini_exp.diagnostics.answer import answer
from mini_exp.diagnostics.evidence import Evidence
from mini_exp.diagnostics.figures import alignment, first_width, information, loss_split
from mini_exp.diagnostics.rows import COLUMNS
from mini_exp.diagnostics.statements import all_statements
from mini_exp.diagnostics.statements.statement import ALL, Statement
from mini_exp.diagnostics.summary import interventions_table, stages_table
from mini_exp.experiment.formats import table
from mini_exp.report import document, drawing
from mini_exp.report.page import anchor
from mini_exp.report.tables import markdown
from mini_exp.settings.config import Config

Draw = Callable[[Sequence[Evidence]], Figure]

FIGURES: dict[str, tuple[str, Draw, str, str]] = {
    "loss_split": (
        "confidence",
        loss_split.loss_split,
        "Loss of every stage, split into over-confidence and the rest.",
        "The population loss of every stage: what the best single scale of the logits leaves, and "
        "what over-confidence adds. Dotted: ln 2, always answering ½.",
    ),
    "first_width": (
        "interventions",
        first_width.first_width,
        "Accuracy over the width of the first layer, centred and not, with controls.",
        "Population accuracy with the first layer narrowed to so many units; above MINI as it is, "
        "below with centred inputs. Bands: intervals.",
    ),
    "alignment": (
        "alignment",
        alignment.alignment,
        "Accuracy against alignment with the true rule.",
        "A mark per replicate and stage: cosine of the mean gradient of the logit with the true "
        "rule, and accuracy. Near by construction: alignment is a mediator, no cause.",
    ),
    "picks": (
        "alignment",
        alignment.picks,
        "Alignment of the first layer's units in the order of picking.",
        "|cos| of a unit's weights with the true rule, in the order in which selection picks them.",
    ),
    "information": (
        "information",
        information.information,
        "Information plane by three estimators side by side.",
        "Information of every hidden layer about input and label over the epochs of the run, first "
        "to last (large mark), in the middle of an estimator's bounds (bars). Dotted: ln n, at "
        "which an estimate counts samples; dashed: H(Y).",
    ),
}
"""By file name: the instrument that it shows, how it is drawn, what it shows, its caption."""


def diagnosis_pages(
    config: Config, evidence: Sequence[Evidence], rows: dict[str, pd.DataFrame]
) -> dict[str, bytes]:
    """Every file of ``diagnose/`` by its path in it.

    Parameters
    ----------
    config : Config
    evidence : sequence of Evidence
        One per variant.
    rows : mapping
        ``run``, ``measured`` (of the replicates) and ``interventions``.
    """
    statements = all_statements(evidence)
    drawn = {name: draw(evidence) for name, (_, draw, _, _) in shown(evidence).items()}
    replicates = rows["measured"]
    return {
        "stages.csv": table.to_bytes(stages_table(evidence, rows["run"], replicates)),
        "replicates.csv": table.to_bytes(replicates[["instrument", *COLUMNS]]),
        "interventions.csv": table.to_bytes(interventions_table(evidence, rows["interventions"])),
        "statements.csv": table.to_bytes(pd.DataFrame(map(dataclasses.asdict, statements))),
        "statements.md": _text(evidence, statements).encode(),
        "config.yaml": config.as_yaml().encode(),
        **drawing.figure_files({f"figures/{name}": figure for name, figure in drawn.items()}),
    }


def shown(evidence: Sequence[Evidence]) -> dict[str, tuple[str, Draw, str, str]]:
    """The figures for which there is evidence."""
    return {
        name: figure
        for name, figure in FIGURES.items()
        if all(
            own.has_trials if figure[0] == "interventions" else own.has(figure[0])
            for own in evidence
        )
    }


def taken_up(evidence: Sequence[Evidence]) -> list[str]:
    """What the experiment's report takes up."""
    return ["statements.md", *(f"figures/{name}.png" for name in shown(evidence))]


def _text(evidence: Sequence[Evidence], statements: Sequence[Statement]) -> str:
    numbers = list(dict.fromkeys(one.number for one in statements))
    by_number = [[one for one in statements if one.number == number] for number in numbers]
    diagnose = evidence[0].diagnose
    return document.template("why.md").render(
        sentences=answer(evidence),
        n=evidence[0].n_replicates,
        seed=diagnose.seed,
        run_seeds=", ".join(sorted({str(own.settings.seed) for own in evidence})),
        confidence=f"{100 * diagnose.confidence:g}",
        n_population=diagnose.n_population,
        figures=[(name, alt, caption) for name, (_, _, alt, caption) in shown(evidence).items()],
        verdicts=verdicts_table([own.variant for own in evidence], by_number),
        statements=by_number,
    )


def verdicts_table(variants: Sequence[str], statements: Sequence[Sequence[Statement]]) -> str:
    """A row per statement, linked to its evidence; a column per variant, and one for all."""
    columns = [*variants, ALL]
    cells = []
    for of_all in statements:
        one = of_all[0]
        heading = f"{one.number}: {one.statement}"
        verdicts = {own.variant: own.verdict for own in of_all}
        cells.append(
            [
                f"[{one.number}](#{anchor(heading)})",
                one.statement,
                one.place,
                one.sort,
                *(verdicts.get(column, "") for column in columns),
            ]
        )
    return markdown(["", "Statement", "Where", "Sort", *columns], cells, 4 + len(columns))
